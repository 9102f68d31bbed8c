/**
 * `SlotFilled` (contracts/interfaces/IStorageMarket.sol) of one provider, taken from the words of the node's answer: a start reads one for
 * every slot that is held, and ethers makes some tens of objects of each, which cost more than the rest of the start.
 */
import { PpioError } from "@ppio/core";
import type { ChainConnection } from "@ppio/daemon";
import { toBeHex, toQuantity } from "ethers";
import type { Interval } from "./line-columns.ts";

const WORD_DIGITS = 64;
/** Words of the data: root, payGwei, collateralGwei, startGwei, fromPeriod. */
const DATA_WORDS = 5;
const [PAY, START] = [1, 3];

/** As the node writes it. */
interface RawLog {
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly logIndex: string;
}

export interface FilledLog {
  readonly blockNumber: number;
  /** In its block. */
  readonly index: number;
  readonly interval: Interval;
}

/** Of the blocks [from, to]. @throws BAD_FORMAT, and what the node's refusal or absence throws */
export async function filledLogs(
  { rpc, book, market }: Pick<ChainConnection, "rpc" | "book" | "market">,
  providerId: number,
  from: number,
  to: number,
): Promise<FilledLog[]> {
  const { topicHash } = market.interface.getEvent("SlotFilled");
  const topics = [topicHash, null, null, toBeHex(providerId, 32)];
  const filter = { address: book.market, topics, fromBlock: toQuantity(from), toBlock: toQuantity(to) };
  const logs: readonly RawLog[] = await rpc.send("eth_getLogs", [filter]);
  return logs.map(read);
}

function read({ topics, data, blockNumber, logIndex }: RawLog): FilledLog {
  const [, dealId, slotIndex] = topics;
  if (dealId === undefined || slotIndex === undefined || data.length !== 2 + DATA_WORDS * WORD_DIGITS) {
    throw new PpioError("BAD_FORMAT", "The RPC node gives an event of another form than the market's; use another RPC address.");
  }
  const startGwei = wordOf(data, START);
  const interval = { dealId: dealId.toLowerCase(), slotIndex: Number(slotIndex), startGwei, endGwei: startGwei + wordOf(data, PAY) };
  return { blockNumber: Number(blockNumber), index: Number(logIndex), interval };
}

function wordOf(data: string, at: number): bigint {
  const from = 2 + at * WORD_DIGITS;
  return BigInt(`0x${data.slice(from, from + WORD_DIGITS)}`);
}
