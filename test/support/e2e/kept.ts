/** What must hold in every trouble: the object is readable, and no wei is missing. */
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { readBooks } from "./books.ts";
import type { Devnet } from "./devnet.ts";

/** The object comes back as it was stored. */
export async function expectReadable(devnet: Devnet, uri: string, bytes: Uint8Array): Promise<void> {
  await devnet.ok("get", uri, devnet.path("kept"), "--force");
  expect((await readFile(devnet.path("kept"))).equals(bytes), uri).to.equal(true);
}

/** Market and registry hold what they owe (M1, R1). */
export async function expectBooksToBalance(devnet: Devnet): Promise<void> {
  const { marketHolds, marketOwes, registryHolds, registryOwes } = await readBooks(devnet);
  expect([marketHolds, registryHolds]).to.deep.equal([marketOwes, registryOwes]);
}
