/** This provider's own reservations: the bond, the call, what the chain says of them, and giving them up. */
import { isPpioError, PpioError } from "@ppio/core";
import { MaxUint256 } from "ethers";
import { askChain } from "../ask-chain.ts";
import type { RepairContext } from "./context.ts";
import type { DealSlot } from "./deal.ts";

const BPS = 10_000n;
const RESERVED = 5n;

export interface OwnReservation {
  readonly slotIndex: number;
  /** Unix seconds. */
  readonly openedAt: number;
  readonly until: number;
  /** Of the beacon, that decides the leaves. */
  readonly round: bigint;
  /** The slot is still reserved by it. */
  readonly isOpen: boolean;
}

export async function bondFor({ chain }: RepairContext, slots: readonly DealSlot[]): Promise<bigint> {
  const bps = await askChain(() => chain.repair.bondBps());
  return slots.reduce((sum, { collateralWei }) => sum + (collateralWei * bps) / BPS, 0n);
}

/** Has the bond at hand: tokens of the operator, bonds that came back first. @throws NO_FUNDS, CHAIN_UNREACHABLE */
async function fund(context: RepairContext, attempt: string, bondWei: bigint): Promise<void> {
  const { chain, operator, sender } = context;
  const { token, repair, book } = chain;
  const { address } = operator;
  const balance = (): Promise<bigint> => askChain(() => token.balanceOf(address));
  let heldWei = await balance();
  if (heldWei < bondWei && (await askChain(() => repair.creditOf(address))) > 0n) {
    await sender.send(`repair-credit/${attempt}`, { to: book.repair, data: repair.interface.encodeFunctionData("withdraw", [address]) });
    heldWei = await balance();
  }
  if (heldWei < bondWei) {
    throw new PpioError("NO_FUNDS", `A repair's bond is ${bondWei} wei and the operator ${address} holds ${heldWei}; send it some tokens.`);
  }
  await approveBonds(context);
}

/** Once, before the first repair, so that a vacancy need not wait for it. @throws CHAIN_UNREACHABLE */
export async function approveBonds({ chain, operator, sender }: RepairContext): Promise<void> {
  const { token, book } = chain;
  const [heldWei, allowedWei] = await askChain(() =>
    Promise.all([token.balanceOf(operator.address), token.allowance(operator.address, book.repair)]),
  );
  if (heldWei === 0n || allowedWei >= heldWei) return;
  const data = token.interface.encodeFunctionData("approve", [book.repair, MaxUint256]);
  await sender.send(`repair-approve/${allowedWei}`, { to: book.token, data });
}

/** @throws CHAIN_REVERT when another one was first, NO_FUNDS, CHAIN_UNREACHABLE */
export async function reserve(context: RepairContext, dealId: string, attempt: string, slots: readonly DealSlot[]): Promise<void> {
  const { chain, sender } = context;
  await fund(context, attempt, await bondFor(context, slots));
  const data = chain.repair.interface.encodeFunctionData("reserve", [dealId, slots.map(({ slotIndex }) => slotIndex)]);
  await sender.send(`repair-reserve/${attempt}`, { to: chain.book.repair, data });
}

/**
 * This provider's, open or not: the owner may have refilled the slot over it, and the bond is still there. Undefined when there is none.
 * @throws CHAIN_UNREACHABLE
 */
export async function ownReservation(
  { chain, operator }: RepairContext,
  dealId: string,
  slotIndex: number,
): Promise<OwnReservation | undefined> {
  const found = await askChain(() => chain.repair.reservationOf(dealId, slotIndex));
  if (found.repairer !== operator.address) return undefined;
  const { status } = await askChain(() => chain.market.slot(dealId, slotIndex));
  const { openedAt, until, round } = found;
  return { slotIndex, openedAt: Number(openedAt), until: Number(until), round, isOpen: status === RESERVED };
}

/** Whether a reserved slot may be taken over: its reservation has run out. @throws CHAIN_UNREACHABLE */
export async function hasRunOut({ chain }: RepairContext, dealId: string, slotIndex: number, nowSeconds: number): Promise<boolean> {
  const { until } = await askChain(() => chain.repair.reservationOf(dealId, slotIndex));
  return Number(until) < nowSeconds;
}

/** Gives the rest of the bond back, and the slot to others. */
export async function release(context: RepairContext, dealId: string, { slotIndex, openedAt }: OwnReservation): Promise<void> {
  const { chain, sender, log } = context;
  const data = chain.repair.interface.encodeFunctionData("release", [dealId, slotIndex]);
  try {
    await sender.send(`repair-release/${dealId}/${slotIndex}/${openedAt}`, { to: chain.book.repair, data });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT")) throw error;
    log.debug("a reservation was over already", { dealId, slotIndex, error });
  }
}
