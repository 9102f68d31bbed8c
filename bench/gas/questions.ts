/** Every figure of the snapshot, with what it may cost at most. */
import { measureHeadMove } from "../../test/support/contracts/bucket-world.ts";
import { deployWorld } from "../../test/support/contracts/deploy-world.ts";
import { deployEscrow } from "../../test/support/contracts/escrow.ts";
import { measureVoucherGas } from "../../test/support/contracts/escrow-gas.ts";
import type { TestProvider, World } from "../../test/support/contracts/world.ts";
import { measureBeacon } from "./beacon.ts";
import { measureOpenClose, measureOpenSeries } from "./open-close.ts";
import { measureProve } from "./prove.ts";

export interface Figure {
  readonly name: string;
  readonly gas: number;
  /** What was promised; without one a figure is only held to the snapshot. */
  readonly target?: number;
}

/** Slots on the line of the provider that proves. */
export const LINE_SIZES = [100, 1_000, 10_000] as const;
export const DEAL_SIZES = [2, 4, 8, 16, 32, 64, 128] as const;
const TARGETS = { prove: 195_000, open: 65_000, close: 40_000, beacon: 175_000, voucher: 18_000, firstVoucher: 36_000, headMove: 40_000 };
const TYPICAL_N = 16;

export async function addProviders(world: World, count: number): Promise<TestProvider[]> {
  const providers: TestProvider[] = [];
  for (let i = 0; i < count; i++) providers.push(await world.addProvider(i));
  return providers;
}

async function proofs(): Promise<Figure[]> {
  const world = await deployWorld();
  const figures: Figure[] = [];
  for (const [i, slots] of LINE_SIZES.entries()) {
    const { gas } = await measureProve(world, slots, i);
    figures.push({ name: `prove a period, 5 samples of depth 22, ${slots} slots`, gas, target: TARGETS.prove });
  }
  figures.push({ name: "submit a beacon round", gas: await measureBeacon(world), target: TARGETS.beacon });
  return figures;
}

async function deals(): Promise<Figure[]> {
  const one = await deployWorld();
  const closing = await measureOpenClose(one, await addProviders(one, TYPICAL_N));
  const world = await deployWorld();
  const series = await measureOpenSeries(world, await addProviders(world, Math.max(...DEAL_SIZES)), DEAL_SIZES);
  const opened = [...series].map(([n, gas]) => {
    const name = `open a deal of ${n}, per slot`;
    return n === TYPICAL_N ? { name, gas, target: TARGETS.open } : { name, gas };
  });
  return [
    ...opened,
    { name: `open a deal of ${TYPICAL_N}, per slot, each provider's first`, gas: closing.firstOpenPerSlot },
    { name: `close a deal of ${TYPICAL_N}, per slot`, gas: closing.closePerSlot, target: TARGETS.close },
    { name: `close a deal of ${TYPICAL_N}, per slot, each provider's first pay`, gas: closing.firstClosePerSlot },
  ];
}

async function vouchers(): Promise<Figure[]> {
  const gas = await measureVoucherGas(await deployEscrow(), 100);
  return [
    { name: "redeem 100 vouchers, each", gas: gas.warmEach, target: TARGETS.voucher },
    { name: "redeem 100 vouchers, each, first ever", gas: gas.firstEach, target: TARGETS.firstVoucher },
  ];
}

async function buckets(): Promise<Figure[]> {
  const { owner, writer } = await measureHeadMove();
  return [
    { name: "move a bucket's head, by its owner", gas: Number(owner), target: TARGETS.headMove },
    { name: "move a bucket's head, by a writer", gas: Number(writer), target: TARGETS.headMove },
  ];
}

export async function measureAll(): Promise<Figure[]> {
  return [...(await proofs()), ...(await deals()), ...(await vouchers()), ...(await buckets())];
}
