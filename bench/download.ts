/**
 * How near is a get's pipeline (every frame by its tag, both layers, 10/16) to what its parts took, bare, when every cell was hashed
 * first, and to the bare ciphers alone, on one core; and how much slower is it with six data slots lost than with none? Answers come
 * from memory. GB of plaintext per second of the processor.
 */
import { compare, processorRateOf } from "./support/interleave.ts";
import { makeMemoryDeal } from "./support/memory-deal.ts";
import { BATCH_BYTES, bareParts } from "./support/pipeline.ts";

const SIZE_BYTES = 128 << 20;
const LOST = new Set([0, 1, 2, 3, 4, 5]);
const TURNS = 9;

const deal = await makeMemoryDeal(SIZE_BYTES);
const parts = bareParts();

const rate = (lost?: ReadonlySet<number>): Promise<number> =>
  processorRateOf(() => deal.read(lost === undefined ? {} : { lost }), SIZE_BYTES);

const openRate = (): Promise<number> => processorRateOf(parts.open, BATCH_BYTES);

/** 1 / (sum of the parts' own costs): every cell hashed, then opened. */
async function bound(): Promise<number> {
  return 1 / (1 / (await openRate()) + 1 / (await processorRateOf(parts.check, BATCH_BYTES)));
}

await compare({ name: "verified download, one core, bare parts", ours: () => rate(), peer: bound, target: 0.75, turns: TURNS });
await compare({ name: "the same, bare ciphers alone", ours: () => rate(), peer: openRate, turns: TURNS });
await compare({ name: "the same, 6 of 16 lost, none lost", ours: () => rate(LOST), peer: () => rate(), target: 0.8, turns: TURNS });
