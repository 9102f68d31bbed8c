/** TLS: certificates that are exchanged while connections stand, and that an authority gives and renews. */
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { type CertificatePair, createLogger, type Listener, listen } from "@ppio/daemon";
import {
  AcmeKeeper,
  type AcmeKeeperOptions,
  openChallengeServer,
  parseCertificate,
  readCertificate,
  watchCertificateFiles,
} from "@ppio/provider/tls";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { TestAcmeServer } from "../support/reach/acme-server.ts";
import { TestAuthority } from "../support/reach/certificates.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const log = createLogger({ component: "test", write: () => undefined });
const DAY_MS = 86_400_000;

describe("TLS of the provider", () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await TestAuthority.create();
  });
  afterEach(removeTemporaryFolders);

  describe("of a listener", () => {
    let listener: Listener;
    afterEach(() => listener.close());

    /** Serial number of the certificate that a request met. */
    const serialOf = async (agent: Agent): Promise<string> => {
      const sent = request({ host: "127.0.0.1", port: listener.port, agent, ca: authority.pem, path: "/" });
      sent.end();
      const [answer] = await once(sent, "response");
      const { serialNumber } = (answer.socket as TLSSocket).getPeerCertificate();
      answer.resume();
      await once(answer, "end");
      return serialNumber;
    };
    const serve = async (tls: CertificatePair | "awaited"): Promise<void> => {
      listener = await listen((_request, response) => void response.end("ok"), { host: "127.0.0.1", port: 0, tls });
    };

    it("exchanges a certificate under open connections", async () => {
      const [first, second] = [await authority.issue(["127.0.0.1"]), await authority.issue(["127.0.0.1"])];
      await serve(first);
      const kept = new Agent({ keepAlive: true, maxSockets: 1 });
      const before = await serialOf(kept);
      listener.setCertificate(second);
      expect(await serialOf(kept)).to.equal(before);
      expect(await serialOf(new Agent())).to.not.equal(before);
      kept.destroy();
    });

    it("serves nothing until the first certificate is there, and then does", async () => {
      await serve("awaited");
      expect(listener.url).to.match(/^https:/);
      expect(await codeOf(serialOf(new Agent()))).to.not.equal("accepted");
      listener.setCertificate(await authority.issue(["127.0.0.1"]));
      expect(await codeOf(serialOf(new Agent()))).to.equal("accepted");
    });
  });

  describe("from files", () => {
    it("is read again when they change, and stays while they do not fit together", async () => {
      const folder = await temporaryFolder();
      const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
      const [first, second] = [await authority.issue(["a.test"]), await authority.issue(["b.test"])];
      const write = async ({ cert, key }: Partial<CertificatePair>): Promise<void> => {
        if (cert !== undefined) await writeFile(files.certFile, cert);
        if (key !== undefined) await writeFile(files.keyFile, key);
      };
      await write(first);
      const changes: CertificatePair[] = [];
      let failures = 0;
      const onFailure = (): void => {
        failures += 1;
      };
      const look = watchCertificateFiles(
        { ...files, log, onChange: (pair) => void changes.push(pair), onFailure },
        await readCertificate(files),
      );
      await look();
      expect(changes).to.have.length(0);
      await write({ cert: second.cert });
      await look();
      await look();
      expect([changes.length, failures]).to.deep.equal([0, 1]);
      await write(second);
      await look();
      expect(changes.map(({ key }) => key)).to.deep.equal([second.key]);
    });

    it("ends the start when they are missing, no PEM or another's key", async () => {
      const folder = await temporaryFolder();
      const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
      expect(await codeOf(readCertificate(files))).to.equal("CONFIG");
      await writeFile(files.certFile, "garbage");
      await writeFile(files.keyFile, "garbage");
      expect(await codeOf(readCertificate(files))).to.equal("CONFIG");
      await writeFile(files.certFile, (await authority.issue(["a.test"])).cert);
      await writeFile(files.keyFile, (await authority.issue(["a.test"])).key);
      expect(await codeOf(readCertificate(files))).to.equal("CONFIG");
    });
  });

  describe("by ACME", () => {
    const { signal } = new AbortController();
    let server: TestAcmeServer;
    let folder: string;
    let nowMs: number;
    let got: string[];
    let failures: number;
    beforeEach(async () => {
      server = await TestAcmeServer.start(authority);
      folder = join(await temporaryFolder(), "acme");
      nowMs = Date.now();
      got = [];
      failures = 0;
    });
    afterEach(() => server.stop());

    const open = (options: Partial<AcmeKeeperOptions> = {}): Promise<AcmeKeeper> =>
      AcmeKeeper.open({
        folder,
        directoryUrl: `${server.url}/directory`,
        domain: "home.example.org",
        email: "",
        openResponder: async () => {
          const responder = await openChallengeServer("127.0.0.1", 0);
          server.challengePort = responder.port;
          return responder;
        },
        onCertificate: ({ cert }) => void got.push(cert),
        onFailure: () => {
          failures += 1;
        },
        log,
        now: () => nowMs,
        pollMs: 10,
        ...options,
      });

    it("is got by HTTP-01, kept for the daemon's user alone, and used after a restart", async () => {
      const keeper = await open();
      await keeper.turn(signal);
      expect(keeper.failure).to.equal(undefined);
      expect(keeper.current?.isFor("home.example.org")).to.equal(true);
      for (const name of ["account-key.pem", "certificate.json"]) {
        expect((await stat(join(folder, name))).mode & 0o777, name).to.equal(0o600);
      }
      const restarted = await open();
      await restarted.turn(signal);
      expect(restarted.current?.cert).to.equal(keeper.current?.cert);
      expect([server.orders, server.accounts]).to.deep.equal([1, 1]);
    });

    it("is renewed at two thirds of its life, by the same account and with a new key", async () => {
      Object.assign(server.issues, { from: nowMs, until: nowMs + 90 * DAY_MS });
      const keeper = await open();
      await keeper.turn(signal);
      nowMs += 59 * DAY_MS;
      await keeper.turn(signal);
      expect(server.orders).to.equal(1);
      const { key } = keeper.current ?? {};
      nowMs += 2 * DAY_MS;
      server.issues = { from: nowMs, until: nowMs + 90 * DAY_MS };
      await keeper.turn(signal);
      expect([server.orders, server.accounts, got.length]).to.deep.equal([2, 1, 2]);
      expect(keeper.current?.key).to.not.equal(key);
    });

    it("serves the old one on while the authority is away, and asks with growing pauses", async () => {
      Object.assign(server.issues, { from: nowMs, until: nowMs + 90 * DAY_MS });
      const keeper = await open();
      await keeper.turn(signal);
      const before = keeper.current;
      nowMs += 61 * DAY_MS;
      server.isDown = true;
      for (const waitMs of [0, 60_000, 60_000, 240_000]) {
        nowMs += waitMs;
        await keeper.turn(signal);
      }
      expect(failures).to.equal(3);
      expect(keeper.current).to.equal(before);
      expect(keeper.failure).to.match(/does not answer/);
      server.isDown = false;
      nowMs += 3_600_000;
      server.issues = { from: nowMs, until: nowMs + 90 * DAY_MS };
      await keeper.turn(signal);
      expect(keeper.failure).to.equal(undefined);
      expect(keeper.current).to.not.equal(before);
    });

    it("says what the authority said when the name leads elsewhere", async () => {
      const responder = { show: () => undefined, hide: () => undefined, close: async () => undefined };
      const keeper = await open({ openResponder: async () => responder });
      await keeper.turn(signal);
      expect(keeper.failure).to.match(/^The certificate authority refuses: the challenge got /);
      expect(keeper.current).to.equal(undefined);
    });

    it("goes on with another nonce when one was refused", async () => {
      server.badNonces = 2;
      const keeper = await open();
      await keeper.turn(signal);
      expect(keeper.failure).to.equal(undefined);
    });

    it("orders anew when the file on disk is damaged or another name's", async () => {
      await (await open()).turn(signal);
      const file = join(folder, "certificate.json");
      const text = await readFile(file, "utf8");
      await writeFile(file, text.slice(0, 100));
      await (await open()).turn(signal);
      await writeFile(file, text.replace("home.example.org", "other.example.org"));
      await (await open()).turn(signal);
      expect(server.orders).to.equal(3);
      expect(parseCertificate(JSON.parse(await readFile(file, "utf8")) as CertificatePair).isFor("home.example.org")).to.equal(true);
    });
  });
});
