/** Files that survive a crash: written aside, flushed, renamed, the folder flushed too. */
import { randomBytes } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { PpioError } from "@ppio/core";

const LOCK_TRIES_MAX = 4;

export interface AtomicWriteOptions {
  readonly mode?: number;
}

/** Replaces `path` as a whole, durably. @throws NO_SPACE, IO */
export async function atomicWriteFile(path: string, data: string | Uint8Array, options: AtomicWriteOptions = {}): Promise<void> {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const handle = await open(aside, "wx", options.mode ?? 0o644);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    // What failed first counts; a leftover goes at the next start.
    await rm(aside, { force: true }).catch(() => undefined);
    throw diskError(cause, path);
  }
}

/** Clears a folder of what interrupted writes left behind. Only while the folder's lock is held. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (/\.\d+\.[0-9a-f]{8}\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
}

/** Makes renames and new names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A file's bytes; undefined when there is none. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Parses a JSON file; undefined when there is none. @throws CONFIG when it is damaged */
export async function readJsonFile<T>(path: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return undefined;
    throw diskError(cause, path);
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new PpioError("CONFIG", `${path} is not JSON; restore it or move it away.`, { cause });
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/** A disk's complaint in the family's terms. */
export function diskError(cause: unknown, path: string): PpioError {
  if (cause instanceof PpioError) return cause;
  if (isErrno(cause, "ENOSPC") || isErrno(cause, "EDQUOT")) {
    return new PpioError("NO_SPACE", `There is no space left for ${path}; free some and repeat.`, { cause });
  }
  return new PpioError("IO", `${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

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
  if (!isAlive(pid)) return false;
  const now = await describeProcess(pid);
  // Where the system does not tell a process' start, its id alone decides.
  return now === holder || !now.includes(" ") || !holder.includes(" ");
}

/** "id start boot"; the id alone where there is no /proc. */
async function describeProcess(pid: number): Promise<string> {
  try {
    const [stat, boot] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8"), readFile("/proc/sys/kernel/random/boot_id", "utf8")]);
    // The name, in brackets, may hold blanks; the start is the 22nd field, the 20th after it.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return start === undefined ? String(pid) : `${pid} ${start} ${boot.trim()}`;
  } catch {
    return String(pid);
  }
}

/** Whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, "EPERM");
  }
}
