/** One process per folder, also after crashes. */
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isPpioError, PpioError } from "@ppio/core";
import { diskError, isErrno, readIfThere } from "./files.ts";
import { pause } from "./lifecycle.ts";
import { isAlive, startTimeOf } from "./processes.ts";

const LOCK_TRIES_MAX = 4;

export interface Lock {
  release(): Promise<void>;
}

/** Folders that this very process holds. */
const heldHere = new Set<string>();

/**
 * One process per folder. A lock whose process has died is taken over; a process is told by its id, its start and the machine's, since
 * ids come again (in a container after every restart). Processes that cannot see each other (containers that share a volume) are not
 * told apart: do not let them share a folder.
 * @throws CONFLICT
 */
export async function acquireLock(folder: string): Promise<Lock> {
  const held = resolve(folder);
  if (heldHere.has(held)) throw inUse(folder, String(process.pid));
  heldHere.add(held);
  try {
    const release = await lockOnDisk(folder);
    return {
      release: async () => {
        await release();
        heldHere.delete(held);
      },
    };
  } catch (cause) {
    heldHere.delete(held);
    throw diskError(cause, folder);
  }
}

function inUse(folder: string, holder: string): PpioError {
  return new PpioError("CONFLICT", `${folder} is in use by process ${holder}; stop it first or choose another folder.`, { retry: "later" });
}

async function lockOnDisk(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "lock");
  const aside = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  const mine = await describeProcess(process.pid);
  try {
    await mkdir(folder, { recursive: true });
    // Written aside and linked, so that nobody ever sees a lock without its holder's name.
    await writeFile(aside, mine, { flag: "wx" });
    for (let attempt = 0; attempt < LOCK_TRIES_MAX; attempt += 1) {
      if (await linkIfFree(aside, path)) return () => releaseLock(path, mine);
      await takeOver(folder, path, `${aside}.old`);
    }
  } finally {
    await rm(aside, { force: true }).catch(() => undefined);
  }
  throw new PpioError("CONFLICT", `${folder} is being opened by another process; try again.`, { retry: "later" });
}

async function linkIfFree(aside: string, path: string): Promise<boolean> {
  try {
    await link(aside, path);
    return true;
  } catch (cause) {
    if (isErrno(cause, "EEXIST")) return false;
    throw cause;
  }
}

/** Removes the lock of a dead process; moved aside first, so that of two who try only one removes it. @throws CONFLICT */
async function takeOver(folder: string, path: string, aside: string): Promise<void> {
  const before = await readTextIfThere(path);
  if (before === undefined) return;
  if (await isHeld(before)) throw inUse(folder, pidOf(before));
  try {
    await rename(path, aside);
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return;
    throw cause;
  }
  const moved = await readTextIfThere(aside);
  if (moved !== undefined && moved !== before && (await isHeld(moved))) {
    // Another one took over in between: its lock goes back where it was.
    await linkIfFree(aside, path);
    await rm(aside, { force: true });
    throw inUse(folder, pidOf(moved));
  }
  await rm(aside, { force: true });
}

async function releaseLock(path: string, mine: string): Promise<void> {
  if ((await readTextIfThere(path)) === mine) await rm(path, { force: true });
}

async function readTextIfThere(path: string): Promise<string | undefined> {
  const bytes = await readIfThere(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function pidOf(holder: string): string {
  return holder.split(" ")[0] ?? "";
}

async function isHeld(holder: string): Promise<boolean> {
  const pid = Number(pidOf(holder));
  if (!(await isAlive(pid))) return false;
  const now = await describeProcess(pid);
  // Where the system does not tell a process' start, its id alone decides.
  return now === holder || !now.includes(" ") || !holder.includes(" ");
}

/** "id start boot"; the id alone where there is no /proc. */
async function describeProcess(pid: number): Promise<string> {
  const start = await startTimeOf(pid);
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return start === "" || boot === "" ? String(pid) : `${pid} ${start} ${boot.trim()}`;
}

const WAITS_MAX = 100;
const WAIT_MS = 50;

/** For what is held for a moment only. @throws CONFLICT when it is not */
export async function waitForLock(folder: string): Promise<Lock> {
  const never = new AbortController().signal;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await acquireLock(folder);
    } catch (error) {
      if (!isPpioError(error, "CONFLICT") || attempt >= WAITS_MAX) throw error;
      await pause(WAIT_MS, never);
    }
  }
}
