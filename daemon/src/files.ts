/** Files that survive a crash: written aside, flushed, renamed, the folder flushed too. */
import { randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
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
