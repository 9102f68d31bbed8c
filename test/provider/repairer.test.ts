/** Which deals a provider sets out to repair, and when: on a chain that is a few maps. */
import { join } from "node:path";
import { encodeDealHeader, leafCountOf, PpioError } from "@ppio/core";
import { type ChainConnection, createLogger } from "@ppio/daemon";
import { createProviderMetrics } from "@ppio/provider";
import { expect } from "chai";
import { hexlify, Wallet, ZeroAddress } from "ethers";
import type { RepairContext } from "../../provider/dist/repair/context.js";
import { Pace } from "../../provider/dist/repair/pace.js";
import { Plans, type RepairPlan } from "../../provider/dist/repair/plans.js";
import { Repairer } from "../../provider/dist/repair/repairer.js";
import type { Vacancies } from "../../provider/dist/repair/vacancies.js";
import { HEADER } from "../support/provider/slot.ts";
import { BOOK, CONFIG, DOMAIN, PROVIDER_ID } from "../support/provider/world.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const FILLED = 1n;
const VACANT = 2n;
const RESERVED = 5n;
const GOOD = `0x${"aa".repeat(32)}`;
const BAD = `0x${"bb".repeat(32)}`;
const COLLATERAL_GWEI = 1_000n;

interface Stage {
  readonly repairer: Repairer;
  readonly plans: Plans;
  readonly clock: { nowMs: number };
  /** Ids of transactions that were sent. */
  readonly sent: string[];
  /** States of the slots of each deal. */
  readonly slots: Map<string, bigint[]>;
  readonly operator: string;
  readonly chain: {
    headers: Map<string, string>;
    evicted: bigint;
    premiumWei: bigint;
    fundWei: bigint;
    balanceWei: bigint;
    until: bigint;
    holder: bigint;
    repairer: string;
    newestVacancy: number;
    blockHash: string | undefined;
    looks: number;
    providers: bigint;
  };
  round(): Promise<void>;
}

