/** The library against hostile wires and crashes: tampered answers, slow and vanishing providers, a put killed half way. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import {
  bytesSource,
  type Client,
  createClient,
  createFetchTransport,
  createMemoryHeadStore,
  deriveApplicationSecret,
  keysFromMnemonic,
  type Transport,
  type TransportResponse,
} from "@ppio/client";
import { isPpioError } from "@ppio/core";
import { expect } from "chai";
import { Devnet, LAUNCHER } from "../support/e2e/devnet.ts";

type Meddle = (url: string, response: TransportResponse) => TransportResponse;

async function* flipEach(body: AsyncIterable<Uint8Array>, at: number): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const chunk of body) {
    const copy = chunk.slice();
    if (at >= seen && at < seen + copy.length) copy[at - seen] = (copy[at - seen] ?? 0) ^ 1;
    seen += copy.length;
    yield copy;
  }
}

async function* cutAfter(body: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const chunk of body) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.length;
  }
}

describe("The client library on a hostile wire", function () {
  this.timeout(120_000);
  let devnet: Devnet;
  let client: Client;
  let meddle: Meddle = (_url, response) => response;
  const bytes = randomBytes(400_000);
  const name = { bucket: "wire", key: "x" };

  before(async () => {
    devnet = await Devnet.start(6);
    const { mnemonic } = JSON.parse(await readFile(devnet.path("wallet.json"), "utf8")) as { mnemonic: string };
    const { wallet, masterSecret } = keysFromMnemonic(mnemonic);
    const plain = createFetchTransport();
    const transport: Transport = { request: async (request) => meddle(request.url, await plain.request(request)) };
    client = createClient({
      addressBook: devnet.book,
      provider: devnet.rpc,
      signer: wallet.connect(devnet.rpc),
      masterSecret,
      applicationSecret: deriveApplicationSecret(randomBytes(32), "test", wallet.address),
      headStore: createMemoryHeadStore(),
      transport,
      limits: { triesMax: 2, pauseMs: 20, hedgeMs: 400 },
    });
    await client.put({ ...name, source: bytesSource(bytes), k: 2, n: 4, periods: 60 });
  });
  after(async () => {
    client.close();
    await devnet.stop();
  });
  afterEach(() => {
    meddle = (_url, response) => response;
  });

  const readBack = async (): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of (await client.get(name)).bytes) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  /** Deals of this wallet, ever. */
  const opened = async (): Promise<number> => {
    const { market } = devnet.contracts;
    const { address } = await devnet.ok<{ address: string }>("wallet");
    return (await market.queryFilter(market.filters.DealOpened(undefined, address), devnet.book.fromBlock)).length;
  };
  /** Meddles with slot reads of the providers that hold the first `count` slots of the object's deal. */
  const meddleWith = async (count: number, change: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>): Promise<void> => {
    const { parts } = await client.stat(name);
    const dealId = parts[0]?.dealId ?? "";
    meddle = (url, response) => {
      const match = new RegExp(`/v1/deals/${dealId}/slots/(\\d+)`).exec(url);
      return match !== null && Number(match[1]) < count ? { ...response, body: change(response.body) } : response;
    };
  };

  for (const [what, at] of [
    ["the version", 0],
    ["the signature", 20],
    ["a cell root", 90],
    ["the first byte of data", 400],
    ["a byte in the middle", 30_000],
  ] as const) {
    it(`finds an answer with ${what} changed and reads from others`, async () => {
      await meddleWith(2, (body) => flipEach(body, at));
      expect((await readBack()).equals(bytes)).to.equal(true);
    });
  }

  it("finds answers that are cut short", async () => {
    await meddleWith(2, (body) => cutAfter(body, 5_000));
    expect((await readBack()).equals(bytes)).to.equal(true);
  });

  it("does not wait for answers that never come", async () => {
    await meddleWith(2, async function* (body) {
      yield* cutAfter(body, 1_000);
      await new Promise(() => {});
    });
    expect((await readBack()).equals(bytes)).to.equal(true);
  });

  it("gives no byte when more than n-k lie", async () => {
    await meddleWith(3, (body) => flipEach(body, 30_000));
    let got = 0;
    try {
      for await (const piece of (await client.get(name)).bytes) got += piece.length;
      expect.fail("it read what it cannot have verified");
    } catch (error) {
      expect(isPpioError(error, "UNRECOVERABLE"), String(error)).to.equal(true);
    }
    expect(got).to.equal(0);
  });

  it("repairs nothing where nothing is lost, and reads ranges", async () => {
    const { parts } = await client.stat(name);
    expect((await client.repairDeal({ dealId: parts[0]?.dealId ?? "" })).repaired).to.deep.equal([]);
    const { bytes: pieces } = await client.get({ ...name, range: { offset: 131_050, length: 100 } });
    const out: Uint8Array[] = [];
    for await (const piece of pieces) out.push(piece);
    expect(Buffer.concat(out).equals(bytes.subarray(131_050, 131_150))).to.equal(true);
  });

  it("keeps what many writers of a bucket change at once, and stores a listing for each of them, not one more", async () => {
    const put = (key: string, text = key) =>
      client.put({ bucket: "shared", key, source: bytesSource(Buffer.from(text)), k: 2, n: 4, periods: 60 });
    await Promise.all(["gone", "same"].map((key) => put(key)));
    const before = await opened();
    const keys = ["a", "b", "c", "d", "e", "f"];
    const changes = [...keys.map((key) => put(key)), client.delete({ bucket: "shared", key: "gone" }), put("same", "another")];
    await Promise.all(changes);
    expect((await client.list("shared")).map(({ key }) => key)).to.deep.equal([...keys, "same"]);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await client.get({ bucket: "shared", key: "same" })).bytes) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).to.equal("another");
    expect((await opened()) - before).to.equal(changes.length);
  });

  it("finishes a put that was killed after its deal had opened, and pays nothing twice", async () => {
    await writeFile(devnet.path("in"), bytes);
    const before = await opened();
    const args = [LAUNCHER, "--home", devnet.home, "put", devnet.path("in"), "ppio://killed/x", "--code", "2/4", "--periods", "60"];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("close", resolve));
    await devnet.until(async () => (await opened()) > before);
    child.kill("SIGKILL");
    await ended;
    await devnet.ok("resume");
    await devnet.ok("get", "ppio://killed/x", devnet.path("out"), "--force");
    expect((await readFile(devnet.path("out"))).equals(bytes)).to.equal(true);
    expect(await opened()).to.equal(before + 2);
  });
});
