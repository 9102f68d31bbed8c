/**
 * Random histories of the slot store on a disk that fails: several writers at once, power cut at any call, the store opened again and
 * held to what it had acknowledged. A run is its seed.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { createLogger } from "@ppio/daemon";
import { type ScrubPosition, type ScrubReport, type SlotMeta, SlotStore, scrubOnce } from "@ppio/provider";
import { type Draw, type Faults, FaultyDisk } from "./faulty-disk.ts";
import { makeSlot, pieces, type TestSlot } from "./slot.ts";

const HEADER = { k: 1, n: 2, cellBytes: 4096, lastCellBytes: 1152, rows: 2 };
const TOTAL = (HEADER.rows - 1) * HEADER.cellBytes + HEADER.lastCellBytes;
const WRITERS = 4;
const SLOTS_PER_WRITER = 2;
const STEPS_PER_WRITER = 16;
const CALLS_PER_LIFE_MAX = 400;
const DIR = "/slots";
const WRONG_ROOT = `0x${"00".repeat(32)}`;
const log = createLogger({ component: "chaos", write: () => undefined });

/** What the store owes: `maybe` between asking and the answer, and after a failure. */
interface Promised {
  readonly slot: TestSlot;
  isThere: "no" | "maybe" | "yes";
  isSealed: "no" | "maybe" | "yes";
}

export interface ChaosFigures {
  crashes: number;
  /** Slots that had been acknowledged when power failed. */
  acknowledged: number;
  calls: number;
  failedCalls: number;
  /** What scrubs found whole. */
  scrubbedBytes: number;
  /** Bits that were flipped, each found by a scrub. */
  rotten: number;
}

