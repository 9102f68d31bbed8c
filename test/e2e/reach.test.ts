/** Reachability with real processes: the self-test, a router that is simulated, the endpoint on the chain, and TLS. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, type PeerCertificate } from "node:tls";
import { isAlive } from "@ppio/daemon";
import { expect } from "chai";
import { Devnet, type DevnetJson, LAUNCHER, runPpio } from "../support/e2e/devnet.ts";
import { freePort } from "../support/ports.ts";
import { TestAcmeServer } from "../support/reach/acme-server.ts";
import { TestAuthority } from "../support/reach/certificates.ts";
import { SimulatedGateway } from "../support/reach/gateway.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

interface Report {
  readonly isReachable?: boolean;
  readonly endpoint: string;
  readonly findings: readonly { readonly code: string; readonly level: string; readonly message: string }[];
}

type DevnetProvider = DevnetJson["providers"][number];

describe("A provider that customers shall reach", function () {
  this.timeout(120_000);
  let devnet: Devnet;
  let provider: DevnetProvider;
  let authority: TestAuthority;
  let trust: Readonly<Record<string, string>>;
  let certFile: string;
  let keyFile: string;
  const own: ChildProcess[] = [];

  before(async () => {
    authority = await TestAuthority.create();
    const folder = await temporaryFolder();
    [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await writeFile(`${folder}/ca.pem`, authority.pem);
    trust = { NODE_EXTRA_CA_CERTS: `${folder}/ca.pem` };
    devnet = await Devnet.start(4, trust);
    const [first] = (await devnet.json()).providers;
    if (first === undefined) throw new Error("no provider");
    provider = first;
  });
  after(async () => {
    for (const child of own) child.kill("SIGKILL");
    await devnet.stop();
    await removeTemporaryFolders();
  });

  const settings = (): string[] => [
    ...["--network", devnet.path("devnet", "addresses.json"), "--data-dir", devnet.path("devnet", provider.name)],
    ...["--port", String(provider.port)],
  ];

  const check = async (
    env = {},
    ...flags: readonly string[]
  ): Promise<{ report: Report; codes: readonly string[]; status: number | null }> => {
    const key = { PPIO_PRIVATE_KEY: provider.operatorKey };
    const { stdout, stderr, status } = await runPpio(["--json", "provider", "check", ...settings(), ...flags], undefined, {
      ...key,
      ...env,
    });
    if (stdout === "") throw new Error(stderr);
    const report = JSON.parse(stdout) as Report;
    return { report, codes: report.findings.map(({ code }) => code), status };
  };

  /** In the place of the devnet's own. */
  const start = async (...flags: readonly string[]): Promise<ChildProcess> => {
    const env = { ...process.env, ...trust, PPIO_PRIVATE_KEY: provider.operatorKey };
    const child = spawn(process.execPath, [LAUNCHER, "provider", "start", ...settings(), ...flags], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    own.push(child);
    let log = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes("provider is ready")) resolve();
      });
      child.once("close", () => reject(new Error(log)));
    });
    return child;
  };
  const stop = async (child: ChildProcess): Promise<void> => {
    const closed = once(child, "close");
    child.kill("SIGTERM");
    await closed;
    expect(child.exitCode).to.equal(0);
  };
  const endpoint = async (): Promise<string> => (await devnet.contracts.registry.getProvider(provider.providerId)).endpoint;

  it("is found well by three others that connect back", async () => {
    const { report, codes, status } = await check();
    expect(codes).to.deep.equal(["listener-ok", "endpoint-ok", "outside-ok", "clock-ok", "tls-off", "mapping-off"]);
    expect(report.isReachable).to.equal(true);
    expect(report.findings[2]?.message).to.match(/^Reached from outside by 3 of 3 providers/);
    expect(status).to.equal(0);
  });

  it("is told what to do when the daemon is down", async () => {
    const pid = await devnet.pidOf(provider.name);
    process.kill(pid, "SIGTERM");
    // To its end, not until it is silent: the next one takes over its folder and port.
    await devnet.until(async () => !(await isAlive(pid)));
    const { report, codes, status } = await check();
    expect(codes).to.include.members(["listener-silent", "outside-refused"]);
    expect(report.isReachable).to.equal(false);
    expect(status).to.equal(11);
  });

  it("has its port mapped, its endpoint published by the operator's key, and the mapping taken back at the end", async () => {
    const gateway = await SimulatedGateway.start();
    try {
      gateway.behaviour.otherPort = 50_123;
      const before = await devnet.contracts.registry.getProvider(provider.providerId);
      const child = await start("--port-mapping", "auto", "--host", "0.0.0.0", "--gateway", `127.0.0.1:${gateway.port}`);
      await devnet.until(async () => (await endpoint()) === "http://203.0.113.7:50123");
      const { pricePerGibPeriodWei, capacityBytes, failureDomain } = await devnet.contracts.registry.getProvider(provider.providerId);
      expect([pricePerGibPeriodWei, capacityBytes, failureDomain]).to.deep.equal([
        before.pricePerGibPeriodWei,
        before.capacityBytes,
        before.failureDomain,
      ]);
      expect(gateway.mapped.get(provider.port)?.externalPort).to.equal(50_123);
      const { codes } = await check();
      expect(codes).to.include.members(["listener-ok", "mapping-port"]);
      await stop(child);
      expect(gateway.mapped.size).to.equal(0);
    } finally {
      await gateway.stop();
    }
  });

  it("is told that the router's address is shared", async () => {
    const gateway = await SimulatedGateway.start();
    try {
      gateway.behaviour.externalAddress = "100.64.3.9";
      const child = await start("--port-mapping", "pcp", "--gateway", `127.0.0.1:${gateway.port}`);
      const { report } = await devnet.until(async () => {
        const found = await check();
        return found.codes.includes("address-shared") && found;
      });
      const { message = "" } = report.findings.find(({ code }) => code === "address-shared") ?? {};
      expect(message).to.include("100.64.3.9").and.include("ask your internet provider for a public IPv4 address");
      expect(await endpoint()).to.equal("http://203.0.113.7:50123");
      await stop(child);
    } finally {
      await gateway.stop();
    }
  });

  it("serves over TLS to who trusts its authority, and takes a new certificate without a restart", async () => {
    const write = async (): Promise<void> => {
      const { cert, key } = await authority.issue(["127.0.0.1"]);
      await writeFile(keyFile, key);
      await writeFile(certFile, cert);
    };
    await write();
    const tls = ["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--public-endpoint", `https://127.0.0.1:${provider.port}`];
    const child = await start(...tls);
    await devnet.until(async () => (await endpoint()) === `https://127.0.0.1:${provider.port}`);
    const { report, codes, status } = await check({}, ...tls);
    expect(codes).to.deep.equal(["listener-ok", "endpoint-ok", "outside-ok", "clock-ok", "tls-ok", "mapping-off"]);
    expect([report.isReachable, status]).to.deep.equal([true, 0]);

    const file = devnet.path("object");
    const bytes = randomBytes(200_000);
    await writeFile(file, bytes);
    const run = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
      runPpio(["--home", devnet.home, "--json", ...args], undefined, env);
    const put = await run(trust, "put", file, "ppio://tls/x", "--code", "2/4", "--periods", "60");
    expect(put.status, put.stderr).to.equal(0);
    const got = await run(trust, "get", "ppio://tls/x", devnet.path("back"));
    expect(got.status, got.stderr).to.equal(0);
    expect(await readFile(devnet.path("back"))).to.deep.equal(bytes);
    expect((await run({}, "put", file, "ppio://tls/y", "--code", "2/4", "--periods", "60")).status).to.equal(14);

    const serial = await serialAt(provider.port);
    await write();
    await devnet.until(async () => (await serialAt(provider.port)) !== serial);
    await stop(child);
  });

  it("gets a certificate by ACME and publishes its name", async () => {
    const server = await TestAcmeServer.start(authority);
    try {
      server.challengePort = await freePort(provider.port);
      const child = await start(
        ...["--acme", "true", "--acme-domain", "home.example.org", "--acme-directory-url", `${server.url}/directory`],
        ...["--acme-http-port", String(server.challengePort)],
      );
      await devnet.until(async () => (await namesAt(provider.port).catch(() => "")) === "DNS:home.example.org");
      await devnet.until(async () => (await endpoint()) === `https://home.example.org:${provider.port}`);
      await stop(child);
    } finally {
      await server.stop();
    }
  });
});

async function certificateAt(port: number): Promise<PeerCertificate> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

async function serialAt(port: number): Promise<string> {
  return (await certificateAt(port)).serialNumber;
}

async function namesAt(port: number): Promise<string | undefined> {
  return (await certificateAt(port)).subjectaltname;
}
