/** Files that survive a crash: written aside, flushed, renamed, the folder flushed too. */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PpioError } from "@ppio/core";

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
    await rm(aside, { force: true });
    throw diskError(cause, path);
  }
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

/** One process per folder. A lock whose process has died is taken over. @throws CONFLICT */
export async function acquireLock(folder: string): Promise<Lock> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "lock");
  for (let attempt = 0; attempt < 2; attempt += 1) {
    let handle: FileHandle;
    try {
      handle = await open(path, "wx");
    } catch (cause) {
      if (!isErrno(cause, "EEXIST")) throw diskError(cause, path);
      const holder = Number(await readFile(path, "utf8").catch(() => ""));
      if (isAlive(holder)) {
        throw new PpioError("CONFLICT", `${folder} is in use by process ${holder}; stop it first or choose another folder.`, {
          retry: "later",
        });
      }
      await rm(path, { force: true });
      continue;
    }
    await handle.writeFile(String(process.pid));
    await handle.close();
    return { release: () => rm(path, { force: true }) };
  }
  throw new PpioError("CONFLICT", `${folder} is being opened by another process; try again.`);
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
