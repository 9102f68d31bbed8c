/** What the chain has on record of a provider, out of events. */
import { IPossessionProofs__factory, IProviderRegistry__factory, IVerifierCommittee__factory } from "@ppio/core/contracts";
import { expect } from "chai";
import { getAddress, type Interface } from "ethers";
import type { Context } from "../../client/dist/context.js";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { providerStanding } from "../../client/dist/providers/history.js";
import { createServiceLog } from "../../client/dist/providers/service-log.js";
import { createMemoryServiceStore } from "../../client/dist/providers/service-store.js";

const ID = 7;
const OWNER = `0x${"0a".repeat(20)}`;
const OPERATOR = `0x${"0b".repeat(20)}`;
const FROM_BLOCK = 100;
const NEWEST_BLOCK = 30_000;

const at = (digit: string): string => `0x${digit.repeat(40)}`;
const CONTRACTS = {
  registry: IProviderRegistry__factory.connect(at("a")),
  proofs: IPossessionProofs__factory.connect(at("b")),
  committee: IVerifierCommittee__factory.connect(at("c")),
};

interface MadeLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: number;
}

function logOf(contract: keyof typeof CONTRACTS, blockNumber: number, name: string, ...args: readonly unknown[]): MadeLog {
  const { data, topics } = (CONTRACTS[contract].interface as Interface).encodeEventLog(name, args);
  // As nodes' answers come: with a checksum.
  const address = getAddress({ registry: at("a"), proofs: at("b"), committee: at("c") }[contract]);
  return { address, topics, data, blockNumber };
}

/** A chain with these logs, whose node answers 9,000 blocks at a time and filters as nodes do. */
function contextOver(logs: readonly MadeLog[], evicted: readonly number[] = []): { context: Context; queries: () => number } {
  let queries = 0;
  const isWanted = ({ topics }: MadeLog, filter: readonly (string | readonly string[] | null)[]): boolean =>
    filter.every((wanted, index) => wanted === null || [wanted].flat().includes(topics[index] ?? ""));
  const context = {
    chain: {
      book: { fromBlock: FROM_BLOCK },
      read: (_what: string, call: () => Promise<unknown>) => call(),
      registry: {
        interface: CONTRACTS.registry.interface,
        getAddress: async () => at("a"),
        getProvider: async (id: number) => ({ owner: OWNER, evictedAtPeriod: evicted.includes(id) ? 5n : 0n }),
      },
      proofs: {
        interface: CONTRACTS.proofs.interface,
        getAddress: async () => at("b"),
        currentPeriod: async () => 600_000n,
        provenCount: async (_id: number, from: number, to: number) => BigInt(to - from),
        penaltyRecord: async () => ({ incidentMisses: 0n, incidents: 0n, lastMissPeriod: 0n }),
      },
      committee: {
        interface: CONTRACTS.committee.interface,
        getAddress: async () => at("c"),
        scoreOf: async () => ({ score: 0n, term: 0n }),
      },
      provider: {
        getBlockNumber: async () => NEWEST_BLOCK,
        getBlock: async (block: number | "latest") => ({ timestamp: block === "latest" ? 50_000 : block }),
        getLogs: async ({
          address,
          topics,
          fromBlock,
          toBlock,
        }: {
          address: string | string[];
          topics: [];
          fromBlock: number;
          toBlock: number;
        }) => {
          queries += 1;
          expect(toBlock - fromBlock).to.be.below(9_000);
          const within = logs.filter(({ blockNumber }) => blockNumber >= fromBlock && blockNumber <= toBlock);
          return within.filter((log) => [address].flat().map(getAddress).includes(log.address) && isWanted(log, topics));
        },
      },
    },
    service: createServiceLog({ store: createMemoryServiceStore(), clock: systemClock, log: silentLog }),
  } as unknown as Context;
  return { context, queries: () => queries };
}

const registered = (id: number, block: number): MadeLog => logOf("registry", block, "ProviderRegistered", id, OWNER, OPERATOR);
const slashed = (block: number, wei: bigint): MadeLog => logOf("registry", block, "CollateralSlashed", ID, wei, 0n);
const missed = (block: number, period: number, tier: number, wei: bigint): MadeLog =>
  logOf("proofs", block, "PeriodMissed", ID, period, tier, 1, wei, OWNER);

describe("a provider's history", () => {
  it("tells warnings from slashes, and what each slash was for, to the wei", async () => {
    const { context } = contextOver([
      registered(ID, 150),
      missed(200, 10, 0, 0n),
      slashed(300, 5n),
      missed(300, 11, 1, 5n),
      // A slot's loss, of as much as the slash after it.
      slashed(9_500, 6n),
      slashed(9_600, 6n),
      logOf("proofs", 9_600, "ServiceSlashed", ID, 12, 20, 6n),
      logOf("committee", 9_600, "ProviderScored", ID, 3, 4_000, 9n),
      logOf("committee", 20_000, "ProviderScored", ID, 4, 9_000, 10n),
      slashed(29_000, 80n),
      logOf("proofs", 29_000, "MaliceProven", ID, 13, 80n, OWNER),
      // Somebody else's.
      logOf("registry", 300, "CollateralSlashed", ID + 1, 1_000n, 0n),
    ]);
    const found = await providerStanding(context, ID);
    expect(found.slashes).to.deep.equal([
      { reason: "proofs", period: 11, slashedWei: 5n },
      { reason: "slots", slashedWei: 6n },
      { reason: "service", period: 12, slashedWei: 6n },
      { reason: "malice", period: 13, slashedWei: 80n },
    ]);
    expect(found).to.include({ missedPeriods: 2, warnings: 1, slashedWei: 97n, registeredAt: 150, ageSeconds: 49_850, evictedAtPeriod: 0 });
    expect(found.scores).to.deep.equal([
      { score: 4_000, term: 3, reports: 9 },
      { score: 9_000, term: 4, reports: 10 },
    ]);
    expect(found.provenPeriods).to.equal(600_000);
    expect(found).not.to.have.property("served");
  });

  it("names other providers of the same owner that were evicted, and asks for events in pieces", async () => {
    const others = [1, 2, 9].map((id) => registered(id, 1_000 + id));
    const { context, queries } = contextOver([registered(ID, 150), ...others], [2, 9]);
    context.service.answered(ID, 3);
    await context.service.settle();
    const found = await providerStanding(context, ID);
    expect(found.ownerEvictions).to.deep.equal([2, 9]);
    expect(found.served?.latencyMs).to.equal(3);
    expect(queries()).to.equal(8);
  });
});