/** xorshift32. */
export function drawer(seed: number): Draw {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** Lives and dies `crashes` times. @throws when a promise was broken, with the seed */
export async function storeChaos(seed: number, crashes: number, figures: ChaosFigures): Promise<void> {
  const draw = drawer(seed);
  const faults: Faults = seed % 3 === 0 ? { failOneIn: 0, fullOneIn: 0 } : { failOneIn: 100, fullOneIn: 60 };
  const calm: Faults = { failOneIn: 0, fullOneIn: 0 };
  // Ids too: in their order slots are scrubbed, and by their place one is chosen to rot.
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => draw(256));
  const fresh = (index: number): Promised => ({ slot: makeSlot(HEADER, index % 2, bytes), isThere: "no", isSealed: "no" });
  const promises: Promised[] = Array.from({ length: WRITERS * SLOTS_PER_WRITER }, (_, index) => fresh(index));
  const chaos: Chaos = { figures, scrub: scrubber(), fresh };
  let disk = new FaultyDisk(draw, faults);
  try {
    for (let crash = 0; crash < crashes; crash += 1) {
      disk.failPowerAfter(draw(CALLS_PER_LIFE_MAX));
      await live(disk, promises, draw, chaos);
      figures.calls += disk.calls;
      figures.crashes += 1;
      figures.acknowledged += promises.filter(({ isSealed }) => isSealed === "yes").length;
      disk = disk.afterPowerCut(calm);
      await check(disk, promises, fresh);
      await rot(disk, draw, chaos);
      // What was found counts as durable only once it is flushed; power may fail again at once.
      disk = disk.afterPowerCut(faults);
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

interface Chaos {
  readonly figures: ChaosFigures;
  /** A slot that was never there. */
  readonly fresh: (index: number) => Promised;
  readonly scrub: (store: SlotStore, signal?: AbortSignal) => Promise<ScrubReport>;
}

/** Scrubs without a pause. Where they stand outlives every cut, as it may on a disk. */
function scrubber(): Chaos["scrub"] {
  let kept: unknown;
  const position: ScrubPosition = {
    load: async () => kept,
    save: async (now) => {
      kept = now;
    },
  };
  const never = new AbortController().signal;
  return (store, signal = never) => scrubOnce({ store, bytesPerSecond: 1, position, signal, log, wait: async () => undefined });
}

/** Passes over the store until the writers have ended: nothing rots here, so nothing may be called damaged. */
async function scrubWhile(store: SlotStore, disk: FaultyDisk, signal: AbortSignal, { figures, scrub }: Chaos): Promise<void> {
  while (!signal.aborted && !disk.isDown) {
    try {
      const { bytes, damagedCells } = await scrub(store, signal);
      figures.scrubbedBytes += bytes;
      if (damagedCells > 0) throw new BrokenPromise("a scrub found damage where there is none");
    } catch (error) {
      if (error instanceof BrokenPromise) throw error;
      figures.failedCalls += 1;
    }
    await nextTurn();
  }
}

/** Now and then a bit flips: a scrub finds that cell, tells of it once, and of nothing else. */
async function rot(disk: FaultyDisk, draw: Draw, { figures, scrub }: Chaos): Promise<void> {
  let told = 0;
  const onDamage = (): void => {
    told += 1;
  };
  const store = await SlotStore.open({ dir: DIR, capacityBytes: 1 << 20, log, files: disk, onDamage, now: () => 0 });
  const sealed = store.list().filter(({ state }) => state === "sealed");
  const victim = sealed[draw(4 * WRITERS * SLOTS_PER_WRITER)];
  const at = draw(TOTAL);
  if (victim !== undefined) disk.flipBit(`${DIR}/${victim.uploadId}/data`, at);
  const rottenRecord = await rotRecord(disk, draw, sealed[draw(2 * WRITERS * SLOTS_PER_WRITER)], victim);
  // To the end of the pass that the cut broke off, then over everything.
  await scrub(store);
  const { bytes, damagedCells } = await scrub(store);
  if (victim !== undefined) disk.flipBit(`${DIR}/${victim.uploadId}/data`, at);
  const rotten = victim === undefined ? 0 : at < HEADER.cellBytes ? HEADER.cellBytes : HEADER.lastCellBytes;
  if (bytes !== sealed.length * TOTAL - rotten) throw new BrokenPromise("a scrub passed over a cell");
  const expected = victim === undefined ? 0 : 1;
  await rottenRecord();
  if (damagedCells !== expected || told !== expected) throw new BrokenPromise(`a scrub told of ${damagedCells} cells, ${told} times`);
  figures.scrubbedBytes += bytes;
  figures.rotten += expected;
}

/** Flips a bit of a slot's tree or record. @returns what looks whether it is mended */
async function rotRecord(
  disk: FaultyDisk,
  draw: Draw,
  slot: SlotMeta | undefined,
  spared: SlotMeta | undefined,
): Promise<() => Promise<void>> {
  if (slot === undefined || slot === spared) return async () => undefined;
  const path = `${DIR}/${slot.uploadId}/${draw(2) === 0 ? "roots" : "meta.json"}`;
  const before = await disk.readFile(path);
  disk.flipBit(path, draw(before.length));
  return async () => {
    if (Buffer.compare(before, await disk.readFile(path)) !== 0) throw new BrokenPromise("a scrub left a rotten record");
  };
}

async function live(disk: FaultyDisk, promises: Promised[], draw: Draw, chaos: Chaos): Promise<void> {
  const { figures, fresh } = chaos;
  let store: SlotStore;
  try {
    store = await SlotStore.open({
      dir: DIR,
      capacityBytes: 1 << 20,
      log,
      files: disk,
      flushEveryBytes: 1,
      writeBatchBytes: HEADER.cellBytes,
      now: () => 0,
    });
  } catch {
    return;
  }
  const writer = async (first: number): Promise<void> => {
    for (let step = 0; step < STEPS_PER_WRITER && !disk.isDown; step += 1) {
      const index = first + draw(SLOTS_PER_WRITER);
      try {
        await act(store, promises, index, { draw, fresh });
      } catch (error) {
        if (error instanceof BrokenPromise) throw error;
        figures.failedCalls += 1;
      }
    }
  };
  const stop = new AbortController();
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, index) => writer(index * SLOTS_PER_WRITER)));
  await Promise.all([writing.finally(() => stop.abort()), scrubWhile(store, disk, stop.signal, chaos)]);
  if (store.usedBytes !== store.list().length * TOTAL) throw new BrokenPromise("used space drifted while the store ran");
}

class BrokenPromise extends Error {}

