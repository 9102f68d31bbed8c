/**
 * When a verifier probes whom: drawn from a seed that only it knows, so that a provider cannot tell hours of probes from others. The same
 * seed gives the same plan after a restart. docs/protocol/verifiers.md, "Measuring".
 */
import { createHmac } from "node:crypto";

export interface PlanOptions {
  /** Secret, 32 bytes. */
  readonly seed: Uint8Array;
  readonly term: number;
  readonly providerIds: readonly number[];
  readonly probesPerProvider: number;
  /** The term's bounds in Unix milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface PlannedProbe {
  readonly providerId: number;
  readonly index: number;
  /** Unix milliseconds. */
  readonly at: number;
  /** Decides what is read: 32 bytes. */
  readonly draw: Uint8Array;
}

/** Bytes of a draw that make a time: below 2^48, so that numbers hold them. */
const TIME_BYTES = 6;

/** All probes of a term in the order of their times, which are uniform over the term and independent of each other. */
export function planProbes(options: PlanOptions): PlannedProbe[] {
  const { providerIds, probesPerProvider, fromMs, untilMs } = options;
  const probes = providerIds.flatMap((providerId) =>
    Array.from({ length: probesPerProvider }, (_, index) => {
      const share = fraction(drawOf(options, "time", providerId, index));
      return { providerId, index, at: Math.floor(fromMs + share * (untilMs - fromMs)), draw: drawOf(options, "read", providerId, index) };
    }),
  );
  return probes.sort((a, b) => a.at - b.at || a.providerId - b.providerId || a.index - b.index);
}

function drawOf({ seed, term }: PlanOptions, what: string, providerId: number, index: number): Uint8Array {
  return createHmac("sha256", seed).update(`${what}/${term}/${providerId}/${index}`).digest();
}

/** Of the first bytes of a draw: from 0 up to 1, which it never is. */
export function fraction(draw: Uint8Array): number {
  let value = 0;
  for (const byte of draw.subarray(0, TIME_BYTES)) value = value * 256 + byte;
  return value / 256 ** TIME_BYTES;
}
