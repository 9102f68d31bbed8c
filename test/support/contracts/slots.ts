/** What the tests of slots begin with: four providers, a deal that the first of them hold, and shorthands for what is done to slots. */
import type { ContractTransactionResponse } from "ethers";
import { checkBooks } from "./books.ts";
import { networkHelpers } from "./chain.ts";
import { deployWorld } from "./deploy-world.ts";
import type { DealOptions, OpenedDeal, SlotOffer, TestProvider, World } from "./world.ts";

/** Pay per period, what is left of it after the fee, and a slot's collateral, unless a test asks for others. */
export const PAY = 10n ** 15n;
export const NET = PAY - (PAY * 2n) / 100n;
export const COLLATERAL = 10n ** 18n;

interface Deployed {
  readonly world: World;
  readonly providers: readonly [TestProvider, TestProvider, TestProvider, TestProvider];
  readonly deal: OpenedDeal;
  /** Its first period. */
  readonly start: number;
}

/** A deal of the first `holders` providers over `periods`. */
export async function deploySlots(holders: number, periods = 60): Promise<Deployed> {
  const world = await deployWorld();
  const providers = [
    await world.addProvider(0),
    await world.addProvider(1),
    await world.addProvider(2),
    await world.addProvider(3),
  ] as const;
  const deal = await world.open(providers.slice(0, holders), { periods });
  return { world, providers, deal, start: await world.period() };
}

/** One test's view of what was deployed; remembers the deals that it opens. */
export class Slots {
  readonly world: World;
  readonly providers: Deployed["providers"];
  readonly deal: OpenedDeal;
  readonly start: number;
  readonly deals: OpenedDeal[];

  constructor({ world, providers, deal, start }: Deployed) {
    this.world = world;
    this.providers = providers;
    this.deal = deal;
    this.start = start;
    this.deals = [deal];
  }

  static async load(fixture: () => Promise<Deployed>): Promise<Slots> {
    return new Slots(await networkHelpers.loadFixture(fixture));
  }

  checkBooks(): Promise<void> {
    return checkBooks(this.world, this.deals);
  }

  async open(providers: readonly TestProvider[], options: DealOptions = {}): Promise<OpenedDeal> {
    const opened = await this.world.open(providers, { periods: 60, ...options });
    this.deals.push(opened);
    return opened;
  }

  lose(provider: TestProvider, slotIndex = 0, of = this.deal): Promise<ContractTransactionResponse> {
    return this.world.market.connect(provider.operator).declareLost(of.dealId, slotIndex);
  }

  /** The offer of a provider for a slot, with `change` signed as the rest is. */
  async offer(to: TestProvider, slotIndex: number, of = this.deal, change: Partial<SlotOffer> = {}) {
    const { offer, refill } = await this.world.refillOffer(of, slotIndex, to);
    const changed: SlotOffer = { ...offer, ...change };
    const signature = await this.world.signOffer({ ...of.terms, ...refill }, slotIndex, changed, to.operator);
    return { offer: { ...changed, ...signature }, terms: refill };
  }

  async handOver(
    from: TestProvider,
    slotIndex: number,
    to: TestProvider,
    change: Partial<SlotOffer> = {},
  ): Promise<ContractTransactionResponse> {
    const { offer, terms } = await this.offer(to, slotIndex, this.deal, change);
    return this.world.market.connect(from.operator).handOver(this.deal.dealId, slotIndex, offer, terms);
  }

  async refill(slotIndex: number, to: TestProvider, of = this.deal): Promise<ContractTransactionResponse> {
    const { offer, terms } = await this.offer(to, slotIndex, of);
    return this.world.market.connect(this.world.user).refill(of.dealId, slotIndex, offer, terms);
  }

  async statusOf(slotIndex = 0, of = this.deal): Promise<bigint> {
    return (await this.world.market.slot(of.dealId, slotIndex)).status;
  }
}
