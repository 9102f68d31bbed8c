/** The user's account that pays for reads: put in, looked at, taken out. */
import { type AddressBook, type PayRecord, PpioError } from "@ppio/core";
import { type ChainContracts, connectContracts } from "@ppio/daemon/chain";
import { ensurePayAccount } from "@ppio/daemon/pay-account";
import type { Signer } from "ethers";
import type { Home } from "../home.ts";
import { askForAll, sendingAs } from "../sending.ts";
import { payStoreOf } from "./pay-store.ts";

export interface BandwidthDeposit {
  readonly home: Home;
  readonly book: AddressBook;
  /** Connected; pays, and owns the reserve. */
  readonly wallet: Signer & { readonly address: string };
  /** Added to the reserve. */
  readonly amountWei: bigint;
  /** To have at least. */
  readonly bondWei: bigint;
  readonly maxPricePerGibWei: bigint;
  readonly keySeconds?: number;
}

/** Adds to the reserve, lets a session key of this machine sign on it, and takes a withdrawal back. @throws NO_FUNDS, CHAIN_REVERT */
export async function depositBandwidth(options: BandwidthDeposit): Promise<void> {
  const { home, book, wallet, amountWei, maxPricePerGibWei, keySeconds } = options;
  const sender = sendingAs(wallet);
  const contracts = connectContracts(book, sender);
  const { escrow } = contracts;
  const before = await escrow.accountOf(wallet.address);
  await ensurePayAccount(
    {
      ...{ contracts, book, payer: wallet.address, store: payStoreOf(home, book), nowSeconds: () => Date.now() / 1000 },
      send: async (_id, call) => (await sender.sendTransaction(call)).wait(),
    },
    {
      // Payees that redeem just now must not make the deposit more.
      account: before,
      reserveWei: before.reserveWei + amountWei,
      bondWei: before.bondWei > options.bondWei ? before.bondWei : options.bondWei,
      maxPricePerGibWei,
      ...(keySeconds === undefined ? {} : { keySeconds }),
    },
  );
  if (before.ripeAt !== 0n) await (await escrow.cancelWithdrawal()).wait();
}

export interface PaidStream {
  readonly payee: string;
  readonly key: string;
  /** By this client's count. */
  readonly owedWei: bigint;
  /** No voucher says more. */
  readonly limitWei: bigint;
  readonly lostWei: bigint;
  readonly redeemedWei: bigint;
}

export interface BandwidthStatus {
  readonly payer: string;
  readonly reserveWei: bigint;
  readonly bondWei: bigint;
  /** What vouchers may still draw. */
  readonly openWei: bigint;
  /** The withdrawal asked for. */
  readonly requestedReserveWei: bigint;
  readonly requestedBondWei: bigint;
  /** Unix seconds; 0 without one. */
  readonly ripeAt: number;
  readonly overdrafts: number;
  /** Nothing without a session key on this machine. */
  readonly sessionKey: string | undefined;
  /** Unix seconds. */
  readonly keyExpiry: number;
  readonly maxPricePerGibWei: bigint;
  readonly streams: readonly PaidStream[];
}

export async function readBandwidthStatus(
  { escrow }: Pick<ChainContracts, "escrow">,
  payer: string,
  record: PayRecord | undefined,
): Promise<BandwidthStatus> {
  const streams = await Promise.all(
    (record?.streams ?? []).map(async ({ payee, key, owedWei, limitWei, lostWei }): Promise<PaidStream> => {
      return { payee, key, owedWei, limitWei, lostWei, redeemedWei: await escrow.redeemedOf(payer, payee, key) };
    }),
  );
  const account = await escrow.accountOf(payer);
  const key = record === undefined ? undefined : await escrow.keyOf(payer, record.key.address);
  return {
    payer,
    reserveWei: account.reserveWei,
    bondWei: account.bondWei,
    openWei: streams.reduce((sum, { limitWei, redeemedWei }) => sum + (limitWei > redeemedWei ? limitWei - redeemedWei : 0n), 0n),
    requestedReserveWei: account.requestedReserveWei,
    requestedBondWei: account.requestedBondWei,
    ripeAt: Number(account.ripeAt),
    overdrafts: Number(account.overdrafts),
    sessionKey: record?.key.address,
    keyExpiry: Number(key?.expiry ?? 0n),
    maxPricePerGibWei: record?.maxPricePerGibWei ?? 0n,
    streams,
  };
}

export interface BandwidthWithdrawal {
  readonly reserveWei: bigint;
  readonly bondWei: bigint;
  /** Unix seconds from which it can be taken; undefined once it was. */
  readonly ripeAt: number | undefined;
}

/**
 * Takes reserve and bond back, step by step, each found again on the chain: ends the session key, asks, and takes what is ripe.
 * @param contracts connected to the payer @throws NOT_FOUND when there is nothing
 */
export async function withdrawBandwidth(
  { escrow }: Pick<ChainContracts, "escrow">,
  payer: string,
  record: PayRecord | undefined,
  nowSeconds: number,
): Promise<BandwidthWithdrawal> {
  const { reserveWei, bondWei, ripeAt, requestedReserveWei, requestedBondWei } = await escrow.accountOf(payer);
  if (reserveWei + bondWei === 0n) throw new PpioError("NOT_FOUND", `${payer} has nothing in the escrow.`);
  const delaySeconds = await escrow.delaySeconds();
  const isAsked = ripeAt !== 0n && requestedReserveWei + requestedBondWei > 0n && BigInt(nowSeconds) <= ripeAt + delaySeconds;
  if (isAsked && BigInt(nowSeconds) < ripeAt) return { reserveWei: requestedReserveWei, bondWei: requestedBondWei, ripeAt: Number(ripeAt) };
  if (isAsked) {
    await (await escrow.completeWithdrawal(payer)).wait();
    const left = await escrow.accountOf(payer);
    return { reserveWei: reserveWei - left.reserveWei, bondWei: bondWei - left.bondWei, ripeAt: undefined };
  }
  // Vouchers of a key that has ended can be redeemed as long as the withdrawal waits, and no new ones are taken.
  if (record !== undefined && Number((await escrow.keyOf(payer, record.key.address)).expiry) > nowSeconds) {
    await (await escrow.revokeKey(record.key.address)).wait();
  }
  // Payees that redeem just then make it less.
  return askForAll(escrow.runner?.provider, "RequestTooLarge", async () => {
    const present = await escrow.accountOf(payer);
    await (await escrow.requestWithdrawal(present.reserveWei, present.bondWei)).wait();
    const asked = await escrow.accountOf(payer);
    return { reserveWei: present.reserveWei, bondWei: present.bondWei, ripeAt: Number(asked.ripeAt) };
  });
}
