/**
 * Slots under long random histories: they are lost, handed over, challenged, reserved, repaired, refilled, renewed, and their providers
 * slashed and evicted. The books must balance to the wei after every period, nothing may panic, and in the end nothing may be stuck.
 */
import { expect } from "chai";
import { checkBooks } from "../support/contracts/books.ts";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { evictByLie } from "../support/contracts/lies.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const SEEDS = [1];
const PERIODS = 12;
const ACTIONS_PER_PERIOD = 6;

/** Small and repeatable (mulberry32); a failing seed can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Refusals are part of a history; a panic is a defect. */
async function attempt(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (/panic|underflow|overflow/i.test(String(error))) throw error;
    return false;
  }
}

class SlotHistory {
  readonly world: World;
  readonly providers: readonly TestProvider[];
  readonly deals: OpenedDeal[] = [];
  readonly done = new Map<string, number>();
  readonly #next: () => number;

  constructor(world: World, providers: readonly TestProvider[], seed: number) {
    this.world = world;
    this.providers = providers;
    this.#next = random(seed);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#next() * items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  async alive(): Promise<TestProvider[]> {
    const states = await Promise.all(this.providers.map(({ providerId }) => this.world.registry.evictedAtPeriod(providerId)));
    return this.providers.filter((_, at) => states[at] === 0n);
  }

