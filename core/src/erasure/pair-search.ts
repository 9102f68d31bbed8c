/**
 * Short straight lines of XORs for many sums at once: the greedy search of Paar ("Optimized arithmetic for Reed-Solomon encoders",
 * 1997) makes the pair that most sums share, until every sum is one value.
 */
/** The sum of nothing. */
export const ZERO = -1;

export interface SumProgram {
  /** Step i makes value `inputs` + i of the two values. */
  readonly steps: readonly (readonly [number, number])[];
  /** Value of each sum. */
  readonly outputs: readonly number[];
}

/** @param sums for each, the inputs that it adds up */
export function searchPairs(sums: readonly (readonly number[])[], inputs: number): SumProgram {
  const search = createSearch(sums, inputs);
  const steps: [number, number][] = [];
  for (;;) {
    const pair = search.takeBest();
    if (pair === undefined) break;
    steps.push(pair);
  }
  return { steps, outputs: search.outputs() };
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Each value's bits say in which sums it stands. */
function createSearch(sums: readonly (readonly number[])[], inputs: number) {
  const width = Math.ceil(sums.length / 32);
  // Every step shortens a sum, so there are no more steps than terms.
  const values = inputs + sums.reduce((terms, sum) => terms + sum.length, 0);
  const bits = new Uint32Array(values * width);
  sums.forEach((sum, row) => {
    for (const value of sum) {
      const at = value * width + (row >> 5);
      bits[at] = (bits[at] as number) | (1 << (row & 31));
    }
  });
  // For each value how often the best pair with an earlier one occurs. What pairs share only shrinks, so an old count is a bound.
  const bounds = new Int32Array(values);
  const partners = new Int32Array(values);
  let count = inputs;
  const refresh = (value: number): number => {
    let most = 0;
    for (let other = 0; other < value; other += 1) {
      let shared = 0;
      for (let word = 0; word < width; word += 1) {
        shared += bitCount((bits[value * width + word] as number) & (bits[other * width + word] as number));
      }
      if (shared > most) {
        most = shared;
        partners[value] = other;
      }
    }
    bounds[value] = most;
    return most;
  };
  for (let value = 0; value < inputs; value += 1) refresh(value);

  const best = (): number => {
    for (;;) {
      let most = 0;
      let found = ZERO;
      for (let value = 0; value < count; value += 1) {
        if ((bounds[value] as number) > most) {
          most = bounds[value] as number;
          found = value;
        }
      }
      if (found === ZERO || refresh(found) === most) return found;
    }
  };
  return {
    takeBest: (): [number, number] | undefined => {
      const a = best();
      if (a === ZERO) return undefined;
      const b = partners[a] as number;
      for (let word = 0; word < width; word += 1) {
        const [inA, inB] = [bits[a * width + word] as number, bits[b * width + word] as number];
        bits[count * width + word] = inA & inB;
        bits[a * width + word] = inA & ~inB;
        bits[b * width + word] = inB & ~inA;
      }
      count += 1;
      refresh(count - 1);
      return [a, b];
    },
    outputs: (): number[] => {
      const outputs = new Array<number>(sums.length).fill(ZERO);
      for (let value = 0; value < count; value += 1) {
        for (let row = 0; row < sums.length; row += 1) {
          if (((bits[value * width + (row >> 5)] as number) >>> (row & 31)) & 1) outputs[row] = value;
        }
      }
      return outputs;
    },
  };
}

/** The same with steps in the order in which sums need them, those first that need the fewest: few values are alive at a time. */
export function inOrder({ steps, outputs }: SumProgram, inputs: number): SumProgram {
  const ordered: [number, number][] = [];
  const places = new Map<number, number>();
  const place = (value: number): number => {
    const step = steps[value - inputs];
    if (step === undefined) return value;
    const known = places.get(value);
    if (known !== undefined) return known;
    ordered.push([place(step[0]), place(step[1])]);
    const at = inputs + ordered.length - 1;
    places.set(value, at);
    return at;
  };
  // Steps that a sum still needs, counted up to a limit; a value is counted once for each number that is drawn.
  const counted = new Int32Array(inputs + steps.length);
  let drawn = 0;
  const further = (value: number, limit: number): number => {
    const step = steps[value - inputs];
    if (step === undefined || limit <= 0 || counted[value] === drawn || places.has(value)) return 0;
    counted[value] = drawn;
    const first = 1 + further(step[0], limit - 1);
    return first + further(step[1], limit - first);
  };
  const left = new Set(outputs);
  while (left.size > 0) {
    let [next, fewest] = [ZERO, steps.length + 1];
    for (const output of left) {
      drawn += 1;
      const count = further(output, fewest);
      if (count < fewest) [next, fewest] = [output, count];
    }
    left.delete(next);
    place(next);
  }
  return { outputs: outputs.map(place), steps: ordered };
}
