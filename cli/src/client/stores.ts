/** The library's stores on this machine's disk: bucket heads, moved by compare-and-swap, what reading deals takes, the journal of puts, proofs of lies, how providers served. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DealStore, HeadStore, JournalRecord, Lie, LieStore, PutJournal, ServiceStore } from "@ppio/client";
import { type AddressBook, equalBytes, PpioError } from "@ppio/core";
import { atomicWriteFile, isErrno, readIfThere, readJsonFile, syncFolder } from "@ppio/daemon/files";
import { waitForLock } from "@ppio/daemon/lock";

const RECORD_ID = /^(?:0x)?[0-9a-f]{64}$/;

function checkedId(id: string): string {
  if (!RECORD_ID.test(id)) throw new PpioError("INTERNAL", `"${id}" is no record id.`);
  return id;
}

/** Files of the folder with this ending, in order. */
async function namesIn(dir: string, ending: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(ending)).sort();
}

export function createFileHeadStore(dir: string): HeadStore {
  const pathOf = (id: string): string => join(dir, `${checkedId(id)}.head`);
  return {
    read: (id) => readIfThere(pathOf(id)),
    async swap(id, expected, next) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const lock = await waitForLock(dir);
      try {
        const current = await readIfThere(pathOf(id));
        const isSame = current === undefined || expected === undefined ? current === expected : equalBytes(current, expected);
        if (!isSame) throw new PpioError("CONFLICT", "The bucket's head was moved by another writer.");
        await atomicWriteFile(pathOf(id), next, { mode: 0o600 });
      } finally {
        await lock.release();
      }
    },
  };
}

/** Beyond these the fourth that was saved longest ago goes. */
const DEALS_MAX = 8_192;

export function createFileDealStore(dir: string, dealsMax = DEALS_MAX): DealStore {
  const pathOf = (dealId: string): string => join(dir, `${checkedId(dealId)}.deal`);
  return {
    read: (dealId) => readIfThere(pathOf(dealId)),
    async save(dealId, sealed) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await atomicWriteFile(pathOf(dealId), sealed, { mode: 0o600 });
      const names = await namesIn(dir, ".deal");
      if (names.length > dealsMax) await removeOldest(dir, names, Math.ceil(dealsMax / 4));
    },
    forget: (dealId) => rm(pathOf(dealId), { force: true }),
  };
}

async function removeOldest(dir: string, names: readonly string[], count: number): Promise<void> {
  const dated = await Promise.all(
    names.map(async (name) => {
      const path = join(dir, name);
      // Another process may be faster.
      return { path, savedMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  dated.sort((a, b) => a.savedMs - b.savedMs);
  for (const { path } of dated.slice(0, count)) await rm(path, { force: true });
}

export function createFileJournal(dir: string): PutJournal {
  const pathOf = (id: string): string => join(dir, `${checkedId(id)}.put`);
  return {
    async save(record) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await atomicWriteFile(pathOf(record.id), record.sealed, { mode: 0o600 });
    },
    async done(id) {
      await rm(pathOf(id), { force: true });
      await syncFolder(dir);
    },
    async list() {
      const records: JournalRecord[] = [];
      for (const name of await namesIn(dir, ".put")) {
        const sealed = await readIfThere(join(dir, name));
        if (sealed !== undefined) records.push({ id: name.slice(0, -".put".length), sealed });
      }
      return records;
    },
  };
}

export function createFileLieStore(dir: string): LieStore {
  const pathOf = (id: string): string => join(dir, `${checkedId(id)}.lie`);
  return {
    async save(lie) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await atomicWriteFile(pathOf(lie.id), `${JSON.stringify(lie, null, 2)}\n`, { mode: 0o600 });
    },
    async list() {
      const lies = await Promise.all((await namesIn(dir, ".lie")).map((name) => readJsonFile<Lie>(join(dir, name))));
      return lies.filter((lie) => lie !== undefined);
    },
    async remove(id) {
      await rm(pathOf(id), { force: true });
      await syncFolder(dir);
    },
  };
}

/** A file per network. */
export function createFileServiceStore(dir: string, { chainId, market }: Pick<AddressBook, "chainId" | "market">): ServiceStore {
  const path = join(dir, `${chainId}-${market.toLowerCase()}.json`);
  return {
    load: () => readIfThere(path),
    async change(change) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const lock = await waitForLock(dir);
      try {
        await atomicWriteFile(path, change(await readIfThere(path)), { mode: 0o600 });
      } finally {
        await lock.release();
      }
    },
  };
}
