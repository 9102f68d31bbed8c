/**
 * A chain that stood still for more than half of the time in which a period could be proven: nobody is to blame for missing it. Whoever is
 * about to report a miss looks for such a halt first and shows it (IPossessionProofs.voidHaltedPeriod).
 */
import { isPpioError } from "@ppio/core";
import type { ChainConnection } from "@ppio/daemon";
import { type BlockHeader, readHeader } from "../chain/block-headers.ts";
import type { OracleContext } from "../context.ts";

/** Blocks whose hashes a contract can look up (EIP-2935). */
const HISTORY_BLOCKS = 8_191;

export interface Halt {
  readonly parent: BlockHeader;
  readonly child: BlockHeader;
}

/** The two blocks around the middle of the time to prove `period`, when they leave out more than half of it. */
export async function findHalt({ rpc, proofs }: ChainConnection, period: number): Promise<Halt | undefined> {
  const [, open] = (await proofs.periodBounds(period)).map(Number) as [number, number];
  const seconds = Number(await proofs.periodSeconds());
  const close = open + seconds;
  // A gap of more than half of the time has the middle in it.
  const parent = await lastBlockUntil(rpc, open + Math.floor(seconds / 2));
  const child = parent === undefined ? undefined : await readHeader(rpc, parent.number + 1);
  if (parent === undefined || child === undefined) return undefined;
  const stillSeconds = Math.min(child.timestamp, close) - Math.max(parent.timestamp, open);
  return stillSeconds > Math.floor(seconds / 2) ? { parent, child } : undefined;
}

/** The newest block of the chain's readable history at or before a time, by halving. */
async function lastBlockUntil(rpc: ChainConnection["rpc"], timestamp: number): Promise<BlockHeader | undefined> {
  const latest = await rpc.getBlockNumber();
  let from = Math.max(0, latest - HISTORY_BLOCKS + 2);
  let until = latest;
  let found: BlockHeader | undefined;
  while (from <= until) {
    const middle = Math.floor((from + until) / 2);
    const header = await readHeader(rpc, middle);
    if (header !== undefined && header.timestamp <= timestamp) {
      found = header;
      from = middle + 1;
    } else until = middle - 1;
  }
  return found;
}

/** Shows a halt. A period that anybody voided already costs only the estimate. */
export async function showHalt(context: OracleContext, period: number, { parent, child }: Halt): Promise<void> {
  const { chain, sender, metrics, log } = context;
  if (parent.rlp === undefined || child.rlp === undefined) {
    log.warn("the chain stood still, but its headers are not understood; its misses are not reported", { period, block: parent.number });
    return;
  }
  const data = chain.proofs.interface.encodeFunctionData("voidHaltedPeriod", [period, parent.rlp, child.rlp]);
  try {
    await sender.send(`void-halted/${period}`, { to: chain.book.proofs, data });
    metrics.add("ppio_periods_voided_total", 1);
    log.info("period voided: the chain stood still", { period, block: parent.number });
  } catch (error) {
    if (!isPpioError(error, "CHAIN_REVERT") && !isPpioError(error, "CONFLICT")) throw error;
    log.debug("a halt was not accepted", { period, error });
  }
}
