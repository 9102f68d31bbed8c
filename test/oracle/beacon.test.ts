/** The local beacon and the client that trusts no beacon: key file, drand's HTTP interface, verification, falling over. */
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drandRandomness, signDrandRound, verifyDrandRound } from "@ppio/core/drand";
import { createLogger, type Listener, listen } from "@ppio/daemon";
import { type BeaconKey, createBeaconApp, createDrandClient, loadOrCreateBeaconKey, roundAt } from "@ppio/oracle";
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";

const log = createLogger({ component: "test", write: () => undefined });
const GENESIS = 1_790_000_000;
const SCHEDULE = { genesisTime: GENESIS, roundSeconds: 3 };

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: { code?: string }) => String(error.code),
  );
}

describe("the local beacon", () => {
  let dir: string;
  let key: BeaconKey;
  let listener: Listener;
  let nowMs = (GENESIS + 30) * 1000;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "ppio-beacon-"));
    key = await loadOrCreateBeaconKey(join(dir, "beacon", "key.json"));
    listener = await listen(
      createBeaconApp(key, SCHEDULE, log, () => nowMs),
      { host: "127.0.0.1", port: 0 },
    );
  });
  after(async () => {
    await listener.close();
    await rm(dir, { recursive: true, force: true });
  });

  const get = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${listener.url}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("keeps its key in a file that only its user can read, and never replaces a damaged one", async () => {
    const path = join(dir, "beacon", "key.json");
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect((await loadOrCreateBeaconKey(path)).publicKeyHex).to.equal(key.publicKeyHex);
    await writeFile(join(dir, "bad.json"), '{"version":1,"secretKey":"0x12"}');
    expect(await codeOf(loadOrCreateBeaconKey(join(dir, "bad.json")))).to.equal("CONFIG");
  });

  it("counts rounds as drand does: round 1 at genesis", () => {
    expect(roundAt(SCHEDULE, (GENESIS - 1) * 1000)).to.equal(0);
    expect(roundAt(SCHEDULE, GENESIS * 1000)).to.equal(1);
    expect(roundAt(SCHEDULE, (GENESIS + 3) * 1000 - 1)).to.equal(1);
    expect(roundAt(SCHEDULE, (GENESIS + 3) * 1000)).to.equal(2);
  });

  it("answers info, rounds and the newest round, also under its chain's hash", async () => {
    const { body: info } = await get("/info");
    expect(info).to.include({ public_key: key.publicKeyHex, period: 3, genesis_time: GENESIS, schemeID: "bls-unchained-g1-rfc9380" });
    for (const base of ["", `/${info["hash"]}`]) {
      const { body } = await get(`${base}/public/latest`);
      expect(body["round"]).to.equal(11);
      const signature = getBytes(`0x${body["signature"]}`);
      expect(verifyDrandRound(getBytes(`0x${key.publicKeyHex}`), 11, signature)).to.equal(true);
      expect(`0x${body["randomness"]}`).to.equal(hexlify(drandRandomness(signature)));
      expect((await get(`${base}/health`)).body).to.deep.equal({ current: 11, expected: 11 });
    }
    expect((await get("/public/4")).body["round"]).to.equal(4);
  });

  it("signs no round before it is due, and nothing that is no round", async () => {
    expect((await get("/public/12")).status).to.equal(404);
    for (const path of ["/public/0", "/public/-1", "/public/x", "/public/1e3"]) expect((await get(path)).status, path).to.equal(400);
    nowMs += 3_000;
    expect((await get("/public/12")).status).to.equal(200);
  });

  describe("as seen by the oracle", () => {
    const other = `http://127.0.0.1:${1}`;
    const client = (urls: readonly string[], ask: typeof fetch = fetch, publicKey = hexlify(key.publicKey)) =>
      createDrandClient({ urls, publicKey, log, fetch: ask });

    it("takes a verified round, and the next endpoint when one is away", async () => {
      const drand = client([other, listener.url]);
      expect(hexlify(await drand.signatureOf(5))).to.equal(hexlify(signDrandRound(key.secretKey, 5)));
      expect(await codeOf(drand.signatureOf(500))).to.equal("NETWORK");
    });

    it("refuses a false signature, another round and another beacon's key", async () => {
      const lie =
        (change: (body: Record<string, unknown>) => Record<string, unknown>): typeof fetch =>
        async (input, init) => {
          const response = await fetch(input, init);
          const body = (await response.json()) as Record<string, unknown>;
          return Response.json(String(input).includes("/public/") ? change(body) : body);
        };
      const wrongRound = hexlify(signDrandRound(key.secretKey, 6)).slice(2);
      for (const change of [
        (body: Record<string, unknown>) => ({ ...body, signature: wrongRound }),
        (body: Record<string, unknown>) => ({ ...body, round: 6 }),
        (body: Record<string, unknown>) => ({ ...body, signature: "00".repeat(48) }),
        (body: Record<string, unknown>) => ({ ...body, signature: 7 }),
      ]) {
        expect(await codeOf(client([listener.url], lie(change)).signatureOf(5))).to.equal("NETWORK");
      }
      const stranger = await loadOrCreateBeaconKey(join(dir, "stranger.json"));
      expect(await codeOf(client([listener.url], fetch, hexlify(stranger.publicKey)).signatureOf(5))).to.equal("NETWORK");
    });

    /** An endpoint that takes a request and never answers, whatever becomes of the request. */
    const hangs: typeof fetch = () => new Promise(() => undefined);
    const named =
      (behaviours: Readonly<Record<string, typeof fetch>>, asked: string[] = []): typeof fetch =>
      (input, init) => {
        const { hostname, pathname } = new URL(String(input));
        asked.push(hostname);
        return (behaviours[hostname] ?? fetch)(new URL(pathname, listener.url), init);
      };

    it("does not wait for an endpoint that hangs, and asks the one that answered first from then on", async () => {
      const asked: string[] = [];
      let ready: string | undefined;
      const works: typeof fetch = (input, init) => (ready === undefined ? fetch(input, init) : Promise.resolve(new Response(ready)));
      const drand = client(["http://hangs", "http://works"], named({ hangs, works }, asked));
      expect(hexlify(await drand.signatureOf(5))).to.equal(hexlify(signDrandRound(key.secretKey, 5)));
      expect(asked[0]).to.equal("hangs");
      asked.length = 0;
      // At hand, so that no pause of a busy machine makes the other one join.
      ready = JSON.stringify((await get("/public/6")).body);
      await drand.signatureOf(6);
      expect(new Set(asked)).to.deep.equal(new Set(["works"]));
    });

    it("tells of an endpoint that lies, takes the next one's word, and asks the liar last", async () => {
      const lies: typeof fetch = async (input, init) => {
        const body = (await (await fetch(input, init)).json()) as Record<string, unknown>;
        const false_ = hexlify(signDrandRound(getBytes(`0x${"42".repeat(32)}`), 5));
        const randomness = hexlify(drandRandomness(getBytes(false_))).slice(2);
        return Response.json(String(input).includes("/public/") ? { ...body, signature: false_.slice(2), randomness } : body);
      };
      const lines: string[] = [];
      const told = createLogger({ component: "test", write: (line) => lines.push(line) });
      const asked: string[] = [];
      const urls = ["http://lies", "http://works"];
      // Nobody joins because a busy machine was slow: the liar is heard to its end.
      const options = { urls, publicKey: hexlify(key.publicKey), log: told, fetch: named({ lies }, asked), raceAfterMs: 60_000 };
      const drand = createDrandClient(options);
      expect(hexlify(await drand.signatureOf(5))).to.equal(hexlify(signDrandRound(key.secretKey, 5)));
      expect(lines.join()).to.include("http://lies");
      asked.length = 0;
      await drand.signatureOf(5);
      expect(asked).not.to.include("lies");
    });

    it("bounds what an endpoint sends", async () => {
      const floods: typeof fetch = async () => new Response("x".repeat(100_000));
      expect(await codeOf(client(["http://floods"], named({ floods })).signatureOf(5))).to.equal("NETWORK");
    });
  });
});
