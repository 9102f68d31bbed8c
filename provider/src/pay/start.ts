/** Paid reads, put together: the ledger on the disk, the desk that reads pass, and the loop that redeems. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createPayFunds } from "@ppio/core";
import { type Lifecycle, repeat } from "@ppio/daemon";
import type { ProviderContext } from "../context.ts";
import { PaymentDesk } from "./desk.ts";
import { VoucherLedger } from "./ledger.ts";
import { PayerWatch } from "./payer-watch.ts";
import { Promises } from "./promises.ts";
import { Redeemer } from "./redeemer.ts";
import { Strikes } from "./strikes.ts";

/** Looks at what is to be redeemed, as often as the escrow's delay asks for. */
const LOOKS_PER_DELAY = 60;
const INTERVAL_MS_MIN = 2_000;
const INTERVAL_MS_MAX = 30_000;
/** An owner that sold its provider is not paid for long. */
const OWNER_MS = 60_000;

/** @throws IO, CHAIN_UNREACHABLE */
export async function openPayments(
  context: ProviderContext,
): Promise<{ readonly desk: PaymentDesk; run(lifecycle: Lifecycle, isLeaving: () => boolean): Promise<void> }> {
  const { config, chain, providerId, sender, metrics, log, now } = context;
  const dir = join(config.dataDir, "vouchers");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const ledger = await VoucherLedger.open(dir);
  const promises = new Promises(createPayFunds(chain.escrow), now);
  const ownerOf = async (): Promise<string> => (await chain.registry.getProvider(providerId)).owner;
  const desk = new PaymentDesk({
    ...{ pricePerGibWei: config.readPricePerGibWei, creditBytes: config.readCreditBytes, payee: await ownerOf() },
    ...{
      domain: { chainId: BigInt(chain.book.chainId), escrow: chain.book.escrow },
      ledger,
      promises,
      strikes: new Strikes(now),
      metrics,
      now,
    },
  });
  const delaySeconds = Number(await chain.escrow.delaySeconds());
  const run = async ({ signal }: Lifecycle, isLeaving: () => boolean): Promise<void> => {
    const watch = new PayerWatch(chain);
    const redeemAtWei = config.redeemAtWei;
    const redeemer = new Redeemer({
      chain,
      sender,
      ledger,
      desk,
      promises,
      watch,
      delaySeconds,
      redeemAtWei,
      isLeaving,
      metrics,
      log,
      now,
    });
    const intervalMs = Math.min(INTERVAL_MS_MAX, Math.max(INTERVAL_MS_MIN, Math.floor((delaySeconds * 1000) / LOOKS_PER_DELAY)));
    let ownerAtMs = now();
    const work = async (): Promise<void> => {
      if (ledger.size > 0) await redeemer.round();
      if (now() - ownerAtMs < OWNER_MS) return;
      ownerAtMs = now();
      desk.setPayee(await ownerOf());
    };
    await repeat({ name: "vouchers", intervalMs, signal, log, work });
  };
  return { desk, run };
}
