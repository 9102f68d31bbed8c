/** Providers that stop, come back, or stay away, on real processes: misses, tiers, eviction, repair. */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { decodeDealHeader } from "@ppio/core";
import { isAlive } from "@ppio/daemon";
import { expect } from "chai";
import { getBytes } from "ethers";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";
import { startLiar } from "../support/e2e/liar.ts";

const PROVIDERS = 6;
const WARNING = 0n;

interface SlotJson {
  readonly slotIndex: number;
  readonly status: string;
  readonly provider: { readonly providerId: number };
}

interface StatusJson {
  readonly providerId: number;
  readonly provenPeriods: number;
  readonly missedPeriods: number;
  readonly warnings: number;
  readonly slashes: readonly { readonly reason: string; readonly slashedWei: string }[];
  readonly slashedWei: string;
  readonly ageSeconds: number;
  readonly evictedAtPeriod: number;
  readonly served?: { readonly failure?: { readonly kind: string } };
}

describe("Proofs, misses and repair on a devnet", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let dealId: string;
  let goneId = 0;
  let liarId = 0;
  const bytes = randomBytes(900_000);

  before(async () => {
    // Repaired here by the owner; the network does it by itself in another test.
    devnet = await Devnet.start(PROVIDERS, { PPIO_REPAIR: "false" });
    await writeFile(devnet.path("in"), bytes);
    ({ dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://watched/x", "--code", "2/4", "--periods", "360"));
  });
  after(() => devnet.stop());

  const slots = async (): Promise<readonly SlotJson[]> => (await devnet.ok<{ slots: SlotJson[] }>("deal", "show", dealId)).slots;
  const isProven = (providerId: number, period: number): Promise<boolean> => devnet.contracts.proofs.isProven(providerId, period);
  /** Until it has proven any period from this one on: on a busy machine one may come too late. */
  const untilProven = (providerId: number, from: number): Promise<true> =>
    devnet.until(async () => {
      const ended = (await devnet.period()) - 1;
      return ended >= from && (await isProven(providerId, ended));
    });
  const missesOf = async (providerId: number) => {
    const { proofs } = devnet.contracts;
    return (await proofs.queryFilter(proofs.filters.PeriodMissed(providerId), devnet.book.fromBlock)).map(({ args }) => args);
  };
  const statusOf = (providerId: number): Promise<StatusJson> => devnet.ok<StatusJson>("provider", "status", String(providerId));
  const holderOf = async (slotIndex: number): Promise<number> => (await slots())[slotIndex]?.provider.providerId ?? 0;
  const readBack = (): Promise<void> => expectReadable(devnet, "ppio://watched/x", bytes);

  it("proves two periods by itself, which the client checks again", async () => {
    const holders = (await slots()).map(({ provider }) => provider.providerId);
    // Any two: on a busy machine one may come too late.
    await devnet.until(async () => {
      const current = await devnet.period();
      const proven = await Promise.all(holders.flatMap((providerId) => [1, 2].map((ago) => isProven(providerId, current - ago))));
      return proven.every((yes) => yes);
    });
    const verification = await devnet.ok<{ healthySlots: number; slots: { samplesVerified: number; problems: string[] }[] }>(
      "deal",
      "verify",
      dealId,
    );
    expect(verification.healthySlots).to.equal(4);
    for (const slot of verification.slots) {
      expect(slot.samplesVerified).to.be.greaterThan(0);
      expect(slot.problems).to.deep.equal([]);
    }
  });

  it("warns a provider that was killed and came back after a missed period, and takes nothing", async () => {
    const providerId = await holderOf(3);
    process.kill(await devnet.pidOf(`provider-${providerId}`), "SIGKILL");
    await readBack();
    const [miss] = await devnet.until(async () => {
      const misses = await missesOf(providerId);
      return misses.length > 0 && misses;
    });
    expect(miss?.tier).to.equal(WARNING);
    expect(miss?.slashedWei).to.equal(0n);
    await devnet.ok("devnet", "restart", `provider-${providerId}`);
    await untilProven(providerId, await devnet.period());
    expect(await devnet.contracts.registry.evictedAtPeriod(providerId)).to.equal(0n);
    await readBack();
  });

  it("slashes a provider that stays away, evicts it, and repairs its slots elsewhere", async () => {
    const providerId = await holderOf(0);
    process.kill(await devnet.pidOf(`provider-${providerId}`), "SIGKILL");
    await readBack();
    await devnet.until(async () => (await devnet.contracts.registry.evictedAtPeriod(providerId)) !== 0n);
    const misses = await missesOf(providerId);
    expect(misses[0]?.tier).to.equal(WARNING);
    const slashes = misses.slice(1).map(({ slashedWei }) => slashedWei);
    for (const [at, slash] of slashes.entries()) expect(slash).to.be.greaterThan(slashes[at - 1] ?? 0n);
    expect((await devnet.contracts.registry.getProvider(providerId)).collateralWei).to.equal(0n);
    goneId = providerId;

    const { repaired } = await devnet.ok<{ repaired: { slotIndex: number; toProviderId: number }[] }>("deal", "repair", dealId);
    expect(repaired.map(({ slotIndex }) => slotIndex)).to.deep.equal([0]);
    const taker = repaired[0]?.toProviderId ?? 0;
    expect(taker).to.not.equal(providerId);
    const { fromPeriod } = await devnet.contracts.market.slot(dealId, 0);
    await untilProven(taker, Number(fromPeriod));
    expect((await slots()).map(({ status }) => status)).to.deep.equal(["Filled", "Filled", "Filled", "Filled"]);
    await readBack();
  });

  it("takes everything from a provider that signs a lie, whoever meets it", async () => {
    const { market, registry } = devnet.contracts;
    const providerId = await holderOf(1);
    const before = (await registry.getProvider(providerId)).collateralWei;
    expect(before).to.be.greaterThan(0n);
    const its = (await devnet.json()).providers.find((provider) => provider.providerId === providerId);
    const pid = await devnet.pidOf(`provider-${providerId}`);
    process.kill(pid, "SIGKILL");
    // Its port is free once it is gone.
    await devnet.until(async () => !(await isAlive(pid)));
    const headerOf = async (id: string) => decodeDealHeader(getBytes((await market.deal(id)).header));
    const domain = { chainId: BigInt(devnet.book.chainId), market: devnet.book.market };
    const liar = await startLiar({ port: its?.port ?? 0, operatorKey: its?.operatorKey ?? "", domain, headerOf });
    const lies = await devnet
      .until(async () => {
        // A reader that has seen nothing of anybody yet, and so asks everybody; others may have answered in full before the liar did.
        await rm(devnet.path("service"), { recursive: true, force: true });
        await readBack();
        const met = await devnet.ok<{ lies: { providerId: number }[] }>("fraud", "ls");
        return met.lies.length > 0 && met.lies;
      })
      .finally(() => liar.close());
    expect(new Set(lies.map((lie) => lie.providerId))).to.deep.equal(new Set([providerId]));
    const { convictions } = await devnet.ok<{ convictions: { isNew: boolean }[] }>("fraud", "prove");
    expect(convictions[0]?.isNew).to.equal(true);
    const after = await registry.getProvider(providerId);
    expect(after.collateralWei).to.equal(0n);
    expect(after.evictedAtPeriod).to.be.greaterThan(0n);
    liarId = providerId;
    expect((await slots())[1]?.status).to.equal("Vacant");
    expect((await devnet.ok<{ lies: unknown[] }>("fraud", "ls")).lies).to.deep.equal([]);
    await readBack();
  });

  it("settles what was proven, and keeps books that add up to the wei (M1, M3, R1)", async () => {
    const { market } = devnet.contracts;
    await devnet.ok("deal", "end", dealId);
    const settled = await devnet.until(
      async () =>
        (await market.deal(dealId)).openSlots === 0n && market.queryFilter(market.filters.SlotSettled(dealId), devnet.book.fromBlock),
    );
    const [opened] = await market.queryFilter(market.filters.DealOpened(dealId), devnet.book.fromBlock);
    const { end } = await market.deal(dealId);
    const given = settled.reduce((sum, { args }) => sum + args.paidWei + args.feeWei + args.refundWei, 0n);
    const perPeriod = (opened?.args.escrowWei ?? 0n) / ((opened?.args.end ?? 0n) - (opened?.args.start ?? 0n));
    expect(given).to.equal(perPeriod * (end - (opened?.args.start ?? 0n)));
    expect((await expectBooksToBalance(devnet)).slashedWei).to.be.greaterThan(0n);
  });

  it("shows anybody how each of them stands", async () => {
    const misses = await missesOf(goneId);
    const slashes = misses.flatMap(({ slashedWei }) => (slashedWei === 0n ? [] : [slashedWei]));
    const gone = await statusOf(goneId);
    expect(gone).to.include({ missedPeriods: misses.length, warnings: 1, evictedAtPeriod: Number(misses.at(-1)?.period) });
    expect(gone.slashes.map(({ reason, slashedWei }) => [reason, slashedWei])).to.deep.equal(
      slashes.map((wei) => ["proofs", wei.toString()]),
    );
    expect(gone.slashedWei).to.equal(slashes.reduce((sum, wei) => sum + wei, 0n).toString());
    expect(gone.provenPeriods).to.be.greaterThan(0);
    expect(gone.ageSeconds).to.be.greaterThan(0);

    const liar = await statusOf(liarId);
    expect(liar.slashes.at(-1)?.reason).to.equal("malice");
    expect(liar.served?.failure?.kind).to.equal("lied");
    const { providers } = await devnet.ok<{ providers: { providerId: number; outBecause?: string }[] }>("provider", "ls");
    for (const { evictedAtPeriod, providerId } of [gone, liar]) {
      expect(providers.find((one) => one.providerId === providerId)?.outBecause).to.equal(`evicted in period ${evictedAtPeriod}`);
    }
  });
});
