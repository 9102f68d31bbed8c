/** What must hold in every trouble: the object is readable, and no wei is missing. */
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { type Books, readBooks } from "./books.ts";
import type { Devnet } from "./devnet.ts";

/** The object comes back as it was stored. */
export async function expectReadable(devnet: Devnet, uri: string, bytes: Uint8Array): Promise<void> {
  await devnet.ok("get", uri, devnet.path("kept"), "--force");
  expect((await readFile(devnet.path("kept"))).equals(bytes), uri).to.equal(true);
}

/** Market and registry hold what they owe (M1, R1). @returns what was counted */
export async function expectBooksToBalance(devnet: Devnet): Promise<Books> {
  const books = await readBooks(devnet);
  expect([books.marketHolds, books.registryHolds]).to.deep.equal([books.marketOwes, books.registryOwes]);
  return books;
}
