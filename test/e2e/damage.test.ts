/**
 * Single slots on real processes: challenged ones are answered for; those that rot on a provider's disk are given up by itself, at a tenth, and
 * named when they are drawn, at half.
 */
import { randomBytes } from "node:crypto";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withGasMargin } from "@ppio/core";
import { connectContracts } from "@ppio/daemon";
import { expect } from "chai";
import { NonceManager, Wallet } from "ethers";
import { openClient } from "../../cli/src/client/open-client.ts";
import { openHome } from "../../cli/src/home.ts";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

const GWEI = 1_000_000_000n;
const BPS = 10_000n;
const CELL_BYTES = 65_536;
/** Long enough for what shall happen between a proof and the end of its window, on a busy machine too. */
const PERIOD_SECONDS = 20;
/** Of a period, to find a damaged slot in and to give it up. */
const LEFT_SECONDS = 8n;
const FILLED = 1n;
const VACANT = 2n;

describe("Challenged and damaged slots on a devnet", function () {
  this.timeout(180_000);
  let devnet: Devnet;
  const bytes = randomBytes(8_000_000);

  before(async () => {
    // As many providers as slots: each holds one of every deal, and has more than the damaged one to prove.
    devnet = await Devnet.start(4, { PPIO_SCRUB_BYTES_PER_SECOND: "0", PPIO_REPAIR: "false" }, "--period-seconds", String(PERIOD_SECONDS));
    await writeFile(devnet.path("in"), bytes);
    await put("ballast");
  });
  after(() => devnet.stop());

  const put = async (name: string): Promise<string> =>
    (await devnet.ok<{ dealId: string }>("put", devnet.path("in"), `ppio://rot/${name}`, "--code", "2/4", "--periods", "300")).dealId;

  const isMissed = async (providerId: number): Promise<boolean> => {
    const { proofs } = devnet.contracts;
    return (await proofs.queryFilter(proofs.filters.PeriodMissed(providerId), devnet.book.fromBlock)).length > 0;
  };

  async function flip(dealId: string, slotIndex: number, rows: readonly number[]): Promise<void> {
    const file = await open(join((await devnet.slotFolders(dealId)).get(slotIndex) ?? "", "data"), "r+");
    for (const row of rows) {
      const byte = new Uint8Array(1);
      await file.read(byte, 0, 1, row * CELL_BYTES + 5);
      await file.write(Uint8Array.of((byte[0] ?? 0) ^ 0x10), 0, 1, row * CELL_BYTES + 5);
    }
    await file.close();
  }

  /** The slot's forfeit, with what the provider and the chain's books say of it. */
  async function forfeitOf(dealId: string, slotIndex: number) {
    const { market, registry } = devnet.contracts;
    const before = await market.slot(dealId, slotIndex);
    const collateralBefore = (await registry.getProvider(before.providerId)).collateralWei;
    return async () => {
      const [event] = await devnet.until(async () => {
        const found = await market.queryFilter(market.filters.SlotForfeited(dealId, slotIndex), devnet.book.fromBlock);
        return found.length > 0 && found;
      });
      const { bps, slashedWei, fundWei, finderWei, ownerWei } = event?.args ?? {};
      expect((await market.slot(dealId, slotIndex)).status).to.equal(VACANT);
      expect(slashedWei).to.equal((before.collateralGwei * GWEI * (bps ?? 0n)) / BPS);
      expect(slashedWei).to.equal((fundWei ?? 0n) + (finderWei ?? 0n) + (ownerWei ?? 0n));
      expect(collateralBefore - (await registry.getProvider(before.providerId)).collateralWei).to.equal(slashedWei);
      return { bps, slashedWei: slashedWei ?? 0n, providerId: Number(before.providerId), collateralGwei: before.collateralGwei };
    };
  }

  it("are answered for in time, and the challenger's bond goes to the provider's owner", async () => {
    const dealId = await put("asked");
    const { registry, market } = devnet.contracts;
    const { faucetKey } = JSON.parse(await readFile(devnet.path("devnet", "devnet.json"), "utf8")) as { faucetKey: string };
    const challenger = new NonceManager(new Wallet(faucetKey, devnet.rpc));
    const { token, challenges } = connectContracts(devnet.book, withGasMargin(challenger));
    const bondWei = await challenges.bondWei();
    await (await token.faucet(challenger)).wait();
    await (await token.approve(devnet.book.challenges, bondWei)).wait();
    await (await challenges.open(dealId, 2)).wait();
    await devnet.until(async () => (await challenges.queryFilter(challenges.filters.ChallengeAnswered(dealId, 2))).length > 0);
    const { status, providerId } = await market.slot(dealId, 2);
    expect(status).to.equal(FILLED);
    expect(await challenges.creditOf(await registry.ownerOf(providerId))).to.equal(bondWei);
  });

  it("are given up by their provider for a tenth of their collateral, half being the price of waiting, and are vacant", async () => {
    const dealId = await put("declared");
    const { market, proofs } = devnet.contracts;
    const holder = Number((await market.slot(dealId, 0)).providerId);
    const home = openHome(devnet.home);
    /** Where the bytes lie, as whoever knows no provider yet reads: others may have seemed faster. In this process: one of its own takes time to begin. */
    const readStart = async (): Promise<Buffer> => {
      await rm(home.serviceDir, { recursive: true, force: true });
      const { client, close } = await openClient({ home });
      const part: Uint8Array[] = [];
      const { bytes: pieces } = await client.get({ bucket: "rot", key: "declared", range: { offset: 0, length: 1000 } });
      for await (const piece of pieces) part.push(piece);
      close();
      return Buffer.concat(part);
    };
    // In a running period whose proof of the one before is through: nothing is drawn before the period's end, which must not be near.
    const period = await devnet.until(async () => {
      const current = await devnet.period();
      const { close: end } = await proofs.periodBounds(current);
      const now = BigInt((await devnet.rpc.getBlock("latest"))?.timestamp ?? 0);
      return end - now >= LEFT_SECONDS && (await proofs.isProven(holder, current - 1)) && current;
    });
    const forfeit = await forfeitOf(dealId, 0);
    await flip(dealId, 0, [0]);
    await devnet.until(async () => {
      expect((await readStart()).equals(bytes.subarray(0, 1000)), "readable all along").to.equal(true);
      // On a busy machine others may be faster even so.
      return (await market.queryFilter(market.filters.SlotForfeited(dealId, 0), devnet.book.fromBlock)).length > 0;
    });
    const { bps, slashedWei, providerId, collateralGwei } = await forfeit();
    expect([bps, providerId]).to.deep.equal([1_000n, holder]);
    expect(slashedWei * 5n).to.equal((collateralGwei * GWEI) / 2n);
    const { fromPeriod } = await market.slot(dealId, 0);
    expect(Number(fromPeriod)).to.be.at.least(period);
    await devnet.until(() => proofs.isProven(holder, Number(fromPeriod)));
    expect(await isMissed(holder)).to.equal(false);
    await expectBooksToBalance(devnet);
  });

  it("are named when they are drawn first, for half, and the period is proven all the same", async () => {
    const { market, proofs } = devnet.contracts;
    const names = ["caught", "caught-then", "caught-at-last"];
    const name = await devnet.until(async () => {
      const next = names.shift();
      if (next === undefined) throw new Error("one void period after the other");
      const dealId = await put(next);
      const forfeit = await forfeitOf(dealId, 3);
      await flip(
        dealId,
        3,
        Array.from({ length: 60 }, (_, row) => row),
      );
      const { bps, providerId } = await forfeit();
      const lostIn = Number((await market.slot(dealId, 3)).fromPeriod);
      // Drawn for a proof that nobody owes any more: a busy machine's beacon may be late. Then it is found, and given up.
      if (bps === 1_000n && (await proofs.isVoid(lostIn - 1))) return false;
      expect(bps).to.equal(5_000n);
      expect(await proofs.isProven(providerId, lostIn)).to.equal(true);
      expect(await isMissed(providerId)).to.equal(false);
      return next;
    });
    await expectReadable(devnet, `ppio://rot/${name}`, bytes);
    await expectBooksToBalance(devnet);
  });
});
