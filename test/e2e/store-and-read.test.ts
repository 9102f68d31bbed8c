/** Storing and reading through the command, on real processes; damage on disks; what providers can see; errors users meet. */
import { createHash, randomBytes } from "node:crypto";
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Devnet, runPpio } from "../support/e2e/devnet.ts";
import { expectBooksToBalance } from "../support/e2e/kept.ts";

const PROVIDERS = 6;
const CODE = ["--code", "2/4", "--periods", "60"];

describe("Storing and reading on a devnet", function () {
  this.timeout(120_000);
  let devnet: Devnet;

  before(async () => {
    // What is damaged here stays so: the network would rebuild it while the test still counts what is left.
    devnet = await Devnet.start(PROVIDERS, { PPIO_REPAIR: "false" });
  });
  after(() => devnet.stop());

  const file = (name: string): string => devnet.path(name);
  const put = async (bytes: Uint8Array, uri: string): Promise<{ dealId: string | null; sha256: string }> => {
    await writeFile(file("in"), bytes);
    return devnet.ok("put", file("in"), uri, ...CODE);
  };
  const get = async (uri: string): Promise<Buffer> => {
    await devnet.ok("get", uri, file("out"), "--force");
    return readFile(file("out"));
  };
  const flip = async (path: string, at: number): Promise<void> => {
    const bytes = await readFile(path);
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    await writeFile(path, bytes);
  };

  for (const size of [0, 1, 4_096, 4_097, 131_040, 131_041, 700_001]) {
    it(`gives ${size} bytes back`, async () => {
      const bytes = randomBytes(size);
      const stored = await put(bytes, `ppio://sizes/s${size}`);
      expect(stored.sha256).to.equal(`0x${createHash("sha256").update(bytes).digest("hex")}`);
      expect((await get(`ppio://sizes/s${size}`)).equals(bytes)).to.equal(true);
    });
  }

  it("lists what is there, and reads ranges", async () => {
    const { objects } = await devnet.ok<{ objects: { key: string; sizeBytes: number }[] }>("ls", "ppio://sizes");
    expect(objects.map(({ key }) => key)).to.include.members(["s0", "s700001"]);
    const whole = await get("ppio://sizes/s700001");
    await devnet.ok("get", "ppio://sizes/s700001", file("part"), "--range", "131030:20", "--force");
    expect((await readFile(file("part"))).equals(whole.subarray(131_030, 131_050))).to.equal(true);
  });

  it("replaces an object and deletes it, and gives the rest of the escrow back", async () => {
    const first = await put(randomBytes(50_000), "ppio://change/a");
    const second = randomBytes(60_000);
    await put(second, "ppio://change/a");
    expect((await get("ppio://change/a")).equals(second)).to.equal(true);
    // Who stores does not wait for the block that ends the deal before.
    await devnet.until(async () => (await devnet.contracts.market.deal(first.dealId ?? "")).status === 3n);
    await devnet.ok("rm", "ppio://change/a");
    expect((await devnet.run("stat", "ppio://change/a")).status).to.equal(4);
    expect(await devnet.contracts.market.creditOf((await devnet.ok<{ address: string }>("wallet")).address)).to.be.greaterThan(0n);
  });

  it("shows providers nothing: neither content nor names are on their disks", async () => {
    const marker = Buffer.from("a very particular sentence that would be found");
    const content = Buffer.concat(Array.from({ length: 4_000 }, () => marker));
    await put(content, "ppio://secrets/particular-name.txt");
    let seen = 0;
    for (const { name } of (await devnet.json()).providers) {
      for await (const bytes of devnet.filesUnder("devnet", name)) {
        seen += bytes.length;
        for (const secret of [marker, Buffer.from("particular-name"), Buffer.from("secrets")])
          expect(bytes.includes(secret)).to.equal(false);
      }
    }
    expect(seen).to.be.greaterThan(content.length);
  });

  it("reads with n-k slots flipped, truncated or gone, and says which are lost beyond that", async () => {
    const bytes = randomBytes(600_000);
    const { dealId } = await put(bytes, "ppio://damage/x");
    const folders = await devnet.slotFolders(dealId ?? "");
    expect(folders.size).to.equal(4);
    await flip(join(folders.get(0) ?? "", "data"), 70_000);
    await truncate(join(folders.get(1) ?? "", "data"), 1_000);
    expect((await get("ppio://damage/x")).equals(bytes)).to.equal(true);

    await rm(join(folders.get(2) ?? "", "data"));
    await rm(file("out"), { force: true });
    const lost = await devnet.run("--json", "get", "ppio://damage/x", file("out"));
    expect(lost.status).to.equal(15);
    expect(JSON.parse(lost.stdout)).to.have.nested.property("error.code", "UNRECOVERABLE");
    expect((await readdir(devnet.home)).filter((name) => name.includes("out"))).to.deep.equal([]);
    // A deal that is over costs its providers nothing: the tests after this one need them all.
    await devnet.ok("rm", "ppio://damage/x");
  });

  it("keeps a listing as sturdy as the sturdiest object in it", async () => {
    const bytes = randomBytes(50_000);
    const sturdy = await put(bytes, "ppio://sturdy/x");
    const weak = await devnet.ok<{ indexDealId: string }>("put", file("in"), "ppio://sturdy/y", "--code", "1/2", "--periods", "60");
    const listing = await devnet.contracts.market.deal(weak.indexDealId);
    expect([listing.k, listing.n]).to.deep.equal([2n, 4n]);
    const lost: string[] = [];
    for (const dealId of [sturdy.dealId ?? "", weak.indexDealId]) {
      const folders = await devnet.slotFolders(dealId);
      for (const index of [0, 1]) lost.push(join(folders.get(index) ?? "", "data"));
    }
    for (const path of lost) await rename(path, `${path}.away`);
    expect((await get("ppio://sturdy/x")).equals(bytes)).to.equal(true);
    for (const path of lost) await rename(`${path}.away`, path);
  });

  it("stores from several processes at once, and pays for no listing that nobody needs", async () => {
    const before = (await devnet.ok<{ deals: unknown[] }>("deal", "ls")).deals.length;
    const contents = Array.from({ length: 4 }, () => randomBytes(9_000));
    const put = async (bytes: Buffer, at: number): Promise<void> => {
      await writeFile(file(`many${at}`), bytes);
      await devnet.ok("put", file(`many${at}`), `ppio://many/${at}`, ...CODE);
    };
    await Promise.all(contents.map(put));
    for (const [at, bytes] of contents.entries()) expect((await get(`ppio://many/${at}`)).equals(bytes)).to.equal(true);
    const { deals } = await devnet.ok<{ deals: unknown[] }>("deal", "ls");
    expect(deals).to.have.length(before + contents.length + 1);
  });

  it("takes the deposits of several commands at once, each of them whole", async () => {
    await Promise.all(["1", "2", "3"].map((tokens) => devnet.ok("bandwidth", "deposit", tokens)));
    expect((await devnet.ok<{ reserveWei: string }>("bandwidth", "status")).reserveWei).to.equal(`6${"0".repeat(18)}`);
  });

  it("takes standard input", async () => {
    const bytes = randomBytes(9_000);
    const stored = await runPpio(["--home", devnet.home, "put", "-", "ppio://pipes/in", ...CODE], bytes);
    expect(stored.status, stored.stderr).to.equal(0);
    expect((await get("ppio://pipes/in")).equals(bytes)).to.equal(true);
  });

  it("shows deals, providers and processes as JSON documents", async () => {
    const { deals } = await devnet.ok<{ deals: { dealId: string; status: string }[] }>("deal", "ls");
    const view = await devnet.ok<{ slots: unknown[]; n: number }>("deal", "show", deals[0]?.dealId ?? "");
    expect(view.slots).to.have.length(view.n);
    expect((await devnet.ok<{ providers: unknown[] }>("provider", "ls")).providers).to.have.length(PROVIDERS);
    expect(await devnet.ok("provider", "status", "1")).to.include({ providerId: 1, health: "ok" });
    expect(await devnet.ok("devnet", "status")).to.include({ up: true });
    expect(await devnet.ok("oracle", "status")).to.have.property("currentPeriod");
  });

  for (const [what, args, status] of [
    ["an unknown bucket", ["get", "ppio://nothere/x"], 4],
    ["an unknown object", ["stat", "ppio://sizes/nothere"], 4],
    ["a missing file", ["put", "/no/such/file", "ppio://sizes/x"], 4],
    ["a folder", ["put", "/tmp", "ppio://sizes/x"], 2],
    ["an address that is none", ["get", "sizes/x"], 2],
    ["an impossible code", ["put", "/dev/null", "ppio://sizes/x", "--code", "9/3"], 2],
    ["an unknown command", ["store"], 2],
    ["a deal that is none", ["deal", "show", "0x12"], 2],
    ["an unknown deal", ["deal", "show", `0x${"1".repeat(64)}`], 4],
    ["an unknown provider", ["provider", "status", "99"], 4],
    ["the end of an unknown deal", ["deal", "end", `0x${"1".repeat(64)}`], 4],
    ["an owner that is no address", ["deal", "ls", "--owner", "0x1"], 2],
    ["cells that are no power of two", ["put", "package-lock.json", "ppio://sizes/x", "--cell-bytes", "5000"], 2],
    ["no command", [], 2],
    ["half a command", ["deal"], 2],
    ["a second wallet", ["init"], 5],
    ["a second devnet", ["devnet", "up"], 5],
    ["a network file that is missing", ["--network", "/no/such/book", "ls"], 3],
  ] as const) {
    it(`answers ${what} with one sentence and exit status ${status}`, async () => {
      const { status: actual, stdout, stderr } = await devnet.run(...args);
      expect(actual, stderr).to.equal(status);
      expect(stdout).to.equal("");
      expect(stderr).to.match(/^ppio: [^\n]+\n$/);
    });
  }

  it("needs more providers than it has for a wide code, and says why", async () => {
    await writeFile(file("in"), randomBytes(10_000));
    const wide = await devnet.run("put", file("in"), "ppio://sizes/wide", "--code", "4/8");
    expect(wide.status).to.equal(14);
    expect(wide.stderr).to.contain("8 providers are needed and 6 can take a slot");
  });

  it("takes no money from a wallet that has too little, and loses nothing", async () => {
    const home = devnet.path("poor");
    const network = devnet.path("devnet", "addresses.json");
    expect((await runPpio(["--home", home, "--network", network, "init"])).status).to.equal(0);
    await writeFile(file("in"), randomBytes(10_000));
    const refused = await runPpio(["--home", home, "put", file("in"), "ppio://poor/x", ...CODE]);
    expect(refused.status).to.equal(10);
    expect(refused.stderr).to.contain("add tokens");
  });

  it("recovers wallet and data from the words, given the heads", async () => {
    const { mnemonic } = JSON.parse(await readFile(file("wallet.json"), "utf8")) as { mnemonic: string };
    await writeFile(file("words"), `${mnemonic}\n`);
    const home = devnet.path("again");
    const network = devnet.path("devnet", "addresses.json");
    expect((await runPpio(["--home", home, "--network", network, "init", "--mnemonic-file", file("words")])).status).to.equal(0);
    await cp(file("heads"), join(home, "heads"), { recursive: true });
    const read = await runPpio(["--home", home, "get", "ppio://sizes/s4097", file("again.out")]);
    expect(read.status, read.stderr).to.equal(0);
    expect(await readFile(file("again.out"))).to.have.length(4_097);
  });

  it("does not open data with another developer's secret", async () => {
    const { mnemonic } = JSON.parse(await readFile(file("wallet.json"), "utf8")) as { mnemonic: string };
    await writeFile(file("words"), mnemonic);
    const home = devnet.path("other-developer");
    const network = devnet.path("devnet", "addresses.json");
    const root = `0x${"ab".repeat(32)}`;
    const init = await runPpio([
      "--home",
      home,
      "--network",
      network,
      "init",
      "--mnemonic-file",
      file("words"),
      "--application-root",
      root,
    ]);
    expect(init.status).to.equal(0);
    await cp(file("heads"), join(home, "heads"), { recursive: true });
    const read = await runPpio(["--home", home, "get", "ppio://sizes/s4097", file("other.out")]);
    expect([8, 9]).to.include(read.status);
  });

  it("keeps books that add up to the wei (M1, R1)", async () => {
    await expectBooksToBalance(devnet);
  });
});
