/** Where a rebuilt slot goes: this provider's own store, or another provider. */
import type { LeafProof, SlotOffer } from "@ppio/core";
import type { DealSlot } from "./deal.ts";

/** From when and for how long the offer binds: up to the deal's end. */
export interface RefillDates {
  readonly startBy: number;
  readonly periods: number;
}

export interface Target {
  readonly slot: DealSlot;
  readonly providerId: number;
  /** Begins, or finds what was begun. Resolves to the bytes that are there. */
  open(signal: AbortSignal): Promise<number>;
  /** Takes the slot's bytes from `offset` on; those that are there already are left out. */
  put(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** The signed offer, once all bytes are there and have the slot's root. */
  finish(dates: RefillDates, signal: AbortSignal): Promise<SlotOffer>;
  /** Shows a leaf of the slot. */
  leafProof(leafIndex: number, signal: AbortSignal): Promise<LeafProof>;
  /** Forgets what nobody will need; failures do not matter. */
  drop(): Promise<void>;
}
