/**
 * Ports for what a test stops and starts again. Those that the system gives away are somebody else's as soon as they are free; files that
 * mocha runs side by side have ranges of their own.
 */
import { freePorts, type PortRange } from "../../cli/src/devnet/chain.ts";

const RANGES = 8;
const [FIRST, LAST] = [10_000, 31_999];
const SIZE = Math.floor((LAST - FIRST + 1) / RANGES);

/** Of this worker of mocha's. */
export function ownPorts(worker = Number(process.env["MOCHA_WORKER_ID"] ?? 0)): PortRange {
  const first = FIRST + (worker % RANGES) * SIZE;
  return { first, last: first + SIZE - 1 };
}

/** One that is free now. @param kept of a process that is down and comes back to it */
export async function freePort(kept?: number): Promise<number> {
  const ports = await freePorts(2, ownPorts());
  return ports.find((port) => port !== kept) ?? 0;
}
