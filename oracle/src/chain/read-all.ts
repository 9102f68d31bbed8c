/** Many reads, a few at a time: ethers sends what is asked at once in one request. */

const READS_AT_ONCE = 16;

/** Results in the order of the items. */
export async function readAll<T, R>(items: readonly T[], read: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += READS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + READS_AT_ONCE).map(read))));
  }
  return results;
}
