/** Sizes and rounds from the environment, and figures out of many. */

export function mibFromEnvironment(fallback: number): number {
  return wholeFromEnvironment("BENCH_MIB", fallback);
}

export function roundsFromEnvironment(fallback: number): number {
  return wholeFromEnvironment("BENCH_ROUNDS", fallback);
}

export function wholeFromEnvironment(name: string, fallback: number, least = 1): number {
  const value = Number(process.env[name] ?? fallback);
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${name} must be a whole number, ${least} at least.`);
  return value;
}

/** The value that `share` of all do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
