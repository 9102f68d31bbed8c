/** In which order the slots of a deal are asked, by what this client has seen of their providers. */
import type { SlotSource } from "../chain/deal-view.ts";
import { medianOf } from "../providers/rank.ts";
import { isHeld, type ServiceRecord } from "../providers/service-record.ts";

export interface Liking {
  /** Slots whose provider is there and was fast come first; one that is gone may still answer. */
  readonly slots: readonly number[];
  /** Slots of providers that lied, stalled or vanished lately: asked when nobody else is left. One that refused an upload may well serve. */
  readonly lastResort: ReadonlySet<number>;
}

export function likingOf(slots: readonly SlotSource[], recordOf: (providerId: number) => ServiceRecord | undefined, nowMs: number): Liking {
  const speedOf = ({ provider }: SlotSource): number | undefined => recordOf(provider.providerId)?.readBytesPerSecond;
  const usual = medianOf(slots.map(speedOf)) ?? 0;
  const isGone = ({ status, provider }: SlotSource): number => (status === "Filled" && !provider.evicted ? 0 : 1);
  const ordered = [...slots].sort(
    (a, b) => isGone(a) - isGone(b) || (speedOf(b) ?? usual) - (speedOf(a) ?? usual) || a.slotIndex - b.slotIndex,
  );
  const isOut = (record: ServiceRecord | undefined): boolean => isHeld(record, nowMs) && record?.failure?.kind !== "refused";
  return {
    slots: ordered.map(({ slotIndex }) => slotIndex),
    lastResort: new Set(slots.filter(({ provider }) => isOut(recordOf(provider.providerId))).map(({ slotIndex }) => slotIndex)),
  };
}
