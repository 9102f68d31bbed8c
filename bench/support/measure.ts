/** Interleaved runs and their medians: what a shared machine does to one, it does to the other. */

export interface Contender {
  readonly name: string;
  /** One run; a figure, in whatever unit. */
  run(): Promise<number>;
}

/** Medians of `rounds` runs each, taken in turns; the first round warms up and does not count. */
export async function interleave(contenders: readonly Contender[], rounds: number): Promise<number[]> {
  const figures = contenders.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const figure = await contender.run();
      if (round > 0) figures[index]?.push(figure);
    }
  }
  return figures.map(median);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** `name  ours  peer  ratio`. */
export function printRatio(name: string, ours: number, peer: number, unit: string): void {
  console.log(`${name.padEnd(44)}  ${ours.toFixed(1)} ${unit}  ${peer.toFixed(1)} ${unit}  ${(ours / peer).toFixed(2)}`);
}