/** One step of a slot's life: whatever is next for it, or a read, or its deletion. */
async function act(
  store: SlotStore,
  promises: Promised[],
  index: number,
  { draw, fresh }: { readonly draw: Draw; readonly fresh: Chaos["fresh"] },
): Promise<void> {
  const promised = promises[index];
  if (promised === undefined) return;
  const { slot } = promised;
  const { uploadId } = slot.meta;
  const found = store.find(uploadId);
  if (found === undefined) {
    if (promised.isThere === "yes") throw new BrokenPromise("an acknowledged slot is not there");
    promised.isThere = "maybe";
    await store.create(slot.meta);
    promised.isThere = "yes";
    return;
  }
  const choice = draw(12);
  if (choice === 0) {
    promised.isThere = "maybe";
    promised.isSealed = promised.isSealed === "no" ? "no" : "maybe";
    await store.drop(uploadId);
    // The same salt never comes twice.
    promises[index] = fresh(index);
  } else if (found.meta.state === "sealed") {
    const isOwed = promised.isThere === "yes";
    const cell = await store.readCell(uploadId, draw(HEADER.rows)).catch((error) => {
      if (isOwed && (error as { code?: unknown }).code === "CORRUPT") throw new BrokenPromise("an acknowledged slot is damaged");
      throw error;
    });
    if (!Buffer.from(slot.data).includes(Buffer.from(cell))) throw new BrokenPromise("a read gave other bytes");
    if (choice === 1) await store.seal(uploadId, slot.root, draw(1_000));
  } else if (found.receivedBytes < TOTAL) {
    const end = Math.min(TOTAL, found.receivedBytes + 1 + draw(TOTAL));
    const steps = draw(2) === 0 ? { stepBytes: 500 + draw(4_000), onWritten: () => undefined } : undefined;
    await store.append(uploadId, found.receivedBytes, pieces(slot.data.subarray(found.receivedBytes, end), 700), steps);
  } else {
    promised.isSealed = "maybe";
    // An owner who is wrong about the root must harm nothing but this try.
    await store.seal(uploadId, draw(4) === 0 ? WRONG_ROOT : slot.root);
    promised.isSealed = "yes";
  }
}

/** After power is back: everything acknowledged, nothing else, and the books exact. */
async function check(disk: FaultyDisk, promises: Promised[], fresh: Chaos["fresh"]): Promise<void> {
  const store = await SlotStore.open({ dir: DIR, capacityBytes: 1 << 20, log, files: disk, flushEveryBytes: 1, now: () => 0 });
  const known = new Map(promises.map((promised) => [promised.slot.meta.uploadId, promised]));
  for (const { slot, isThere, isSealed } of promises) {
    const found = store.find(slot.meta.uploadId);
    if (found === undefined && isThere === "yes") throw new BrokenPromise("an acknowledged slot is lost");
    if (found !== undefined && isThere === "no") throw new BrokenPromise("a slot that was never asked for is there");
    if (isThere === "yes" && isSealed === "yes" && found?.meta.state !== "sealed") throw new BrokenPromise("a seal is lost");
    if (found?.meta.state === "sealed" && isSealed === "no") throw new BrokenPromise("a slot is sealed that was never finished");
    if (found?.meta.state !== "sealed") continue;
    const cells: Uint8Array[] = [];
    for (let row = 0; row < HEADER.rows; row += 1) cells.push(await store.readCell(slot.meta.uploadId, row));
    if (!Buffer.concat(cells).equals(slot.data)) throw new BrokenPromise("a slot came back with other bytes");
  }
  for (const { uploadId } of store.list()) if (!known.has(uploadId)) throw new BrokenPromise("a deleted slot came back");
  if (store.usedBytes !== store.list().length * TOTAL) throw new BrokenPromise("used space drifted");
  const names = await disk.list(DIR);
  if (names.length !== store.list().length) throw new BrokenPromise(`traces are left: ${names.join(" ")}`);
  for (const [index, promised] of promises.entries()) {
    const found = store.find(promised.slot.meta.uploadId);
    if (found === undefined) promises[index] = fresh(index);
    else {
      promised.isThere = "yes";
      // Found sealed after a cut: its bytes are on the disk, and its name too, or the cut would have taken it.
      promised.isSealed = found.meta.state === "sealed" ? "yes" : "no";
    }
  }
}
