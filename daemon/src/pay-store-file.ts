/** A payer's record as a file in a folder of its own, for its user alone: replaced as a whole, one process after the other. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { decodePayRecord, encodePayRecord, type PayRecord, type PayStore, PpioError } from "@ppio/core";
import { atomicWriteFile, readJsonFile } from "./files.ts";
import { waitForLock } from "./lock.ts";

/** @param dir one per network: a record belongs to one escrow */
export function createFilePayStore(dir: string): PayStore {
  const path = join(dir, "account.json");
  const read = async (): Promise<PayRecord | undefined> => {
    const value = await readJsonFile<unknown>(path);
    const record = value === undefined ? undefined : decodePayRecord(value);
    if (value !== undefined && record === undefined) {
      throw new PpioError("CONFIG", `${path} is no account that pays for reads; restore it, or move it away and deposit again.`);
    }
    return record;
  };
  return {
    read,
    async change(change) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const lock = await waitForLock(dir);
      try {
        const record = change(await read());
        await atomicWriteFile(path, encodePayRecord(record), { mode: 0o600 });
        return record;
      } finally {
        await lock.release();
      }
    },
  };
}
