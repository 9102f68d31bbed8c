/**
 * A slot's state (`IStorageMarket.slot`), taken from the words of the node's answer: housekeeping asks for hundreds a minute, and that was
 * most of what a provider does that nobody asks for anything.
 */
import { PpioError } from "@ppio/core";
import type { ChainConnection } from "@ppio/daemon";

const WORD_DIGITS = 64;
/** Of `IStorageMarket.Slot`, and where in it. */
const WORDS = 10;
const AT = { providerId: 1, settledTo: 7, liveUntil: 8, status: 9 } as const;

export interface SlotState {
  readonly providerId: number;
  /** Periods. */
  readonly settledTo: number;
  readonly liveUntil: number;
  readonly status: bigint;
}

/** @throws BAD_FORMAT, and what the node's refusal or absence throws */
export async function readSlot(
  { rpc, book, market }: Pick<ChainConnection, "rpc" | "book" | "market">,
  dealId: string,
  slotIndex: number,
): Promise<SlotState> {
  const { selector } = market.interface.getFunction("slot");
  const data = `${selector}${dealId.slice(2)}${slotIndex.toString(16).padStart(WORD_DIGITS, "0")}`;
  const answer: string = await rpc.send("eth_call", [{ to: book.market, data }, "latest"]);
  if (answer.length !== 2 + WORDS * WORD_DIGITS) {
    throw new PpioError("BAD_FORMAT", "The RPC node gives a slot of another form than the market's; use another RPC address.");
  }
  const word = (at: number): string => `0x${answer.slice(2 + at * WORD_DIGITS, 2 + (at + 1) * WORD_DIGITS)}`;
  return {
    providerId: Number(word(AT.providerId)),
    settledTo: Number(word(AT.settledTo)),
    liveUntil: Number(word(AT.liveUntil)),
    status: BigInt(word(AT.status)),
  };
}
