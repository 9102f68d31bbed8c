/** A repairer that reads from a liar, on real processes: it takes what the liar signed to the chain, and heals what both of them held. */
import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { decodeDealHeader } from "@ppio/core";
import { IFraudProofs__factory } from "@ppio/core/interfaces";
import { isAlive } from "@ppio/daemon";
import { expect } from "chai";
import { getBytes } from "ethers";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";
import { startLiar } from "../support/e2e/liar.ts";

const PROVIDERS = 6;
const FILLED = 1n;
/** Of the five misses in a row that evict: the liar, which proves nothing, is not evicted for that before it is asked. */
const MISSES_BEFORE_LYING = 3;

describe("A repairer that meets a signed lie", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let dealId: string;
  const bytes = randomBytes(600_000);

  before(async () => {
    devnet = await Devnet.start(PROVIDERS);
    await writeFile(devnet.path("in"), bytes);
    ({ dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://lied/x", "--code", "2/4", "--periods", "360"));
  });
  after(() => devnet.stop());

  const holderOf = async (slotIndex: number): Promise<number> => Number((await devnet.contracts.market.slot(dealId, slotIndex)).providerId);
  const kill = async (providerId: number): Promise<void> => {
    const pid = await devnet.pidOf(`provider-${providerId}`);
    process.kill(pid, "SIGKILL");
    await devnet.until(async () => !(await isAlive(pid)));
  };

  it("has the liar convicted by one transaction, and the slots of both are held again", async () => {
    const { market, registry, proofs } = devnet.contracts;
    const [liarId, goneId] = [await holderOf(0), await holderOf(3)];
    await kill(goneId);
    await devnet.until(async () => {
      const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(goneId), devnet.book.fromBlock);
      return missed.length >= MISSES_BEFORE_LYING;
    });
    const its = (await devnet.json()).providers.find((provider) => provider.providerId === liarId);
    await kill(liarId);
    const liar = await startLiar({
      port: its?.port ?? 0,
      operatorKey: its?.operatorKey ?? "",
      domain: { chainId: BigInt(devnet.book.chainId), market: devnet.book.market },
      headerOf: async (id) => decodeDealHeader(getBytes((await market.deal(id)).header)),
    });
    const fraud = IFraudProofs__factory.connect(devnet.book.fraudProofs, devnet.rpc);
    const proven = () => fraud.queryFilter(fraud.filters.LieProven(liarId), devnet.book.fromBlock);
    try {
      await expectReadable(devnet, "ppio://lied/x", bytes);
      await devnet.until(async () => (await proven()).length > 0);
    } finally {
      liar.close();
    }
    expect((await registry.getProvider(liarId)).collateralWei).to.equal(0n);
    await devnet.until(async () => {
      const slots = await Promise.all([0, 1, 2, 3].map((slotIndex) => market.slot(dealId, slotIndex)));
      return slots.every(({ status, providerId }) => status === FILLED && ![liarId, goneId].includes(Number(providerId)));
    });
    const [lie, ...others] = await proven();
    expect(others).to.deep.equal([]);
    const operators = await Promise.all([1, 2, 3, 4, 5, 6].map(async (id) => (await registry.getProvider(id)).operator));
    expect(operators).to.include(lie?.args.finder);
    for (const { name, providerId } of (await devnet.json()).providers) {
      if ([liarId, goneId].includes(providerId)) continue;
      await devnet.until(async () => (await readdir(devnet.path("devnet", name, "lies"))).length === 0);
    }
    await expectReadable(devnet, "ppio://lied/x", bytes);
    await expectBooksToBalance(devnet);
  });
});
