/** What do opening a deal and closing it cost per slot, and does opening get cheaper with n? */
import type { TestProvider, World } from "../../test/support/contracts/world.ts";

const PERIODS = 3;

export interface OpenClose {
  /** Gas of the whole transaction divided by n, by providers who already have a slot. */
  readonly openPerSlot: number;
  /** The same by providers who never had one: a line and its lock are new words. */
  readonly firstOpenPerSlot: number;
  /** `settle` of all slots after the end, every period proven, whoever is paid has been paid before. */
  readonly closePerSlot: number;
  /** The same when everybody is paid for the first time. */
  readonly firstClosePerSlot: number;
}

async function openAndClose(world: World, providers: readonly TestProvider[]): Promise<{ open: number; close: number }> {
  const deal = await world.open(providers, { k: Math.ceil((providers.length * 5) / 8), periods: PERIODS });
  for (let i = 0; i < PERIODS; i++) await world.pass(...providers);
  return { open: Number(deal.receipt.gasUsed), close: Number((await world.settleAll(deal)).gasUsed) };
}

/** Opens and closes two deals of the same providers, one after the other. */
export async function measureOpenClose(world: World, providers: readonly TestProvider[]): Promise<OpenClose> {
  const n = providers.length;
  const first = await openAndClose(world, providers);
  const second = await openAndClose(world, providers);
  return {
    openPerSlot: Math.ceil(second.open / n),
    firstOpenPerSlot: Math.ceil(first.open / n),
    closePerSlot: Math.ceil(second.close / n),
    firstClosePerSlot: Math.ceil(first.close / n),
  };
}

/** Opening per slot at each n in turn, by providers who have slots already. */
export async function measureOpenSeries(
  world: World,
  providers: readonly TestProvider[],
  sizes: readonly number[],
): Promise<Map<number, number>> {
  await world.open(providers, { k: 10, periods: PERIODS });
  await world.next();
  const perSlot = new Map<number, number>();
  for (const n of sizes) {
    const k = Math.max(1, Math.floor((n * 5) / 8));
    const deal = await world.open(providers.slice(0, n), { k, periods: PERIODS });
    perSlot.set(n, Math.ceil(Number(deal.receipt.gasUsed) / n));
    // Every line records its length in the first change of a period: so does each deal of the series.
    await world.next();
  }
  return perSlot;
}
