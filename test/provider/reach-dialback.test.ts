/** Connecting back for others without being their weapon. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type DialbackReport, type DialOutcome, dialbackAnswerMessage, dialbackRequestMessage } from "@ppio/core";
import { type ChainConnection, createHttpApp, createLogger, type Listener, listen } from "@ppio/daemon";
import { createProviderMetrics } from "@ppio/provider";
import { addDialbackRoutes, askHelpers, type DialOptions, dial } from "@ppio/provider/reach";
import { expect } from "chai";
import { hexlify, randomBytes, Wallet } from "ethers";
import { BOOK, DOMAIN } from "../support/provider/world.ts";

const { signal } = new AbortController();
const log = createLogger({ component: "test", write: () => undefined });
const PUBLIC_DOMAIN = { ...DOMAIN, chainId: 11_155_111n };

interface TestProvider {
  readonly operator: ReturnType<typeof Wallet.createRandom>;
  endpoint: string;
  evictedAtPeriod: bigint;
}

describe("Connecting back for another provider", () => {
  let nowMs: number;
  let asking: TestProvider;
  let helper: TestProvider;
  let domain: typeof DOMAIN;
  let helping: Listener;
  let asked: Listener;

  const makeProvider = (): TestProvider => ({ operator: Wallet.createRandom(), endpoint: "", evictedAtPeriod: 0n });
  const chain = {
    book: BOOK,
    registry: {
      providerCount: async () => 2n,
      getProvider: async (id: number) => {
        const { operator, ...rest } = Number(id) === 1 ? asking : helper;
        return { ...rest, operator: operator.address };
      },
    },
  } as unknown as ChainConnection;
  const serve = (provider: TestProvider, providerId: number): Promise<Listener> => {
    const context = {
      chain,
      domain,
      operator: provider.operator as unknown as Wallet,
      providerId,
      metrics: createProviderMetrics(),
      now: () => nowMs,
    };
    return listen(
      createHttpApp(log, (app) => addDialbackRoutes(app, context)),
      { host: "127.0.0.1", port: 0 },
    );
  };
  const restart = async (chainId: bigint): Promise<void> => {
    domain = { ...DOMAIN, chainId };
    await helping?.close();
    await asked?.close();
    [asked, helping] = [await serve(asking, 1), await serve(helper, 2)];
    asking.endpoint = asked.url;
    helper.endpoint = helping.url;
  };
  beforeEach(async () => {
    nowMs = 1_750_000_000_000;
    [asking, helper] = [makeProvider(), makeProvider()];
    await restart(31_337n);
  });
  afterEach(async () => {
    await helping.close();
    await asked.close();
  });

  const nonce = (): string => hexlify(randomBytes(32));
  const ask = async (change: object = {}, signer = asking.operator): Promise<Partial<DialbackReport> & { code?: string }> => {
    const request = { providerId: 1, helperId: 2, nonce: nonce(), expiry: nowMs / 1_000 + 60, ...change };
    const signature = await dialbackRequestMessage.sign(domain, request, signer);
    const body = JSON.stringify({ request, signature });
    const answer = await fetch(`${helping.url}/v1/dialback`, { method: "POST", headers: { "content-type": "application/json" }, body });
    const read = (await answer.json()) as DialbackReport & { readonly error?: { readonly code: string } };
    return read.error === undefined ? read : { code: read.error.code };
  };

  it("reaches the right daemon and shows its signature over the nonce", async () => {
    const known = nonce();
    const report = await ask({ nonce: known });
    expect(report).to.include({ outcome: "reached", endpoint: asked.url, address: "127.0.0.1", seenAs: "127.0.0.1", time: nowMs });
    expect(dialbackAnswerMessage.recover(domain, { providerId: 1, nonce: known }, report.echo ?? "")).to.equal(asking.operator.address);
  });

  it("tells another provider's daemon from the right one", async () => {
    asking.endpoint = helping.url;
    expect((await ask()).outcome).to.equal("stranger");
  });

  it("is refused to strangers, for other helpers, late, for ever, twice and to the evicted", async () => {
    expect((await ask({}, Wallet.createRandom())).code).to.equal("UNAUTHORIZED");
    expect((await ask({ helperId: 3 })).code).to.equal("UNAUTHORIZED");
    expect((await ask({ expiry: nowMs / 1_000 - 1 })).code).to.equal("UNAUTHORIZED");
    expect((await ask({ expiry: nowMs / 1_000 + 121 })).code).to.equal("UNAUTHORIZED");
    const once = { nonce: nonce() };
    expect((await ask(once)).code).to.equal(undefined);
    expect((await ask(once)).code).to.equal("CONFLICT");
    asking.evictedAtPeriod = 9n;
    expect((await ask()).code).to.equal("UNAUTHORIZED");
  });

  it("is done six times in ten minutes for one provider", async () => {
    const outcomes: (string | undefined)[] = [];
    for (let time = 0; time < 7; time += 1) outcomes.push((await ask()).code);
    expect(outcomes).to.deep.equal([...Array(6).fill(undefined), "REFUSED"]);
    nowMs += 600_000;
    expect((await ask()).code).to.equal(undefined);
  });

  it("goes to public addresses and proper ports alone on a public chain", async () => {
    await restart(PUBLIC_DOMAIN.chainId);
    const endpoints = [
      "http://127.0.0.1:4100",
      "http://[::1]:4100",
      "http://localhost:4100",
      "http://169.254.169.254",
      "http://192.168.1.1",
    ];
    // Whatever an address looks like, it is read as the system reads it.
    endpoints.push("http://0x7f000001", "http://2130706433", "http://[::ffff:127.0.0.1]:4100", "http://8.8.8.8:25", "ftp://8.8.8.8");
    for (const endpoint of endpoints) {
      const options = { ...{ nonce: nonce(), providerId: 1, operator: asking.operator.address }, endpoint, domain, allowsPrivate: false };
      expect((await dial(options)).outcome, endpoint).to.equal("forbidden");
    }
    expect(await ask())
      .to.include({ outcome: "forbidden" })
      .and.not.have.property("address");
  });

  describe("to something else", () => {
    let server: Server | undefined;
    afterEach(() => {
      server?.closeAllConnections();
      server?.close();
    });
    const outcomeOf = async (answer: RequestListener | undefined): Promise<DialOutcome> => {
      let endpoint = "http://127.0.0.1:1";
      if (answer !== undefined) {
        server = createServer(answer).listen(0, "127.0.0.1");
        await once(server, "listening");
        endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      }
      const options: DialOptions = {
        endpoint,
        nonce: nonce(),
        providerId: 1,
        operator: asking.operator.address,
        domain,
        allowsPrivate: true,
      };
      return (await dial(options)).outcome;
    };

    it("says no more than how it went", async () => {
      expect(await outcomeOf(undefined)).to.equal("refused");
      expect(await outcomeOf((_request, response) => void response.end("a router's page"))).to.equal("stranger");
      expect(await outcomeOf((_request, response) => void response.end("x".repeat(100_000)))).to.equal("stranger");
      expect(await outcomeOf((_request, response) => void response.destroy())).to.equal("broken");
    });

    it("follows no redirect", async () => {
      let seen = 0;
      const outcome = await outcomeOf((_request, response) => {
        seen += 1;
        response.writeHead(302, { location: `${asked.url}/v1/dialback/${nonce()}` }).end();
      });
      expect([outcome, seen]).to.deep.equal(["stranger", 1]);
    });
  });

  it("is believed only with the daemon's own signature", async () => {
    const options = {
      chain,
      domain,
      providerId: 1,
      operator: asking.operator,
      endpoint: asked.url,
      now: () => nowMs,
      random: () => 0,
      signal,
    };
    const [report] = await askHelpers(options);
    expect(report).to.include({ helperId: 2, outcome: "reached", aheadMs: 0 });
    const liar = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ endpoint: "x", outcome: "reached", echo: `0x${"11".repeat(65)}`, seenAs: "", time: nowMs }));
    }).listen(0, "127.0.0.1");
    await once(liar, "listening");
    helper.endpoint = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    try {
      expect(await askHelpers(options)).to.deep.equal([]);
    } finally {
      liar.closeAllConnections();
      liar.close();
    }
  });
});
