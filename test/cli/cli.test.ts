/** The command's own parts: addresses, numbers, tables, stores on disk, source and sink files. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { openSource, writeWhole } from "../../cli/dist/client/files.js";
import { createFileHeadStore, createFileJournal } from "../../cli/dist/client/stores.js";
import { parseAddress, parseEndpoint, parseRange, parseTokens, parseWhole } from "../../cli/dist/commands/numbers.js";
import { openHome, readWalletFile } from "../../cli/dist/home.js";
import { parseCode, parseObjectKeyUri, parseObjectUri } from "../../cli/dist/object-uri.js";
import { createOutput, formatBytes, formatTokens, table } from "../../cli/dist/output.js";

async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return "none";
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

const ID = "ab".repeat(32);

describe("arguments", () => {
  it("parses object addresses and refuses what is none", async () => {
    expect(parseObjectUri("ppio://photos/2026/cat.jpg")).to.deep.equal({ bucket: "photos", key: "2026/cat.jpg" });
    expect(parseObjectUri("ppio://photos")).to.deep.equal({ bucket: "photos", key: "" });
    for (const bad of [
      "photos/x",
      "http://photos/x",
      "ppio://",
      "ppio://A/x",
      "ppio://-a/x",
      "ppio://ab/x",
      `ppio://abc/${"x".repeat(1025)}`,
    ]) {
      expect(await codeOf(() => parseObjectUri(bad)), bad).to.equal("USAGE");
    }
    expect(await codeOf(() => parseObjectKeyUri("ppio://photos/"))).to.equal("USAGE");
  });

  it("parses codes, numbers, tokens and ranges, and refuses the rest", async () => {
    expect(parseCode("10/16")).to.deep.equal({ k: 10, n: 16 });
    for (const bad of ["0/4", "4/4", "8/4", "4/129", "4", "4/8/9", "a/b", ""])
      expect(await codeOf(() => parseCode(bad)), bad).to.equal("USAGE");
    expect(parseWhole("x", 1, 9)("9")).to.equal(9);
    for (const bad of ["0", "10", "1.5", "-1", "1e1", "", "x"])
      expect(await codeOf(() => parseWhole("x", 1, 9)(bad)), bad).to.equal("USAGE");
    expect(parseTokens("x")("1.000000000000000001")).to.equal(10n ** 18n + 1n);
    for (const bad of ["-1", "1.", "x", "1.0000000000000000001"]) expect(await codeOf(() => parseTokens("x")(bad)), bad).to.equal("USAGE");
    expect(parseRange("5:10")).to.deep.equal({ offset: 5, length: 10 });
    for (const bad of ["5", ":5", "5-10", "-5:1"]) expect(await codeOf(() => parseRange(bad)), bad).to.equal("USAGE");
  });

  it("takes accounts and endpoints for what they are only", async () => {
    const account = "0x99C57c9140de28Aedc9828Af103722B92D1eA3De";
    expect(parseAddress("x")(account.toLowerCase())).to.equal(account);
    for (const bad of ["0x1", "", "vitalik.eth", `${account}00`]) expect(await codeOf(() => parseAddress("x")(bad)), bad).to.equal("USAGE");
    for (const good of ["http://127.0.0.1:4100", "https://house.example/ppio"]) expect(parseEndpoint(good)).to.equal(good);
    for (const bad of ["house:4100", "ftp://house", "house", "//house"])
      expect(await codeOf(() => parseEndpoint(bad)), bad).to.equal("USAGE");
  });
});

describe("output", () => {
  it("writes sizes and amounts for people", () => {
    expect([0, 1023, 1024, 1536, 2 ** 40].map(formatBytes)).to.deep.equal(["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "1.00 TiB"]);
    expect([0n, 1n, 10n ** 9n, 5n * 10n ** 17n, -(10n ** 18n)].map(formatTokens)).to.deep.equal([
      "0 PPIO",
      "0 PPIO",
      "0.000000001 PPIO",
      "0.5 PPIO",
      "-1 PPIO",
    ]);
  });

  it("writes one JSON document, also when a command fails after its result", () => {
    for (const [first, code] of [
      ["result", { found: "1" }],
      ["failure", { error: 1 }],
    ] as const) {
      let written = "";
      const stdout = { write: (text: string) => (written += text) } as unknown as NodeJS.WritableStream;
      const stderr = { write: () => true } as unknown as NodeJS.WritableStream;
      const output = createOutput(true, stdout, stderr);
      if (first === "result") output.result({ found: 1n }, "");
      output.failure("It failed.", { error: 1 });
      expect(JSON.parse(written)).to.deep.equal(code);
    }
  });

  it("aligns tables", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 })), { minLength: 1 }), (rows) => {
        const plain = rows.map((row) => row.map((cell) => cell.replace(/\s/g, "_")));
        expect(table(["a", "b"], plain).split("\n")).to.have.length(rows.length + 2);
      }),
    );
  });
});

describe("files", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "ppio-cli-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  async function* pieces(...parts: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) {
      if (part instanceof Error) throw part;
      yield part;
    }
  }

  it("moves heads by compare-and-swap, privately", async () => {
    const heads = createFileHeadStore(join(dir, "heads"));
    expect(await heads.read(ID)).to.equal(undefined);
    await heads.swap(ID, undefined, new Uint8Array([1]));
    expect(await codeOf(() => heads.swap(ID, undefined, new Uint8Array([2])))).to.equal("CONFLICT");
    expect(await codeOf(() => heads.swap(ID, new Uint8Array([9]), new Uint8Array([2])))).to.equal("CONFLICT");
    await heads.swap(ID, new Uint8Array([1]), new Uint8Array([2]));
    expect(await heads.read(ID)).to.deep.equal(new Uint8Array([2]));
    expect((await stat(join(dir, "heads", `${ID}.head`))).mode & 0o777).to.equal(0o600);
    expect(await codeOf(() => heads.read("../../etc/passwd"))).to.equal("INTERNAL");
  });

  it("lets one of many writers win", async () => {
    const heads = createFileHeadStore(join(dir, "race"));
    const results = await Promise.all(Array.from({ length: 8 }, (_, at) => codeOf(() => heads.swap(ID, undefined, new Uint8Array([at])))));
    expect(results.filter((code) => code === "none")).to.have.length(1);
    expect(results.filter((code) => code === "CONFLICT")).to.have.length(7);
  });

  it("keeps the journal of puts until they are done", async () => {
    const journal = createFileJournal(join(dir, "puts"));
    expect(await journal.list()).to.deep.equal([]);
    await journal.save({ id: `0x${ID}`, sealed: new Uint8Array([5]) });
    expect(await createFileJournal(join(dir, "puts")).list()).to.deep.equal([{ id: `0x${ID}`, sealed: new Uint8Array([5]) }]);
    await journal.done(`0x${ID}`);
    expect(await journal.list()).to.deep.equal([]);
  });

  it("reads sources anywhere, and names what is no file", async () => {
    await writeFile(join(dir, "source"), "hello world");
    const { source, name, close } = await openSource(join(dir, "source"));
    expect([name, source.sizeBytes, Buffer.from(await source.read(6, 100, new Uint8Array(100))).toString()]).to.deep.equal([
      "source",
      11,
      "world",
    ]);
    await close();
    expect(await codeOf(() => openSource(join(dir, "nothing")))).to.equal("NOT_FOUND");
    expect(await codeOf(() => openSource(dir))).to.equal("USAGE");
  });

  it("writes a file whole or not at all", async () => {
    const path = join(dir, "out");
    const broken = pieces(Buffer.from("half"), new Error("broke off"));
    await codeOf(() => writeWhole(path, broken, () => undefined, false));
    expect((await readdir(dir)).filter((entry) => entry.includes("out"))).to.deep.equal([]);
    await writeWhole(path, pieces(Buffer.from("whole")), () => undefined, false);
    expect(await readFile(path, "utf8")).to.equal("whole");
    expect(await codeOf(() => writeWhole(path, pieces(), () => undefined, false))).to.equal("ALREADY_EXISTS");
    await codeOf(() => writeWhole(path, pieces(new Error("again")), () => undefined, true));
    expect(await readFile(path, "utf8")).to.equal("whole");
  });

  it("writes under a name as long as the disk allows, and into no folder's place", async () => {
    const path = join(dir, "n".repeat(255));
    await writeWhole(path, pieces(Buffer.from("long")), () => undefined, false);
    expect(await readFile(path, "utf8")).to.equal("long");
    await mkdir(join(dir, "folder"));
    for (const overwrite of [false, true])
      expect(await codeOf(() => writeWhole(join(dir, "folder"), pieces(), () => undefined, overwrite))).to.equal("USAGE");
    expect(await codeOf(() => writeWhole(join(dir, "nothere", "x"), pieces(), () => undefined, false))).to.equal("NOT_FOUND");
    expect((await readdir(dir)).filter((entry) => entry.endsWith(".part"))).to.deep.equal([]);
  });

  it("says that a wallet file is damaged, not that the program is", async () => {
    const home = openHome(join(dir, "damaged"));
    await mkdir(home.dir);
    expect(await codeOf(() => readWalletFile(home))).to.equal("CONFIG");
    for (const text of ["", "{", "null", '{"version":1}']) {
      await writeFile(home.walletFile, text);
      expect(await codeOf(() => readWalletFile(home)), text).to.equal("CONFIG");
    }
  });
});
