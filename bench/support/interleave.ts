/** Rates of two contestants, measured in turns so that both see the same machine, and the line that every benchmark prints. */
export interface Contest {
  readonly name: string;
  /** Each call measures for a moment and returns GB/s. */
  readonly ours: () => number | Promise<number>;
  readonly peer: () => number | Promise<number>;
  /** Least ratio of ours to the peer's, where one is wanted. */
  readonly target?: number;
  /** Many short turns, shorter than a time slice, see a busy machine better than few long ones. */
  readonly turns?: number;
}

const TURNS = 15;
/** Turns that only let the engine finish compiling. */
const WARM_TURNS = 8;
const TURN_MS = 40;
/** Both sides: bench/peers/isal.c has the same. */
const BATCH_MS = 2;

/** GB/s of an action that handles `bytes`: of the fastest batch of a turn, which other processes disturbed least. */
export function rateOf(action: () => void, bytes: number): number {
  const start = performance.now();
  let fastest = 0;
  do {
    const batch = performance.now();
    let runs = 0;
    do {
      action();
      runs += 1;
    } while (performance.now() - batch < BATCH_MS);
    fastest = Math.max(fastest, (runs * bytes) / (performance.now() - batch) / 1e6);
  } while (performance.now() - start < TURN_MS);
  return fastest;
}

/** The same of an action that ends later. */
export async function rateOfAsync(action: () => Promise<unknown>, bytes: number): Promise<number> {
  const start = performance.now();
  let fastest = 0;
  do {
    const batch = performance.now();
    let runs = 0;
    do {
      await action();
      runs += 1;
    } while (performance.now() - batch < BATCH_MS);
    fastest = Math.max(fastest, (runs * bytes) / (performance.now() - batch) / 1e6);
  } while (performance.now() - start < TURN_MS);
  return fastest;
}

/** GB per second of this process's processor time, collector included: what is too long for a time slice is timed so. */
export async function processorRateOf(action: () => unknown, bytes: number): Promise<number> {
  const start = performance.now();
  const before = process.cpuUsage();
  let runs = 0;
  do {
    await action();
    runs += 1;
  } while (performance.now() - start < TURN_MS);
  const { user, system } = process.cpuUsage(before);
  return (runs * bytes) / (user + system) / 1e3;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Prints `name  ours  peer  ratio  target`, the medians of all turns. */
export async function compare({ name, ours, peer, target, turns = TURNS }: Contest): Promise<void> {
  const rates: [number, number][] = [];
  for (let turn = 0; turn < WARM_TURNS + turns; turn += 1) {
    const pair: [number, number] = [await ours(), await peer()];
    if (turn >= WARM_TURNS) rates.push(pair);
  }
  const [mine, theirs, ratio] = [
    median(rates.map(([rate]) => rate)),
    median(rates.map(([, rate]) => rate)),
    median(rates.map(([a, b]) => a / b)),
  ];
  const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
  const wanted = target === undefined ? "" : `  (target ${percent(target)})`;
  console.log(`${name.padEnd(46)}${mine.toFixed(2).padStart(8)}${theirs.toFixed(2).padStart(8)}${percent(ratio).padStart(9)}${wanted}`);
}
