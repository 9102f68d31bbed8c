/**
 * Decoding large losses with transforms, without anything compiled for the pattern. Points are cut into aligned blocks. By
 * interpolation.ts the cells of an output block are sums over the known s of c_s / (e - s), scaled. Over the Cantor basis such a sum is,
 * for the s of another block, a multiple of the polynomial through the c_s; for the s of the same block, the derivative of the one through
 * the c_s and zeros. So: scale, inverse transforms, add, one transform, scale. The transforms depend on the block alone.
 */
import { PpioError } from "../errors.ts";
import { inverse, multiply, point } from "./field.ts";
import { type Interpolation, interpolationScales } from "./interpolation.ts";
import { CHUNK_BYTES, PLAN_AT, PLAN_BYTES, POINTS_MAX, SOURCES_AT, sumAt, symbolAt, TARGETS_AT, ZEROS_AT } from "./memory-map.ts";
import { scaleEntry, scaleKernel } from "./scale-kernel.ts";
import type { Coding, Kernel, SimdMemory } from "./simd-memory.ts";
import { straightKernel } from "./straight-kernel.ts";
import { forwardProgram, type InverseStage, inverseProgram, type Stage } from "./transform-program.ts";

/** Smaller transforms are never faster than a matrix, and their blocks would be many. */
const POINTS_MIN = 16;
/** Transforms leave out what is zero in eighths of a block, so that codes share them. */
const STEPS_OF_VALUES = 8;

export interface TransformOptions extends Interpolation {
  /** Points of a block: a power of two, POINTS_MIN to POINTS_MAX. */
  readonly points: number;
  /** Points of all cells of the code: what lies after them in a block is zero. */
  readonly cells: readonly number[];
}

interface Scaling {
  readonly entries: number;
  readonly end: number;
}

interface InputStage extends Scaling {
  readonly addresses: number;
  readonly transform: Kernel;
}

interface OutputStage extends Scaling {
  readonly inputs: readonly InputStage[];
  readonly transform: Kernel;
}

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export function transformCoding(memory: SimdMemory, options: TransformOptions): Coding {
  const { points, cells, known, sources, wanted } = options;
  const scales = interpolationScales(options);
  const plan: number[] = [];
  const place = (words: readonly number[]): number => PLAN_AT + 4 * (plan.push(...words) - words.length);
  const blockOf = (index: number): number => Math.floor(index / points);
  const blocksOf = (list: readonly number[]): number[] => [...new Set(list.map(blockOf))].sort((a, b) => a - b);
  const stageOf = (block: number): Stage => {
    const last = Math.max(...cells.filter((index) => blockOf(index) === block)) % points;
    const step = points / STEPS_OF_VALUES;
    return { points, first: block * points, values: step * Math.ceil((last + 1) / step) };
  };
  const symbols = place(indices(points).map(symbolAt));
  const sums = place(indices(points).map(sumAt));
  const scaling = (entries: readonly number[][]): Scaling => {
    const at = place(entries.flat());
    return { entries: at, end: at + 4 * entries.flat().length };
  };

  const input = (from: number, to: number, add: boolean): InputStage => {
    const apart = from === to ? 1 : inverse(point(from ^ to));
    const members = indices(sources).filter((source) => blockOf(known[source] ?? 0) === from);
    const given = new Set(members.map((source) => (known[source] ?? 0) % points));
    const stage = stageOf(from);
    const values = indices(stage.values).map((index) => (given.has(index) ? symbolAt(index) : ZEROS_AT));
    return {
      addresses: place(add ? [...values, ...indices(points).map(sumAt)] : values),
      transform: inverseKernel(memory, { ...stage, derive: from === to, add }),
      ...scaling(
        members.map((source) => {
          const symbol = symbols + 4 * ((known[source] ?? 0) % points);
          return scaleEntry(SOURCES_AT + 4 * source, symbol, multiply(scales.sources[source] ?? 0, apart));
        }),
      ),
    };
  };
  const output = (to: number): OutputStage => ({
    inputs: blocksOf(known.slice(0, sources)).map((from, position) => input(from, to, position > 0)),
    transform: forwardKernel(memory, stageOf(to)),
    ...scaling(
      wanted.flatMap((index, target) => {
        if (blockOf(index) !== to) return [];
        return [scaleEntry(symbols + 4 * (index % points), TARGETS_AT + 4 * target, scales.wanted[target] ?? 0)];
      }),
    ),
  });

  const outputs = blocksOf(wanted).map(output);
  const scale = memory.shared("scale", scaleKernel);
  const image = Uint32Array.from(plan);
  if (image.byteLength > PLAN_BYTES) throw new PpioError("INTERNAL", "The plan of a transform decoder has no room.");
  return (bytes) => {
    memory.load(PLAN_AT, image);
    for (let from = 0; from < bytes; from += CHUNK_BYTES) {
      const size = Math.min(CHUNK_BYTES, bytes - from);
      for (const { inputs, transform, entries, end } of outputs) {
        for (const stage of inputs) {
          scale(stage.entries, stage.end, from, 0, size);
          stage.transform(stage.addresses, sums, 0, size);
        }
        transform(sums, symbols, 0, size);
        scale(entries, end, 0, from, size);
      }
    }
  };
}

function inverseKernel(memory: SimdMemory, stage: InverseStage): Kernel {
  const { points, first, values, derive, add } = stage;
  const name = `inverse ${points} ${first} ${values} ${derive ? "derived" : "plain"} ${add ? "added" : "set"}`;
  return memory.shared(name, () => straightKernel(inverseProgram(stage)));
}

function forwardKernel(memory: SimdMemory, stage: Stage): Kernel {
  const { points, first, values } = stage;
  return memory.shared(`forward ${points} ${first} ${values}`, () => straightKernel(forwardProgram(stage)));
}

/** Measured: 2034 and 1405 at 32 points, all of them used; a scaling has 15 and its loads and stores. */
const XORS_PER_INVERSE = 13;
const XORS_PER_FORWARD = 9;
const XORS_PER_SCALING = 18;

/** What a unit costs, in XORs of planes: infinite where there is no such transform. */
export function transformXors({ points, known, sources, wanted }: TransformOptions): number {
  if (points < POINTS_MIN || points > POINTS_MAX) return Number.POSITIVE_INFINITY;
  const blocks = (list: readonly number[]): number => new Set(list.map((index) => Math.floor(index / points))).size;
  const outputs = blocks(wanted);
  const layers = points * Math.log2(points);
  const transforms = outputs * (XORS_PER_INVERSE * blocks(known.slice(0, sources)) + XORS_PER_FORWARD) * layers;
  return transforms + (outputs * sources + wanted.length) * XORS_PER_SCALING;
}
