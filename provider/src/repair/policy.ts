/** When a deal is repaired, and whether it pays. Pure; amounts in wei. */
import { type DealHeader, slotBytes } from "@ppio/core";

/** Slots that must live; with fewer the deal is repaired. `repairBelow` is the share of the spare slots, in percent. */
export function liveSlotsWanted({ k, n }: Pick<DealHeader, "k" | "n">, repairBelow: number): number {
  return k + Math.ceil(((n - k) * repairBelow) / 100);
}

export interface Gain {
  /** What the fund pays for the slots. */
  readonly premiumWei: bigint;
  readonly bondWei: bigint;
  readonly reservationSeconds: number;
  /** How long the repair takes, as far as one can know. */
  readonly expectedSeconds: number;
  /** Pay for the slot that the repairer keeps, over what is left of the deal; 0 when it keeps none. */
  readonly ownPayWei: bigint;
}

/** The premium and the pay, less what falls off the bond meanwhile. Gas is the operator's to weigh: `repairMinGainWei`. */
export function expectedGainWei({ premiumWei, bondWei, reservationSeconds, expectedSeconds, ownPayWei }: Gain): bigint {
  const seconds = BigInt(Math.ceil(Math.min(expectedSeconds, reservationSeconds)));
  return premiumWei + ownPayWei - (bondWei * seconds) / BigInt(Math.max(1, reservationSeconds));
}

/** Transactions, the beacon's round and talk, whatever the size. */
const OVERHEAD_SECONDS = 15;

/** Reading k slots and sending m, at the rate that repairs may have. */
export function expectedSeconds(header: DealHeader, slots: number, bytesPerSecond: number): number {
  return OVERHEAD_SECONDS + (Math.max(header.k, slots) * slotBytes(header)) / bytesPerSecond;
}
