/** Why providers are out, in a sentence of bearable length: those with the same reason are named together. */
import { PpioError } from "@ppio/core";

/** What an error says to the user; of a provider's answer only what it said itself. */
export function reasonOf(error: unknown): string {
  const said = error instanceof PpioError ? error.details["said"] : undefined;
  return typeof said === "string" ? said : error instanceof Error ? error.message : String(error);
}

/** `3, 7: does not answer; 9: is full`. */
export function describeReasons(reasons: Iterable<readonly [providerId: number, reason: string]>): string {
  const byReason = new Map<string, number[]>();
  for (const [providerId, reason] of reasons) {
    const text = reason.replace(/\.$/, "");
    byReason.set(text, [...(byReason.get(text) ?? []), providerId]);
  }
  return [...byReason].map(([text, ids]) => `${ids.sort((a, b) => a - b).join(", ")}: ${text}`).join("; ");
}
