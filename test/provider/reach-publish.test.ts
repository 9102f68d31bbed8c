/** Which endpoint is published, when, and how a name service is told. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ProviderRegistry__factory } from "@ppio/core/contracts";
import { createLogger } from "@ppio/daemon";
import {
  addressKind,
  checkReachConfig,
  DynamicDns,
  desiredEndpoint,
  type EndpointFacts,
  isSameEndpoint,
  type Mapping,
  Publisher,
  portMappingMode,
} from "@ppio/provider/reach";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { CONFIG } from "../support/provider/world.ts";

const MAPPING: Mapping = {
  protocol: "pcp",
  gateway: "192.168.1.1",
  internalPort: 4_100,
  externalPort: 4_101,
  externalAddress: "203.0.113.7",
  lifetimeSeconds: 3_600,
};

describe("The endpoint of a provider", () => {
  const desired = (facts: Partial<EndpointFacts>) =>
    desiredEndpoint({
      config: CONFIG,
      scheme: "http",
      port: 4_100,
      mapping: MAPPING,
      isMapping: false,
      registered: "http://198.51.100.1:4100",
      ...facts,
    });

  it("is the router's address and the port that it gave", () => {
    expect(desired({})).to.deep.equal({ kind: "known", endpoint: "http://203.0.113.7:4101" });
  });

  it("is what is configured, before anything else", () => {
    const config = { ...CONFIG, publicEndpoint: "https://home.example.org:4100/" };
    expect(desired({ config })).to.deep.equal({ kind: "known", endpoint: "https://home.example.org:4100" });
  });

  it("stays when it is a name, when a proxy ends TLS, and when nothing is known", () => {
    for (const facts of [{ registered: "http://home.example.org:4100" }, { registered: "https://198.51.100.1" }, { mapping: undefined }]) {
      expect(desired(facts).kind).to.equal("kept");
    }
  });

  it("is never an address that the world cannot reach", () => {
    for (const externalAddress of ["100.64.0.1", "192.168.0.2", "0.0.0.0"]) {
      expect(desired({ mapping: { ...MAPPING, externalAddress } }).kind, externalAddress).to.equal("not-public");
    }
  });

  it("needs a name with a certificate of one's own, and has the one of ACME", () => {
    expect(desired({ scheme: "https" }).kind).to.equal("needs-name");
    const config = { ...CONFIG, acme: true, acmeDomain: "Home.example.org" };
    expect(desired({ config, scheme: "https" })).to.deep.equal({ kind: "known", endpoint: "https://home.example.org:4101" });
    expect(desired({ config, scheme: "https", mapping: undefined, isMapping: true }).kind).to.equal("kept");
  });

  it("is the same however it is written", () => {
    expect(isSameEndpoint("http://a.example:80/", "http://A.example")).to.equal(true);
    expect(isSameEndpoint("http://a.example:81", "http://a.example")).to.equal(false);
  });

  it("has addresses of every kind told apart", () => {
    const kinds = {
      public: ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2a00:1450::1", "::ffff:8.8.8.8"],
      shared: ["100.64.0.0", "100.127.255.255", "::ffff:100.64.1.1"],
      private: ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "fd00::1", "::ffff:192.168.1.1"],
      loopback: ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"],
      reserved: ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "name", ""],
    } as const;
    for (const [kind, addresses] of Object.entries(kinds)) {
      for (const address of addresses) expect(addressKind(address), address).to.equal(kind);
    }
  });

  it("has settings that do not contradict each other", async () => {
    const wrong = [
      { portMapping: "magic" },
      { gateway: "router.lan" },
      { publicEndpoint: "home.example.org" },
      { dynamicDnsUrl: "ftp://x" },
      { tlsCertFile: "cert.pem" },
      { acme: true },
      { acme: true, acmeDomain: "203.0.113.7" },
      { acme: true, acmeDomain: "a.example", tlsCertFile: "cert.pem", tlsKeyFile: "key.pem" },
    ];
    for (const setting of wrong) {
      expect(await codeOf(() => checkReachConfig({ ...CONFIG, ...setting })), JSON.stringify(setting)).to.equal("CONFIG");
    }
    checkReachConfig({ ...CONFIG, acme: true, acmeDomain: "home.example.org", dynamicDnsUrl: "https://u:p@dns.example/?ip={ip}" });
    expect(portMappingMode({ ...CONFIG, host: "127.0.0.1" }, false)).to.equal("off");
    const open = { ...CONFIG, host: "0.0.0.0" };
    expect([portMappingMode(open, false), portMappingMode(open, true)]).to.deep.equal(["auto", "off"]);
    expect(portMappingMode({ ...open, gateway: "192.168.1.1" }, true)).to.equal("auto");
  });
});

describe("The publisher of an endpoint", () => {
  const log = createLogger({ component: "test", write: () => undefined });
  const abi = ProviderRegistry__factory.createInterface();
  let registered: string;
  let sent: { id: string; endpoint: string }[];
  let fails: boolean;
  let nowMs: number;
  let publisher: Publisher;
  beforeEach(() => {
    [registered, sent, fails, nowMs] = ["http://old.example", [], false, 1_000_000];
    const record = async () => ({
      endpoint: registered,
      pricePerGibPeriodWei: 5n,
      capacityBytes: 6n,
      failureDomain: `0x${"07".repeat(32)}`,
    });
    const options = {
      chain: { book: { registry: `0x${"22".repeat(20)}` }, registry: { getProvider: record, interface: abi } },
      sender: {
        send: async (id: string, { data }: { data: string }) => {
          if (fails) throw new Error("no coin for gas");
          const [providerId, endpoint, price, capacity, domain] = abi.decodeFunctionData("update", data);
          expect([providerId, price, capacity, domain]).to.deep.equal([7n, 5n, 6n, `0x${"07".repeat(32)}`]);
          sent.push({ id, endpoint: String(endpoint) });
          registered = String(endpoint);
        },
      },
      providerId: 7,
      log,
      now: () => nowMs,
    };
    publisher = new Publisher(options as unknown as ConstructorParameters<typeof Publisher>[0]);
  });

  it("sends what was the same for two looks, and leaves the rest of the record as it is", async () => {
    expect(await publisher.offer("http://new.example")).to.equal(false);
    expect(await publisher.offer("http://other.example")).to.equal(false);
    expect(await publisher.offer("http://other.example")).to.equal(true);
    expect(sent.map(({ endpoint }) => endpoint)).to.deep.equal(["http://other.example"]);
  });

  it("keeps its distance when an address goes to and fro, and sends every change as one of its own", async () => {
    for (const endpoint of ["http://a.example", "http://b.example", "http://a.example"]) {
      await publisher.offer(endpoint);
      await publisher.offer(endpoint);
      const before = sent.length;
      nowMs += 599_999;
      await publisher.offer(endpoint);
      expect(sent.length).to.equal(before);
      nowMs += 1;
      await publisher.offer(endpoint);
    }
    expect(sent.map(({ endpoint }) => endpoint)).to.deep.equal(["http://a.example", "http://b.example", "http://a.example"]);
    expect(new Set(sent.map(({ id }) => id)).size).to.equal(3);
  });

  it("says why it could not, and tries again", async () => {
    fails = true;
    await publisher.offer("http://new.example");
    await publisher.offer("http://new.example");
    expect(publisher.failure).to.equal("no coin for gas");
    fails = false;
    nowMs += 600_000;
    expect(await publisher.offer("http://new.example")).to.equal(true);
    expect(publisher.failure).to.equal(undefined);
  });
});

describe("A dynamic DNS service", () => {
  const lines: string[] = [];
  const log = createLogger({ component: "test", write: (line) => void lines.push(line) });
  const { signal } = new AbortController();
  let server: Server;
  let asked: { url: string; authorization: string | undefined }[];
  let answer: { status: number; text: string };
  let nowMs: number;
  beforeEach(async () => {
    [asked, answer, nowMs] = [[], { status: 200, text: "good 203.0.113.7" }, 1_000_000];
    lines.length = 0;
    server = createServer((request, response) => {
      asked.push({ url: request.url ?? "", authorization: request.headers.authorization });
      response.writeHead(answer.status).end(answer.text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const serviceAt = (path: string): DynamicDns => {
    const url = `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    return new DynamicDns({ url, log, now: () => nowMs });
  };

  it("is told an address once, again when it changed, and once a day", async () => {
    const dns = serviceAt("/update?ip={ip}");
    await dns.turn(undefined, signal);
    for (const address of ["203.0.113.7", "203.0.113.7", "203.0.113.8"]) await dns.turn(address, signal);
    nowMs += 86_400_000;
    await dns.turn("203.0.113.8", signal);
    expect(asked.map(({ url }) => url)).to.deep.equal(["/update?ip=203.0.113.7", "/update?ip=203.0.113.8", "/update?ip=203.0.113.8"]);
    expect(asked[0]?.authorization).to.equal(`Basic ${Buffer.from("user:secret").toString("base64")}`);
  });

  it("that sees the address by itself is asked every half hour", async () => {
    const dns = serviceAt("/update");
    for (const waitMs of [0, 1_799_999, 1]) {
      nowMs += waitMs;
      await dns.turn(undefined, signal);
    }
    expect(asked).to.have.length(2);
  });

  it("that refuses is asked again with growing pauses, and its secret is told to nobody", async () => {
    const dns = serviceAt("/update?ip={ip}&token=secret");
    answer = { status: 200, text: "badauth" };
    for (const waitMs of [0, 59_999, 1, 119_999, 1]) {
      nowMs += waitMs;
      await dns.turn("203.0.113.7", signal);
    }
    expect(asked).to.have.length(3);
    expect(dns.failure).to.equal('The dynamic DNS service refuses with "badauth"; check dynamicDnsUrl.');
    expect(lines.join("")).to.not.include("secret");
    answer = { status: 200, text: "nochg" };
    nowMs += 3_600_000;
    await dns.turn("203.0.113.7", signal);
    expect(dns.failure).to.equal(undefined);
  });
});
