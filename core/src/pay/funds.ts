/** What the chain says of a payer's account, as far as its vouchers can count on it. */
import type { IBandwidthEscrow } from "../interfaces.ts";

/** Of a payer's bond, this is what deters (the part that is burnt). */
const BURNT_PARTS = 2n;
const BOND_PARTS = 3n;
/** Payees that a payer may owe at the same time, as a payee estimates it: n of a large deal. */
export const PAYEES_ESTIMATE = 16n;

/** The most that may be open with one payee, for the bond to deter an overdraft (docs/protocol/vouchers.md, "Overdraft"). */
export function openMaxForBond(bondWei: bigint): bigint {
  return (bondWei * BURNT_PARTS) / BOND_PARTS / PAYEES_ESTIMATE;
}

/** `IBandwidthEscrow.Promise`. */
export interface PayPromise {
  readonly payableWei: bigint;
  readonly capLeftWei: bigint;
  readonly redeemedWei: bigint;
  readonly bondWei: bigint;
  /** Unix seconds; 0 for a key that was never authorised. */
  readonly serveUntil: number;
}

export interface PayFunds {
  /** Reserve that is not asked back, and what these streams were paid out of it: all that their vouchers may say in sum. */
  spendableWei(payer: string, streams: readonly { readonly key: string; readonly payee: string }[]): Promise<bigint>;
  promiseOf(payer: string, payee: string, key: string): Promise<PayPromise>;
}

export function createPayFunds(escrow: IBandwidthEscrow): PayFunds {
  return {
    async spendableWei(payer, streams) {
      // What is redeemed in between is counted once too little, never twice.
      const redeemed = await Promise.all(streams.map(({ key, payee }) => escrow.redeemedOf(payer, payee, key)));
      const { reserveWei, requestedReserveWei } = await escrow.accountOf(payer);
      const freeWei = reserveWei > requestedReserveWei ? reserveWei - requestedReserveWei : 0n;
      return redeemed.reduce((sum, wei) => sum + wei, freeWei);
    },
    async promiseOf(payer, payee, key) {
      const { payableWei, capLeftWei, redeemedWei, bondWei, serveUntil } = await escrow.promiseOf(payer, payee, key);
      return { payableWei, capLeftWei, redeemedWei, bondWei, serveUntil: Number(serveUntil) };
    },
  };
}
