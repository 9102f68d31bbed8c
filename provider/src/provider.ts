/** A provider from its settings: opens the disk, connects, serves, proves, keeps house. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import {
  acquireLock,
  connectChain,
  type Lifecycle,
  type Logger,
  listen,
  readAddressBookFile,
  removeLeftovers,
  repeat,
  TxSender,
} from "@ppio/daemon";
import { createProviderApp } from "./api/app.ts";
import { PROVIDER_LIMITS } from "./api/limits.ts";
import { OfferDesk } from "./api/offers.ts";
import type { ProviderContext } from "./context.ts";
import { useFastKeccak } from "./fast-crypto.ts";
import { dropUnpaid, settleSlots } from "./housekeeping.ts";
import { checkIdentity } from "./identity.ts";
import { createProviderMetrics } from "./metrics.ts";
import type { ProviderConfig } from "./options.ts";
import { Inventory } from "./prover/inventory.ts";
import { type ProverState, proveDuePeriod } from "./prover/prover.ts";
import { runRepairs } from "./repair/start.ts";
import { nodeFileLayer } from "./store/file-layer.ts";
import { scrubOnce, scrubPositionFile } from "./store/scrubber.ts";
import { SlotStore } from "./store/slot-store.ts";
import { watchedDisk } from "./store/watched-disk.ts";

const PROVE_INTERVAL_MS = 1_000;
const HOUSEKEEPING_INTERVAL_MS = 15_000;
/** Between two scrubs; a scrub itself takes as long as its rate says. */
const SCRUB_INTERVAL_MS = 60_000;

export interface RunningProvider {
  readonly providerId: number;
  readonly url: string;
}

/** Starts everything and returns once requests are served; the lifecycle ends it. @throws CONFIG, CONFLICT, CHAIN_UNREACHABLE */
export async function startProvider(config: ProviderConfig, lifecycle: Lifecycle, log: Logger): Promise<RunningProvider> {
  useFastKeccak();
  await openFolder(config.dataDir, lifecycle);

  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  lifecycle.onStop("chain", () => chain.close());
  const operator = chain.wallet;
  if (operator === undefined) throw new PpioError("CONFIG", "The operator's key is missing.");
  const providerId = Number(await chain.registry.providerOfOperator(operator.address));
  if (providerId === 0) {
    throw new PpioError("CONFIG", `${operator.address} operates no provider; register it first with "ppio provider register".`);
  }
  const { operatorEpoch } = await chain.registry.getProvider(providerId);
  await checkIdentity(config.dataDir, book, providerId);
  const sender = await TxSender.open({
    file: join(config.dataDir, "transactions.json"),
    rpc: chain.rpc,
    wallet: operator,
    log,
    signal: lifecycle.signal,
  });
  lifecycle.onStop("transactions", () => sender.close());

  const metrics = createProviderMetrics();
  const context: ProviderContext = {
    config,
    chain,
    domain: { chainId: BigInt(book.chainId), market: book.market },
    operator,
    providerId,
    operatorEpoch: Number(operatorEpoch),
    store: await SlotStore.open({
      dir: join(config.dataDir, "slots"),
      capacityBytes: config.capacityBytes,
      log,
      files: watchedDisk(nodeFileLayer, () => metrics.add("ppio_disk_errors_total", 1)),
      onDamage: () => metrics.add("ppio_damage_found_total", 1),
    }),
    sender,
    dealt: new Set(),
    metrics,
    log,
    now: Date.now,
  };
  const offers = new OfferDesk(context);
  const listener = await listen(createProviderApp(context, PROVIDER_LIMITS, offers), { host: config.host, port: config.port });
  lifecycle.onStop("http", () => listener.close());
  startLoops(context, offers, lifecycle);
  log.info("provider is ready", { providerId, url: listener.url, usedBytes: context.store.usedBytes, freeBytes: context.store.freeBytes });
  return { providerId, url: listener.url };
}

async function openFolder(dataDir: string, lifecycle: Lifecycle): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PpioError("CONFIG", `The data folder ${dataDir} cannot be made; choose another one or correct its permissions.`, { cause });
  }
  const lock = await acquireLock(dataDir);
  lifecycle.onStop("lock", () => lock.release());
  await removeLeftovers(dataDir);
}

function startLoops(context: ProviderContext, offers: OfferDesk, lifecycle: Lifecycle): void {
  const { signal } = lifecycle;
  const { log } = context;
  const proving = new Inventory(context.chain, context.providerId);
  const keeping = new Inventory(context.chain, context.providerId);
  const state: ProverState = { keptAfter: 0 };
  const loops = [
    repeat({ name: "prove", intervalMs: PROVE_INTERVAL_MS, signal, log, work: () => proveDuePeriod(context, proving, state) }),
    repeat({
      name: "housekeeping",
      intervalMs: HOUSEKEEPING_INTERVAL_MS,
      signal,
      log,
      work: async () => {
        await keeping.refresh();
        await settleSlots(context, keeping);
        await dropUnpaid(context);
      },
    }),
  ];
  if (context.config.scrubBytesPerSecond > 0) {
    loops.push(repeat({ name: "scrub", intervalMs: SCRUB_INTERVAL_MS, signal, log, work: () => scrub(context, signal) }));
  }
  if (context.config.repair) loops.push(runRepairs(context, offers, signal));
  lifecycle.onStop("loops", async () => void (await Promise.all(loops)));
}

async function scrub({ store, config, metrics, log }: ProviderContext, signal: AbortSignal): Promise<void> {
  const report = await scrubOnce({
    store,
    bytesPerSecond: config.scrubBytesPerSecond,
    position: scrubPositionFile(join(config.dataDir, "scrub.json")),
    signal,
    log,
    onBytes: (bytes) => metrics.add("ppio_scrubbed_bytes_total", bytes),
  });
  if (signal.aborted) return;
  metrics.add("ppio_scrubs_total", 1);
  metrics.add("ppio_mended_slots_total", report.mendedSlots);
  if (report.damagedCells > 0) log.error("the scrub found damaged cells", { ...report });
}
