/** What the command keeps of deals, on a disk. */
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { createFileDealStore } from "../../cli/dist/client/stores.js";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const idOf = (at: number): string => `0x${at.toString(16).padStart(64, "0")}`;

describe("deals on a disk", () => {
  afterEach(() => removeTemporaryFolders());

  it("are kept, replaced and forgotten", async () => {
    const store = createFileDealStore(join(await temporaryFolder(), "deals"));
    expect(await store.read(idOf(1))).to.equal(undefined);
    await store.forget(idOf(1));
    for (const bytes of [new Uint8Array([1, 2]), new Uint8Array([3])]) {
      await store.save(idOf(1), bytes);
      expect(await store.read(idOf(1))).to.deep.equal(bytes);
    }
    await store.forget(idOf(1));
    expect(await store.read(idOf(1))).to.equal(undefined);
    expect(await codeOf(() => store.save("../x", new Uint8Array()))).to.equal("INTERNAL");
  });

  it("are no more than so many: those that were saved longest ago go", async () => {
    const folder = await temporaryFolder();
    const store = createFileDealStore(folder, 8);
    for (let at = 1; at <= 9; at += 1) {
      await store.save(idOf(at), new Uint8Array([at]));
      // In the order of their numbers, whatever the disk's clock can tell apart.
      if (at < 9) await utimes(join(folder, `${idOf(at)}.deal`), at, at);
    }
    expect((await readdir(folder)).sort()).to.deep.equal(Array.from({ length: 7 }, (_, at) => `${idOf(at + 3)}.deal`));
  });
});