async function stage(
  options: {
    readonly config?: Partial<typeof CONFIG>;
    readonly deals?: readonly string[];
    readonly unfinished?: readonly RepairPlan[];
  } = {},
): Promise<Stage> {
  const clock = { nowMs: 1_750_000_000_000 };
  const sent: string[] = [];
  const deals = options.deals ?? [GOOD];
  const slots = new Map(deals.map((dealId) => [dealId, [FILLED, VACANT, FILLED, FILLED]] as const)) as Map<string, bigint[]>;
  const chain: Stage["chain"] = {
    headers: new Map(deals.map((dealId) => [dealId, hexlify(encodeDealHeader(HEADER))])),
    evicted: 0n,
    premiumWei: 10n ** 9n,
    fundWei: 10n ** 18n,
    balanceWei: 10n ** 24n,
    until: 0n,
    holder: 1n,
    repairer: ZeroAddress,
    newestVacancy: 1,
    blockHash: undefined,
    looks: 0,
    providers: 0n,
  };
  const slotOf = (status: bigint, at: number) => ({
    root: `0x${"01".repeat(32)}`,
    providerId: status === FILLED ? chain.holder + BigInt(at) : 99n,
    payGwei: 1n,
    collateralGwei: COLLATERAL_GWEI,
    leafCount: BigInt(leafCountOf(HEADER)),
    fromPeriod: 3n,
    liveUntil: 100n,
    status,
  });
  const connection = {
    book: BOOK,
    rpc: { getBlockNumber: async () => 1, getBlock: async () => ({ hash: chain.blockHash }) },
    registry: {
      evictedAtPeriod: async () => chain.evicted,
      providerCount: async () => chain.providers,
      freeCollateral: async () => 10n ** 24n,
      getProvider: async () => ({
        owner: ZeroAddress,
        operator: ZeroAddress,
        operatorEpoch: 0n,
        endpoint: "",
        failureDomain: "",
        evictedAtPeriod: 0n,
      }),
    },
    market: {
      deal: async (dealId: string) => ({
        owner: ZeroAddress,
        payer: ZeroAddress,
        start: 1n,
        end: 100n,
        k: 2n,
        renewUntil: 0n,
        status: 1n,
        header: chain.headers.get(dealId) ?? "0x",
      }),
      slots: async (dealId: string) => (slots.get(dealId) ?? []).map(slotOf),
      slot: async (dealId: string, at: number) => slotOf(slots.get(dealId)?.[at] ?? 0n, at),
      pastTenure: async () => ({ payGwei: 0n }),
      repairFundWei: async () => chain.fundWei,
    },
    proofs: { currentPeriod: async () => 10n, periodSeconds: async () => 10n },
    policy: { premium: async () => chain.premiumWei },
    repair: {
      bondBps: async () => 100n,
      reservationSeconds: async () => 120n,
      creditOf: async () => 0n,
      reservationOf: async () => ({ repairer: chain.repairer, openedAt: 0n, until: chain.until, round: 0n }),
      interface: { encodeFunctionData: () => "0x" },
    },
    token: { balanceOf: async () => chain.balanceWei, allowance: async () => 10n ** 30n },
  } as unknown as ChainConnection;
  const log = createLogger({ component: "test", write: () => undefined });
  const context = {
    config: { ...CONFIG, pricePerGibPeriodWei: 1n, ...options.config },
    chain: connection,
    domain: DOMAIN,
    operator: Wallet.createRandom(),
    providerId: PROVIDER_ID,
    store: { availableBytes: async () => 1 << 30, find: () => undefined },
    sender: {
      send: async (id: string) => {
        sent.push(id);
        throw new PpioError("CHAIN_REVERT", "Another one was first.");
      },
    },
    metrics: createProviderMetrics(),
    log,
    now: () => clock.nowMs,
    pace: new Pace({ bytesPerSecond: 1e9, now: () => 0, wait: async () => undefined }),
    sleep: async () => undefined,
    api: () => ({}),
    offers: {},
  } as unknown as RepairContext;
  const plans = await Plans.open(join(await temporaryFolder(), "repairs"));
  for (const plan of options.unfinished ?? []) await plans.save(plan);
  const vacancies = {
    refresh: async () => {
      chain.looks += 1;
    },
    ...{ deals: () => deals, forget: () => undefined },
    newestBlock: () => chain.newestVacancy,
  } as unknown as Vacancies;
  const repairer = new Repairer(context, vacancies, plans, options.unfinished ?? []);
  const signal = new AbortController().signal;
  const round = async (): Promise<void> => {
    await repairer.round(signal);
    await repairer.close();
  };
  return { repairer, plans, clock, sent, slots, operator: context.operator.address, chain, round };
}

