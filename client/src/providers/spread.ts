/** Spreads a choice over owners, failure domains and networks: what belongs together fails together, or lies together. */
import { networkOf } from "./network.ts";

export interface Place {
  readonly owner: string;
  readonly failureDomain: string;
  readonly endpoint: string;
}

/** How often each owner, failure domain and network was picked. */
export type Crowd = Map<string, number>;

export function createCrowd(places: Iterable<Place> = []): Crowd {
  const crowd: Crowd = new Map();
  for (const place of places) join(crowd, marksOf(place));
  return crowd;
}

/**
 * Orders `ranked`, best first, one after the other: each time the best one of those that have the fewest owners, domains and networks in
 * common with those picked before; one that shares all three counts thrice. They join `crowd`. @param most are picked at most
 */
export function spreadOut<T extends Place>(ranked: readonly T[], most: number, crowd: Crowd): T[] {
  const left = ranked.map((one) => ({ one, marks: marksOf(one) }));
  const picked: T[] = [];
  while (left.length > 0 && picked.length < most) {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [at, { marks }] of left.entries()) {
      const around = marks.reduce((sum, mark) => sum + (crowd.get(mark) ?? 0), 0);
      if (around < least) [best, least] = [at, around];
    }
    for (const { one, marks } of left.splice(best, 1)) {
      join(crowd, marks);
      picked.push(one);
    }
  }
  return picked;
}

function marksOf({ owner, failureDomain, endpoint }: Place): readonly string[] {
  const network = networkOf(endpoint);
  return [`owner ${owner.toLowerCase()}`, `domain ${failureDomain}`, ...(network === undefined ? [] : [`network ${network}`])];
}

function join(crowd: Crowd, marks: readonly string[]): void {
  for (const mark of marks) crowd.set(mark, (crowd.get(mark) ?? 0) + 1);
}