  async open(): Promise<void> {
    const chosen = [...(await this.alive())].sort(() => this.#next() - 0.5).slice(0, 3);
    if (chosen.length < 3) return;
    const pays = chosen.map(() => 10n ** 12n * BigInt(1 + Math.floor(this.#next() * 9)));
    const periods = 3 + Math.floor(this.#next() * 10);
    const renewUntil = (await this.world.period()) + periods + 5;
    this.deals.push(await this.world.open(chosen, { periods, renewUntil, payPerPeriodWei: pays, k: 1 + Math.floor(this.#next() * 2) }));
  }

  /** The holder of a slot as a test provider; of a slot that nobody holds, whoever held it last. */
  async holder(deal: OpenedDeal, slotIndex: number): Promise<TestProvider> {
    const { providerId } = await this.world.market.slot(deal.dealId, slotIndex);
    return this.providers[Number(providerId) - 1] ?? this.pick(this.providers);
  }

  async submitRound(round: bigint): Promise<void> {
    if (round !== 0n) await this.world.submitRound(round);
  }

  async act(): Promise<void> {
    const { market, challenges, repair, proofs, registry } = this.world;
    const deal = this.pick(this.deals.slice(-3));
    const { dealId } = deal;
    const slotIndex = Math.floor(this.#next() * 3);
    const holder = await this.holder(deal, slotIndex);
    const other = this.pick(this.providers);
    const refill = () => this.world.refillOffer(deal, slotIndex, other);
    const actions: Readonly<Record<string, () => Promise<unknown>>> = {
      declareLost: () => market.connect(holder.operator).declareLost(dealId, slotIndex),
      handOver: async () => {
        const { offer, refill: terms } = await refill();
        return market.connect(holder.owner).handOver(dealId, slotIndex, offer, terms);
      },
      refill: async () => {
        const { offer, refill: terms } = await refill();
        return market.connect(this.world.user).refill(dealId, slotIndex, offer, terms);
      },
      renew: async () => {
        await this.world.fund(this.world.user, 10n ** 15n);
        return market.connect(this.world.user).renew(dealId, (await market.deal(dealId)).end + 1n);
      },
      terminate: async () => (this.#next() < 0.3 ? market.connect(this.world.user).terminate(dealId) : undefined),
      settle: () => this.world.settleAll(deal),
      settleTenure: () => market.settleTenure(dealId, slotIndex, other.providerId),
      challenge: () => challenges.connect(this.pick([this.world.reporter, this.world.user])).open(dealId, slotIndex),
      answer: async () => {
        await this.submitRound((await challenges.challengeOf(dealId, slotIndex)).round);
        const proofsOf = this.world.leafProofs(dealId, slotIndex, await challenges.leavesOf(dealId, slotIndex));
        return challenges.answer(dealId, slotIndex, proofsOf);
      },
      resolve: () => challenges.resolve(dealId, slotIndex),
      reserve: () => repair.connect(this.world.reporter).reserve(dealId, [slotIndex]),
      release: () => repair.connect(this.world.reporter).release(dealId, slotIndex),
      fill: async () => {
        await this.submitRound((await repair.reservationOf(dealId, slotIndex)).round);
        const { offer, refill: terms } = await refill();
        const leaves = await repair.leavesOf(dealId, slotIndex, other.providerId);
        return repair.connect(this.world.reporter).fill(dealId, slotIndex, offer, terms, this.world.leafProofs(dealId, slotIndex, leaves));
      },
      compact: async () =>
        proofs.connect(other.operator).compact(
          other.providerId,
          await this.world.period(),
          (await this.world.line(other.providerId)).sort((a, b) => Number(a.start - b.start)),
        ),
      service: () => proofs.connect(this.world.committee).slashForService(other.providerId, 200),
      lie: async () =>
        (await this.alive()).length > 4 && this.#next() < 0.3 ? evictByLie(this.world, holder, deal, slotIndex) : undefined,
      reward: () => market.connect(this.world.committee).payFromRepairFund(this.world.committee, 10n ** 18n),
      miss: async () => this.world.report(holder.providerId, (await this.world.period()) - 2, dealId, slotIndex),
      unbond: () => registry.connect(other.owner).startUnbonding(other.providerId, 10n ** 18n),
    };
    const name = this.pick(Object.keys(actions));
    if (await attempt((actions[name] ?? actions["settle"])?.() ?? Promise.resolve())) this.done.set(name, (this.done.get(name) ?? 0) + 1);
  }

  async passPeriod(): Promise<void> {
    const period = await this.world.next();
    await this.world.seed(period - 1);
    for (const { providerId } of await this.alive()) {
      if (this.#next() < 0.9) await attempt(this.world.prove(providerId, period - 1));
    }
  }

  async run(): Promise<void> {
    for (let step = 0; step < PERIODS; step += 1) {
      if (step % 3 === 0) await this.open();
      for (let at = 0; at < ACTIONS_PER_PERIOD; at += 1) await this.act();
      await this.passPeriod();
      await checkBooks(this.world, this.deals);
    }
  }

  /** Anybody can bring everything to its end: what is asked is resolved, what is reserved released, what is owed settled. */
  async finish(): Promise<void> {
    const { market, challenges, repair } = this.world;
    await networkHelpers.time.increase(100 * 40);
    for (const deal of this.deals) {
      for (const slotIndex of deal.terms.offers.keys()) {
        if ((await challenges.challengeOf(deal.dealId, slotIndex)).deadline !== 0n) await challenges.resolve(deal.dealId, slotIndex);
        if ((await repair.reservationOf(deal.dealId, slotIndex)).until !== 0n) await repair.release(deal.dealId, slotIndex);
      }
      await this.world.settleAll(deal);
      // A slot of an evicted provider becomes vacant first and closes then.
      await this.world.settleAll(deal);
      for (const slotIndex of deal.terms.offers.keys()) {
        for (const { providerId } of this.providers) {
          const past = await market.pastTenure(deal.dealId, slotIndex, providerId);
          if (past.payGwei !== 0n && !past.isSettled) await market.settleTenure(deal.dealId, slotIndex, providerId);
        }
      }
    }
    await checkBooks(this.world, this.deals);
  }
}

describe("Slots' money (M1 to M5, M9, R1 to R3, R5, P4, C3, C5, N2, N5)", function () {
  this.timeout(120_000);
  const done = new Set<string>();
  for (const seed of SEEDS) {
    it(`adds up to the wei through ${PERIODS} random periods and leaves nothing stuck, seed ${seed}`, async () => {
      const world = await deployWorld();
      const providers: TestProvider[] = [];
      for (let at = 0; at < 7; at += 1) providers.push(await world.addProvider(at, 30n * 10n ** 18n));
      for (const account of [world.user, world.reporter]) {
        await world.token.connect(world.signer(0)).transfer(account, 100n * 10n ** 18n);
        for (const spender of [world.challenges, world.repair]) await world.token.connect(account).approve(spender, 50n * 10n ** 18n);
      }
      const history = new SlotHistory(world, providers, seed);
      await history.run();
      await history.finish();
      for (const name of history.done.keys()) done.add(name);
      for (const { dealId } of history.deals) {
        const { openSlots, vacantSlots } = await world.market.deal(dealId);
        expect([openSlots, vacantSlots]).to.deep.equal([0n, 0n]);
      }
      for (const { providerId } of providers) expect((await world.registry.getProvider(providerId)).lockedWei).to.equal(0n);
      expect(await world.market.unclaimedWei()).to.equal(0n);
      for (const { providerId } of providers) expect(await world.challenges.openCount(providerId)).to.equal(0n);
    });
  }

  it("did most of what can be done to a slot", () => {
    expect(done.size).to.be.greaterThan(10);
  });
});
