/** The clock, against helpers' clocks and the newest block. */
import { type Finding, finding } from "./findings.ts";
import type { HelperReport } from "./helpers.ts";

/** Offers and tickets expire after minutes; a helper's clock is known to a few seconds only. */
const WRONG_MS = 30_000;
/** A block this old says nothing: the chain may stand. */
const BLOCK_FRESH_MS = 120_000;
const CORRECT = "let the system take its time from the network (NTP), since offers and tickets expire";

/** @param blockTime of the newest block, Unix milliseconds */
export function checkClock(reports: readonly HelperReport[], blockTime: number | undefined, now: number): Finding {
  const ahead = median(reports.map(({ aheadMs }) => aheadMs).filter((ms) => ms !== undefined));
  if (ahead !== undefined && Math.abs(ahead) > WRONG_MS) {
    const seconds = Math.round(Math.abs(ahead) / 1_000);
    return finding("clock-wrong", `The clock is ${seconds} s ${ahead > 0 ? "behind" : "ahead of"} other providers'; ${CORRECT}.`);
  }
  // Blocks do not come from the future.
  const behindMs = (blockTime ?? now) - now;
  if (ahead === undefined && behindMs > WRONG_MS) {
    return finding("clock-wrong", `The clock is at least ${Math.round(behindMs / 1_000)} s behind the chain's; ${CORRECT}.`);
  }
  const isKnown = ahead !== undefined || (blockTime !== undefined && Math.abs(behindMs) < BLOCK_FRESH_MS);
  if (isKnown) return finding("clock-ok", "The clock is right.");
  return finding("clock-unknown", "The clock could not be compared: no provider answered and the newest block is old; check it by hand.");
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