describe("a repairer", () => {
  after(() => removeTemporaryFolders());

  /** Long enough for anybody's turn, and for every wait but a backoff. */
  const turn = async (on: Stage): Promise<void> => {
    await on.round();
    on.clock.nowMs += 5_001;
    await on.round();
  };
  const reserved = (on: Stage, dealId: string): number => on.sent.filter((id) => id.startsWith(`repair-reserve/${dealId}`)).length;

  it("waits for its turn, reserves, and forgets the plan when another one was first", async () => {
    const on = await stage();
    await on.round();
    expect(on.sent).to.deep.equal([]);
    on.clock.nowMs += 5_001;
    await on.round();
    expect(reserved(on, GOOD)).to.equal(1);
    expect(await on.plans.has(GOOD)).to.equal(false);
  });

  it("waits longer after each failure", async () => {
    const on = await stage();
    await turn(on);
    let attempts = 1;
    const gaps: number[] = [];
    for (let since = on.clock.nowMs; gaps.length < 4; on.clock.nowMs += 500) {
      await on.round();
      if (reserved(on, GOOD) === attempts) continue;
      gaps.push(on.clock.nowMs - since);
      since = on.clock.nowMs;
      attempts += 1;
    }
    for (const [at, gap] of gaps.entries())
      expect(gap)
        .to.be.at.least(5_000 * 2 ** at)
        .and.at.most(5_000 * 2 ** at + 6_000);
  });

  it("is kept from no deal by one that cannot even be read", async () => {
    const on = await stage({ deals: [BAD, GOOD] });
    on.chain.headers.set(BAD, `0x${"ff".repeat(16)}`);
    await turn(on);
    expect([reserved(on, BAD), reserved(on, GOOD)]).to.deep.equal([0, 1]);
  });

  it("leaves a deal alone whose header is not what the chain counts", async () => {
    const on = await stage();
    on.chain.headers.set(GOOD, hexlify(encodeDealHeader({ ...HEADER, rows: HEADER.rows + 1 })));
    await turn(on);
    expect(on.sent).to.deep.equal([]);
  });

  it("leaves alone what is healthy enough, what too few are left of, and what is reserved", async () => {
    const lazy = await stage({ config: { repairBelow: 50 } });
    await turn(lazy);
    expect(lazy.sent, "three of four live").to.deep.equal([]);
    lazy.slots.set(GOOD, [VACANT, VACANT, FILLED, FILLED]);
    lazy.clock.nowMs += 60_000;
    await turn(lazy);
    expect(reserved(lazy, GOOD)).to.equal(1);

    const lost = await stage();
    lost.slots.set(GOOD, [VACANT, VACANT, VACANT, FILLED]);
    await turn(lost);
    expect(lost.sent, "fewer than k").to.deep.equal([]);

    const taken = await stage();
    taken.slots.set(GOOD, [FILLED, RESERVED, FILLED, FILLED]);
    taken.chain.until = BigInt(taken.clock.nowMs / 1000 + 60);
    await turn(taken);
    expect(taken.sent).to.deep.equal([]);
    taken.clock.nowMs += 61_000;
    await turn(taken);
    expect(reserved(taken, GOOD), "it has run out").to.equal(1);
  });

  it("says when the next turn comes, and nothing once it was taken", async () => {
    const on = await stage();
    on.chain.providers = 9n;
    expect(on.repairer.turnInMs()).to.equal(undefined);
    await on.round();
    const waitMs = on.repairer.turnInMs() ?? Number.NaN;
    expect(waitMs).to.be.within(0, 2_500);
    on.clock.nowMs += waitMs - 1;
    await on.round();
    expect([reserved(on, GOOD), on.repairer.turnInMs()]).to.deep.equal([0, 1]);
    on.clock.nowMs += 1;
    await on.round();
    expect([reserved(on, GOOD), on.repairer.turnInMs()]).to.deep.equal([1, undefined]);
  });

  it("does not wait with a new vacancy because another one of the deal was taken, or was lost to another one", async () => {
    const on = await stage();
    on.chain.providers = 9n;
    on.slots.set(GOOD, [FILLED, RESERVED, FILLED, FILLED]);
    on.chain.until = BigInt(on.clock.nowMs / 1000 + 60);
    await on.round();
    expect(on.repairer.turnInMs(), "reserved by another one").to.equal(undefined);
    on.slots.set(GOOD, [VACANT, RESERVED, FILLED, FILLED]);
    on.chain.newestVacancy = 2;
    const takeTurn = async (): Promise<void> => {
      await on.round();
      on.clock.nowMs += on.repairer.turnInMs() ?? Number.NaN;
      await on.round();
    };
    await takeTurn();
    expect(reserved(on, GOOD), "at its first turn").to.equal(1);
    on.chain.newestVacancy = 3;
    await takeTurn();
    expect(reserved(on, GOOD), "after it was outrun").to.equal(2);
  });

  it("asks for vacancies once a block, and takes its turn in between", async () => {
    const on = await stage();
    on.chain.blockHash = "0xa";
    await on.round();
    on.clock.nowMs += 5_001;
    await on.round();
    expect([on.chain.looks, reserved(on, GOOD)]).to.deep.equal([1, 1]);
    on.chain.blockHash = "0xb";
    await on.round();
    expect(on.chain.looks).to.equal(2);
  });

  it("waits out a failure of its own, however much becomes vacant", async () => {
    const on = await stage();
    on.chain.balanceWei = 0n;
    await turn(on);
    on.chain.balanceWei = 10n ** 24n;
    on.chain.newestVacancy = 2;
    await on.round();
    on.clock.nowMs += 2_600;
    await on.round();
    expect(reserved(on, GOOD)).to.equal(0);
    on.clock.nowMs += 2_500;
    await turn(on);
    expect(reserved(on, GOOD), "when its wait is over").to.equal(1);
  });

  it("begins nothing that does not pay, nor without the bond, nor once it is evicted", async () => {
    const greedy = await stage({ config: { repairMinGainWei: 10n ** 18n } });
    await turn(greedy);
    expect(greedy.sent).to.deep.equal([]);

    // With a slot of the deal it can keep none, and nobody else is there to take it.
    const holder = await stage();
    holder.chain.holder = BigInt(PROVIDER_ID);
    await turn(holder);
    expect(holder.sent).to.deep.equal([]);

    const poor = await stage();
    poor.chain.balanceWei = 0n;
    await turn(poor);
    expect(poor.sent).to.deep.equal([]);
    expect(await poor.plans.has(GOOD)).to.equal(false);

    const evicted = await stage();
    evicted.chain.evicted = 3n;
    await turn(evicted);
    expect(evicted.sent).to.deep.equal([]);
  });

  describe("after a start, with a plan of the process before", () => {
    const plan: RepairPlan = { version: 1, dealId: GOOD, slots: [{ slotIndex: 1, providerId: PROVIDER_ID }], attempt: "before" };
    const started = async (prepare: (on: Stage) => void): Promise<Stage> => {
      const on = await stage({ unfinished: [plan] });
      prepare(on);
      await on.round();
      return on;
    };

    it("sends the reservation again under the same name, and forgets it when another one was first", async () => {
      const on = await started(() => undefined);
      expect([on.sent, await on.plans.has(GOOD)]).to.deep.equal([["repair-reserve/before"], false]);
      on.clock.nowMs += 4_000;
      await on.round();
      expect(on.sent, "once").to.have.lengthOf(1);
    });

    it("forgets it when the slot is held again", async () => {
      const on = await started(({ slots }) => void slots.set(GOOD, [FILLED, FILLED, FILLED, FILLED]));
      expect([on.sent, await on.plans.has(GOOD)]).to.deep.equal([[], false]);
    });

    it("gives a reservation back that has run out, and one over which the owner refilled the slot", async () => {
      for (const status of [RESERVED, FILLED]) {
        const on = await started(({ chain, slots, clock, operator }) => {
          chain.repairer = operator;
          chain.until = BigInt(clock.nowMs / 1000 + (status === RESERVED ? 5 : 100));
          slots.set(GOOD, [FILLED, status, FILLED, FILLED]);
        });
        expect([on.sent, await on.plans.has(GOOD)], String(status)).to.deep.equal([[`repair-release/${GOOD}/1/0`], false]);
      }
    });

    it("leaves another one's reservation alone", async () => {
      const on = await started(({ chain, slots, clock }) => {
        chain.repairer = Wallet.createRandom().address;
        chain.until = BigInt(clock.nowMs / 1000 + 100);
        slots.set(GOOD, [FILLED, RESERVED, FILLED, FILLED]);
      });
      expect([on.sent, await on.plans.has(GOOD)]).to.deep.equal([[], false]);
    });

    it("keeps it while the chain does not answer, and does not ask all the time", async () => {
      const on = await stage({ unfinished: [plan] });
      let asked = 0;
      Object.defineProperty(on.chain, "repairer", {
        get: () => {
          asked += 1;
          throw new Error("node away");
        },
      });
      on.slots.set(GOOD, [FILLED, RESERVED, FILLED, FILLED]);
      for (let at = 0; at < 5; at += 1) await on.round();
      expect(await on.plans.has(GOOD)).to.equal(true);
      expect(asked).to.be.at.most(3);
    });
  });
});
