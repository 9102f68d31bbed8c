/** Reads that cost money, on real processes: nobody reads unpaid, nobody pays for nothing, and the money adds up to the wei. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { ERROR_CODES, withGasMargin } from "@ppio/core";
import { expect } from "chai";
import { Wallet } from "ethers";
import { readEscrowBooks } from "../support/e2e/books.ts";
import { Devnet } from "../support/e2e/devnet.ts";

const PRICE_WEI = 50_000_000_000_000_000n;
const LOST_SLOT = 3;
const TOKEN = 10n ** 18n;

interface Status {
  readonly payer: string;
  readonly reserveWei: string;
  readonly openWei: string;
  readonly sessionKey: string;
  readonly streams: readonly {
    readonly payee: string;
    readonly key: string;
    readonly owedWei: string;
    readonly redeemedWei: string;
    readonly lostWei: string;
  }[];
}

interface Line {
  readonly payer: string;
  readonly payee: string;
  readonly cumulativeWei: string;
}

describe("Paid reads", function () {
  this.timeout(300_000);
  let devnet: Devnet;
  let reader: string;
  let dealId: string;
  /** Holds the slot that will be lost. */
  let lost: number;
  const bytes = randomBytes(5_000_000);

  before(async () => {
    devnet = await Devnet.start(5, { PPIO_READ_PRICE_PER_GIB_WEI: String(PRICE_WEI) }, "--verifiers", "4");
    ({ address: reader } = await devnet.ok<{ address: string }>("wallet"));
    await writeFile(devnet.path("in"), bytes);
    ({ dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://paid/x", "--code", "2/4", "--periods", "360"));
    lost = Number((await devnet.contracts.market.slot(dealId, LOST_SLOT)).providerId);
  });
  after(() => devnet.stop());

  const status = () => devnet.ok<Status>("bandwidth", "status");
  const owedOf = ({ streams }: Status): bigint => streams.reduce((sum, { owedWei }) => sum + BigInt(owedWei), 0n);
  const redeemedOf = ({ streams }: Status): bigint => streams.reduce((sum, { redeemedWei }) => sum + BigInt(redeemedWei), 0n);
  const readBack = async (): Promise<void> => {
    await devnet.ok("get", "ppio://paid/x", devnet.path("out"), "--force");
    expect((await readFile(devnet.path("out"))).equals(bytes)).to.equal(true);
  };
  /** The highest voucher of a payer that each provider has on its disk, by payee. */
  const held = async (of = reader): Promise<Map<string, bigint>> => {
    const found = new Map<string, bigint>();
    for (const { name } of (await devnet.json()).providers) {
      const text = await readFile(devnet.path("devnet", name, "vouchers", "vouchers.jsonl"), "utf8").catch(() => "");
      for (const line of text.split("\n").filter((one) => one !== "")) {
        const { payer, payee, cumulativeWei } = JSON.parse(line) as Line;
        if (payer !== of) continue;
        const known = found.get(payee) ?? 0n;
        found.set(payee, BigInt(cumulativeWei) > known ? BigInt(cumulativeWei) : known);
      }
    }
    return found;
  };

  it("refuse a reader without a reserve, and say what to do", async () => {
    const refused = await devnet.run("get", "ppio://paid/x", devnet.path("none"));
    expect(refused.status).to.equal(ERROR_CODES.PAYMENT_REQUIRED.exit);
    expect(refused.stderr).to.match(/wants to be paid for reads: it asks 50000000000000000 wei per GiB, and there is no reserve/);
    expect(refused.stderr).to.include('"ppio bandwidth deposit"');
    expect((await held()).size).to.equal(0);
  });

  it("are paid ahead by vouchers that reader and provider count alike", async () => {
    await devnet.ok("bandwidth", "deposit", "10");
    await readBack();
    const paid = await status();
    const vouchers = await held();
    expect(paid.streams.length).to.be.greaterThan(1);
    for (const { payee, owedWei, lostWei } of paid.streams) {
      expect(lostWei).to.equal("0");
      expect(vouchers.get(payee), payee).to.equal(BigInt(owedWei));
    }
    // The object's data cells at least.
    expect(owedOf(paid) >= (PRICE_WEI * BigInt(bytes.length)) / 2n ** 30n).to.equal(true);
    // A payee may have redeemed them already, together with a verifier's.
    expect(BigInt(paid.openWei)).to.equal(owedOf(paid) - redeemedOf(paid));
  });

  it("lose no voucher when a provider is killed after it was paid", async () => {
    const before = await held();
    const { providers } = await devnet.json();
    const [payee = "", wei = 0n] = [...before][0] ?? [];
    const paid = providers.find(({ ownerKey }) => new Wallet(ownerKey).address === payee);
    if (paid === undefined) throw new Error("nobody was paid");
    process.kill(await devnet.pidOf(paid.name), "SIGKILL");
    await devnet.ok("devnet", "restart", paid.name);
    expect((await held()).get(payee)).to.equal(wei);
    await readBack();
    const after = await status();
    for (const { payee: of, owedWei, lostWei } of after.streams) {
      expect(lostWei).to.equal("0");
      expect((await held()).get(of)).to.equal(BigInt(owedWei));
    }
  });

  it("are paid by verifiers too, out of accounts that are not theirs", async () => {
    const { verifiers } = await devnet.json();
    for (const { name, port, key, payerKey } of verifiers) {
      const payer = new Wallet(payerKey).address;
      expect(payer).not.to.equal(new Wallet(key).address);
      await devnet.until(async () => (await held(payer)).size > 0);
      await devnet.until(async () => {
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        const count = (metric: string): number => Number(new RegExp(`^${metric} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
        return count("ppio_probes_total") - count("ppio_probes_failed_total") > 0;
      });
      expect((await devnet.contracts.escrow.accountOf(new Wallet(key).address)).reserveWei, name).to.equal(0n);
    }
  });

  it("are paid by a repairer, out of its operator's tokens", async () => {
    const { market, repair } = devnet.contracts;
    const holder = (await devnet.json()).providers.find(({ providerId }) => providerId === lost);
    if (holder === undefined) throw new Error("nobody holds the slot");
    // Its disk is gone, and it says so.
    await (await market.connect(withGasMargin(new Wallet(holder.ownerKey, devnet.rpc))).declareLost(dealId, LOST_SLOT)).wait();
    const [repaired] = await devnet.until(async () => {
      const found = await repair.queryFilter(repair.filters.SlotRepaired(dealId, LOST_SLOT), devnet.book.fromBlock);
      return found.length > 0 && found;
    });
    const repairer = repaired?.args.repairer ?? "";
    const wages = await held(repairer);
    // It may hold one of the k sources itself, and reads a leaf of what it gave to another provider.
    expect(wages.size).to.be.greaterThan(0);
    expect((await devnet.contracts.escrow.accountOf(repairer)).bondWei).to.equal(TOKEN);
    await readBack();
  });

  it("are redeemed when the payer takes its money back, to the wei", async () => {
    const { escrow, token } = devnet.contracts;
    const owed = await status();
    const totalWei = owedOf(owed);
    await devnet.ok("bandwidth", "withdraw");
    // Asked again before it is ripe, it only says when that is.
    const early = await devnet.ok<{ ripeAt?: number }>("bandwidth", "withdraw");
    expect(early.ripeAt).to.equal(Number((await escrow.accountOf(owed.payer)).ripeAt));
    for (const { payee, key, owedWei } of owed.streams) {
      await devnet.until(async () => (await escrow.redeemedOf(owed.payer, payee, key)) === BigInt(owedWei));
    }
    const account = await escrow.accountOf(owed.payer);
    expect(account.reserveWei).to.equal(10n * TOKEN - totalWei);
    expect(account.bondWei).to.equal(TOKEN);
    await devnet.until(async () => {
      const { holds, owes } = await readEscrowBooks(devnet);
      return holds === owes;
    });
    // Nobody serves for the key that has ended.
    const refused = await devnet.run("get", "ppio://paid/x", devnet.path("none"));
    expect(refused.status).to.equal(ERROR_CODES.PAYMENT_REQUIRED.exit);
    // The owner takes what its provider has earned.
    const earner = (await devnet.json()).providers.find(({ ownerKey }) => new Wallet(ownerKey).address === owed.streams[0]?.payee);
    const owner = new Wallet(earner?.ownerKey ?? "", devnet.rpc);
    const [before, creditWei] = [await token.balanceOf(owner.address), await escrow.creditOf(owner.address)];
    await (await escrow.connect(withGasMargin(owner)).withdraw(owner.address)).wait();
    const gotWei = (await token.balanceOf(owner.address)) - before;
    // Verifiers pay it as well, perhaps just now.
    expect(gotWei >= creditWei && creditWei >= BigInt(owed.streams[0]?.owedWei ?? 0)).to.equal(true);
  });

  it("give the payer what is left, reserve and bond, when the delay is over", async () => {
    const { escrow, token } = devnet.contracts;
    const { ripeAt, reserveWei, bondWei } = await escrow.accountOf(reader);
    await devnet.until(async () => BigInt((await devnet.rpc.getBlock("latest"))?.timestamp ?? 0) >= ripeAt);
    const before = await token.balanceOf(reader);
    await devnet.ok("bandwidth", "withdraw");
    expect((await token.balanceOf(reader)) - before).to.equal(reserveWei + bondWei);
    expect((await devnet.run("bandwidth", "withdraw")).status).to.equal(ERROR_CODES.NOT_FOUND.exit);
    // A new deposit has a key of its own.
    await devnet.ok("bandwidth", "deposit", "1");
    await readBack();
    // A payee may redeem at any time, also between two readings of one status.
    await devnet.until(async () => {
      const { reserveWei, sessionKey, streams } = await status();
      const redeemed = streams.reduce((sum, { key, redeemedWei }) => sum + (key === sessionKey ? BigInt(redeemedWei) : 0n), 0n);
      return BigInt(reserveWei) + redeemed === TOKEN;
    });
  });
});
