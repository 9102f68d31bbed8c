/**
 * A payer's account in the escrow: topped up from the payer's own tokens, with a session key that is known on the chain. The key is on the
 * disk before the chain knows it; whatever was interrupted is gone on with.
 */
import { type AddressBook, explainRevert, type PayKey, type PayRecord, type PayStore, PpioError, type StoredStream } from "@ppio/core";
import { MaxUint256, Wallet } from "ethers";
import type { ChainContracts } from "./chain.ts";
import type { TxCall } from "./tx-sender.ts";

/** A key is renewed when less than this share of its life is left. */
const RENEW_SHARE = 8;
const SECONDS_MAX = 366 * 86_400 - 3_600;
export const KEY_SECONDS_DEFAULT = 90 * 86_400;

export interface PayAccountOptions {
  readonly contracts: Pick<ChainContracts, "token" | "escrow">;
  readonly book: AddressBook;
  readonly payer: string;
  readonly store: PayStore;
  /** Sends a call of the payer once for an id, and waits until it is mined. */
  readonly send: (id: string, call: TxCall) => Promise<unknown>;
  /** Unix seconds. */
  readonly nowSeconds: () => number;
}

export interface PayAccountTerms {
  /** What reserve and bond are topped up to. */
  readonly reserveWei: bigint;
  readonly bondWei: bigint;
  /** While the reserve holds so much it is left alone; all of `reserveWei` without this. */
  readonly reserveLeastWei?: bigint;
  readonly maxPricePerGibWei: bigint;
  readonly keySeconds?: number;
  /** What `reserveWei` and `bondWei` were reckoned from; the account as it is now without this. */
  readonly account?: { readonly reserveWei: bigint; readonly bondWei: bigint };
}

/** @throws NO_FUNDS when the payer's tokens do not suffice, CHAIN_REVERT, CHAIN_UNREACHABLE */
export async function ensurePayAccount(options: PayAccountOptions, terms: PayAccountTerms): Promise<PayRecord> {
  await topUp(options, terms);
  const record = await ensureKey(options, terms);
  if (record.maxPricePerGibWei === terms.maxPricePerGibWei) return record;
  return options.store.change((known) => ({ ...(known ?? record), maxPricePerGibWei: terms.maxPricePerGibWei }));
}

async function topUp({ contracts, book, payer, send }: PayAccountOptions, terms: PayAccountTerms): Promise<void> {
  const { token, escrow } = contracts;
  const account = terms.account ?? (await escrow.accountOf(payer));
  const isLow = account.reserveWei < (terms.reserveLeastWei ?? terms.reserveWei);
  const reserveWei = isLow ? above(terms.reserveWei, account.reserveWei) : 0n;
  const bondWei = above(terms.bondWei, account.bondWei);
  const sumWei = reserveWei + bondWei;
  if (sumWei === 0n) return;
  const heldWei = await token.balanceOf(payer);
  if (heldWei < sumWei) {
    throw new PpioError(
      "NO_FUNDS",
      `${payer} holds ${heldWei} wei of tokens and ${sumWei} are to be put into the escrow; send it tokens first.`,
    );
  }
  // The same place again means that nothing was spent since: then it is the same deposit.
  const place = `${account.reserveWei}/${account.bondWei}/${heldWei}/${sumWei}`;
  if ((await token.allowance(payer, book.escrow)) < sumWei) {
    const data = token.interface.encodeFunctionData("approve", [book.escrow, MaxUint256]);
    await send(`pay-approve/${place}`, { to: book.token, data });
  }
  const data = escrow.interface.encodeFunctionData("deposit", [payer, reserveWei, bondWei]);
  await send(`pay-deposit/${place}`, { to: book.escrow, data });
}

async function ensureKey(options: PayAccountOptions, terms: PayAccountTerms): Promise<PayRecord> {
  const { contracts, book, payer, store, send, nowSeconds } = options;
  const { escrow } = contracts;
  const keySeconds = Math.min(terms.keySeconds ?? KEY_SECONDS_DEFAULT, SECONDS_MAX);
  const known = await store.read();
  if (known !== undefined && known.payer !== payer) {
    throw new PpioError("CONFIG", `The account that pays for reads belongs to ${known.payer}, not to ${payer}; move its folder away.`);
  }
  const onChain = known === undefined ? undefined : await escrow.keyOf(payer, known.key.address);
  const isLive = onChain !== undefined && Number(onChain.expiry) > nowSeconds() + keySeconds / RENEW_SHARE;
  if (known !== undefined && isLive) return known;
  const isUnknown = onChain !== undefined && onChain.capPerPayeeWei === 0n;
  const isUsable = isUnknown && (known?.key.expiry ?? 0) > nowSeconds() + keySeconds / RENEW_SHARE;
  const record = known !== undefined && isUsable ? known : await newKey(options, terms, keySeconds);
  const { address, expiry } = record.key;
  const noBudget = await escrow.NO_BUDGET();
  // A payee can get what the account holds; what the account holds is the bound.
  const data = escrow.interface.encodeFunctionData("authorizeKey", [address, noBudget, noBudget, expiry]);
  try {
    await send(`pay-key/${address}`, { to: book.escrow, data });
  } catch (error) {
    // Another command of this payer was faster with the same key; what the node knows of the coming block it may not show yet.
    const isThere = explainRevert(error)?.details["contractError"] === "KeyExists";
    if (!isThere && (await escrow.keyOf(payer, address)).expiry !== BigInt(expiry)) throw error;
  }
  return record;
}

async function newKey(options: PayAccountOptions, terms: PayAccountTerms, keySeconds: number): Promise<PayRecord> {
  const { contracts, payer, store, nowSeconds } = options;
  const wallet = Wallet.createRandom();
  const key: PayKey = { privateKey: wallet.privateKey, address: wallet.address, expiry: Math.floor(nowSeconds()) + keySeconds };
  const before = (await store.read())?.streams ?? [];
  const keys = [...new Set(before.map((stream) => stream.key))];
  const until = new Map(
    await Promise.all(keys.map(async (of) => [of, (await contracts.escrow.keyOf(payer, of)).redeemableUntil] as const)),
  );
  const isOpen = ({ key: of }: StoredStream): boolean => Number(until.get(of) ?? 0n) >= nowSeconds();
  return store.change((known) => ({
    ...{ payer, key, maxPricePerGibWei: terms.maxPricePerGibWei },
    streams: (known?.streams ?? []).filter(isOpen),
  }));
}

function above(wantedWei: bigint, presentWei: bigint): bigint {
  return wantedWei > presentWei ? wantedWei - presentWei : 0n;
}
