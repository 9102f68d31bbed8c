/** Slot and deal states of IStorageMarket, as the chain gives them. */
export const SLOT_FILLED = 1n;
export const SLOT_CLOSED = 3n;
export const SLOT_CHALLENGED = 4n;
export const DEAL_ACTIVE = 1n;

/** Somebody holds the slot. */
export function isHeld(status: bigint): boolean {
  return status === SLOT_FILLED || status === SLOT_CHALLENGED;
}
