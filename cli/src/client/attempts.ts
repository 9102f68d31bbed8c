/** Attempts of puts on this machine's disk: a folder for each, with its record, the marks of its rows and a lock. */
import { type FileHandle, open, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type AttemptStore, MARK_BYTES, type StoredAttempt } from "@ppio/client";
import { isPpioError } from "@ppio/core";
import { atomicWriteFile, diskError, isErrno, readIfThere, syncFolder } from "@ppio/daemon/files";
import { acquireLock, type Lock } from "@ppio/daemon/lock";

export function createFileAttemptStore(dir: string): AttemptStore {
  return {
    async open(id) {
      const folder = join(dir, id);
      const lock = await lockUnlessTaken(folder);
      if (lock === undefined) return undefined;
      try {
        return await openAttempt(folder, lock);
      } catch (cause) {
        await lock.release();
        throw diskError(cause, folder);
      }
    },
  };
}

/** Nothing while another put of the same object runs; that one's end may take the folder away at this moment. */
async function lockUnlessTaken(folder: string): Promise<Lock | undefined> {
  try {
    return await acquireLock(folder);
  } catch (error) {
    if (isPpioError(error, "CONFLICT") || (error instanceof Error && isErrno(error.cause, "ENOENT"))) return undefined;
    throw error;
  }
}

async function openAttempt(folder: string, lock: Lock): Promise<StoredAttempt> {
  const recordPath = join(folder, "record");
  const marksPath = join(folder, "marks");
  let marksFile: FileHandle | undefined;

  const openMarks = async (): Promise<FileHandle> => {
    const handle = await open(marksPath, "a", 0o600);
    await syncFolder(folder);
    await syncFolder(dirname(folder));
    return handle;
  };

  return {
    record: await readIfThere(recordPath),
    marks: await readWholeMarks(marksPath),
    save: (record) => atomicWriteFile(recordPath, record, { mode: 0o600 }),
    async clear() {
      await marksFile?.close();
      marksFile = undefined;
      await rm(marksPath, { force: true });
      await syncFolder(folder);
    },
    async append(marks) {
      try {
        marksFile ??= await openMarks();
        await marksFile.appendFile(marks);
        await marksFile.datasync();
      } catch (cause) {
        throw diskError(cause, marksPath);
      }
    },
    async done() {
      await marksFile?.close();
      marksFile = undefined;
      await rm(recordPath, { force: true });
      await rm(marksPath, { force: true });
    },
    async close() {
      await marksFile?.close();
      marksFile = undefined;
      await lock.release();
      // One that is over leaves nothing behind; others have files in their folder.
      await rmdir(folder).catch(() => undefined);
    },
  };
}

/** Cuts off what a crash has left of the last mark. */
async function readWholeMarks(path: string): Promise<Uint8Array> {
  const bytes = (await readIfThere(path)) ?? new Uint8Array();
  const torn = bytes.length % MARK_BYTES;
  if (torn === 0) return bytes;
  const handle = await open(path, "r+");
  try {
    await handle.truncate(bytes.length - torn);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return bytes.subarray(0, bytes.length - torn);
}
