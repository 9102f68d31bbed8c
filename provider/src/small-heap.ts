/**
 * A heap that stays near what lives in it. V8 lets garbage grow to a multiple of that before it collects, and a provider runs for months beside
 * others: after reading a long line two thirds of its memory were garbage (docs/memory.md).
 */
import { setFlagsFromString } from "node:v8";

/** The old generation is collected once it has grown by so much since the last time. */
const GROWTH_PERCENT = 20;

/** For the whole process, from now on. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}

/** Gives back what a long piece of work left, once: the system's allocator keeps it otherwise until V8 happens to collect everything. */
export async function collectGarbage(): Promise<void> {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connect();
  try {
    await session.post("HeapProfiler.collectGarbage");
  } finally {
    session.disconnect();
  }
}
