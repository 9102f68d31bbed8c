import { spawn } from "node:child_process";
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock, atomicWriteFile, diskError, readJsonFile, removeLeftovers } from "@ppio/daemon";
import { expect } from "chai";
import { codeOf, messageOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

describe("files that survive a crash", () => {
  afterEach(removeTemporaryFolders);

  it("replaces a file as a whole and leaves nothing beside it", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a.json");
    await atomicWriteFile(path, "old");
    await atomicWriteFile(path, "new", { mode: 0o600 });
    expect(await readFile(path, "utf8")).to.equal("new");
    expect(await readdir(folder)).to.deep.equal(["a.json"]);
  });

  it("keeps the old content when the replacement fails", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "taken");
    // A folder in the file's place lets the write succeed and the rename fail.
    await mkdir(join(path, "inside"), { recursive: true });
    expect(await codeOf(atomicWriteFile(path, "new"))).to.equal("IO");
    expect(await readdir(path)).to.deep.equal(["inside"]);
    expect(await readdir(folder), "no leftover").to.deep.equal(["taken"]);
    expect(await codeOf(atomicWriteFile(join(folder, "missing", "a"), "new"))).to.equal("IO");
  });

  it("tells a full disk from a broken one", () => {
    for (const code of ["ENOSPC", "EDQUOT"]) expect(diskError(Object.assign(new Error(code), { code }), "/x").code).to.equal("NO_SPACE");
    expect(diskError(Object.assign(new Error("EIO"), { code: "EIO" }), "/x").code).to.equal("IO");
  });

  it("clears what interrupted writes left behind, and nothing else", async () => {
    const folder = await temporaryFolder();
    for (const name of ["a.json", "a.json.12.0123abcd.tmp", "notes.tmp"]) await writeFile(join(folder, name), "x");
    await removeLeftovers(folder);
    expect((await readdir(folder)).sort()).to.deep.equal(["a.json", "notes.tmp"]);
  });

  it("reads JSON, nothing when there is none, and says which file is damaged", async () => {
    const folder = await temporaryFolder();
    expect(await readJsonFile(join(folder, "none"))).to.equal(undefined);
    await writeFile(join(folder, "torn.json"), '{"a":');
    expect(await messageOf(readJsonFile(join(folder, "torn.json")))).to.include("torn.json");
    await symlink("/proc/self/mem", join(folder, "unreadable"));
    await chmod(folder, 0o700);
    expect(await codeOf(readJsonFile(join(folder, "unreadable")))).to.equal("IO");
  });
});

describe("a folder's lock", () => {
  afterEach(removeTemporaryFolders);

  it("keeps a second one out, in this process too, until it is released", async () => {
    const folder = await temporaryFolder();
    const lock = await acquireLock(folder);
    expect(await codeOf(acquireLock(folder))).to.equal("CONFLICT");
    expect(await messageOf(acquireLock(folder))).to.include(String(process.pid));
    await lock.release();
    await (await acquireLock(folder)).release();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("is held as long as its process lives, and taken over once that was killed", async () => {
    const folder = await temporaryFolder();
    const script = `import { acquireLock } from "@ppio/daemon"; await acquireLock(${JSON.stringify(folder)}); console.log("held"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      expect(await messageOf(acquireLock(folder))).to.include(`in use by process ${child.pid}`);
    } finally {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    await (await acquireLock(folder)).release();
  });

  it("is taken over when the same id now belongs to another process", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "lock"), `${process.pid} 1 another-boot`);
    await (await acquireLock(folder)).release();
  });

  it("is taken over when it is torn", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "lock"), "");
    await (await acquireLock(folder)).release();
  });

  it("goes to exactly one of many who try at once over a dead one's", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "lock"), "999999999 1 gone");
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(folder)));
    expect(tries.filter(({ status }) => status === "fulfilled")).to.have.length(1);
  });
});
