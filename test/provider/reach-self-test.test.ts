/** What a self-test says. */
import { readFile } from "node:fs/promises";
import type { DialOutcome } from "@ppio/core";
import { FINDING_CODES } from "@ppio/provider";
import {
  checkAddress,
  checkClock,
  checkEndpoint,
  checkMapping,
  checkOutside,
  checkTls,
  type Mapping,
  type ReachState,
} from "@ppio/provider/reach";
import { parseCertificate } from "@ppio/provider/tls";
import { expect } from "chai";
import { CONFIG } from "../support/provider/world.ts";
import { TestAuthority } from "../support/reach/certificates.ts";

const { signal } = new AbortController();

describe("The self-test's findings", () => {
  const MAPPING: Mapping = {
    ...{ protocol: "upnp", gateway: "192.168.1.1", internalPort: 4_100, externalPort: 4_100 },
    ...{ externalAddress: "203.0.113.7", lifetimeSeconds: 3_600 },
  };
  const STATE: ReachState = {
    version: 1,
    url: "http://0.0.0.0:4100",
    mapping: { status: "mapped", mapping: MAPPING, until: 0 },
    acmeMapping: { status: "off" },
    needsName: false,
  };
  const report = (outcome: DialOutcome, aheadMs = 0) => ({ helperId: 2, outcome, address: "203.0.113.7", reason: undefined, aheadMs });

  it("say what helpers saw, and one that came through outweighs the others", () => {
    expect(checkOutside([report("silent"), report("reached")], STATE)).to.deep.include({ isReachable: true });
    expect(checkOutside([], STATE).isReachable).to.equal(undefined);
    const { isReachable, finding } = checkOutside([report("refused"), report("silent"), report("silent")], STATE);
    expect([isReachable, finding.code]).to.deep.equal([false, "outside-silent"]);
    expect(finding.message).to.include("forward port 4100 of this machine in the router");
    const outcomes = ["silent", "refused", "stranger", "tls", "unresolved", "forbidden", "broken"] as const;
    for (const outcome of outcomes) expect(checkOutside([report(outcome)], undefined).finding.level, outcome).to.equal("problem");
  });

  it("tell a wrong clock from one that cannot be compared", () => {
    const now = 1_750_000_000_000;
    expect(checkClock([report("silent", 2_000)], undefined, now).code).to.equal("clock-ok");
    expect(checkClock([report("silent", -45_000)], now, now).message).to.include("45 s ahead of other providers'");
    // One liar among three does not count.
    expect(checkClock([report("silent"), report("silent"), report("silent", 9e9)], undefined, now).code).to.equal("clock-ok");
    expect(checkClock([], now + 60_000, now).code).to.equal("clock-wrong");
    expect(checkClock([], now - 10_000, now).code).to.equal("clock-ok");
    expect(checkClock([], now - 900_000, now).code).to.equal("clock-unknown");
  });

  it("look at the certificate's name and time", async () => {
    const now = Date.now();
    const day = 86_400_000;
    const authority = await TestAuthority.create();
    const make = async (from: number, until: number) =>
      parseCertificate(await authority.issue(["home.example.org"], { from: now + from * day, until: now + until * day }));
    const [good, old, over] = [await make(-10, 80), await make(-80, 10), await make(-90, -1)];
    const at = "https://home.example.org:4100";
    expect(checkTls(good, at, STATE, now)).to.include({ code: "tls-ok" });
    expect(checkTls(good, at, STATE, now).message).to.match(/holds for (79|80) days/);
    expect(checkTls(old, at, { ...STATE, certificateFailure: "it is away" }, now).message).to.match(
      /ends in (9|10) days.*it is away.*renew/,
    );
    expect(checkTls(over, at, STATE, now).code).to.equal("tls-expired");
    expect(checkTls(good, "https://other.example.org", STATE, now).code).to.equal("tls-name");
    expect(checkTls("none", at, STATE, now).code).to.equal("tls-missing");
    expect(checkTls({ unreadable: "There is no file." }, at, STATE, now).code).to.equal("tls-missing");
    expect(checkTls(undefined, at, STATE, now).code).to.equal("tls-ok");
    expect(checkTls(undefined, "http://home.example.org", STATE, now).code).to.equal("tls-off");
  });

  it("say what the router did, and what its address is worth", () => {
    const at = (mapping: ReachState["mapping"]): ReachState => ({ ...STATE, mapping });
    const mapped = (change: Partial<Mapping>): ReachState => at({ status: "mapped", mapping: { ...MAPPING, ...change }, until: 0 });
    expect(checkMapping(STATE, false)?.code).to.equal("mapping-ok");
    expect(checkMapping(mapped({ externalPort: 9 }), false)?.code).to.equal("mapping-port");
    expect(checkMapping(at({ status: "failed", why: "The router says no.", isRefused: true }), false)?.code).to.equal("mapping-refused");
    expect(checkMapping(at({ status: "failed", why: "Nobody.", isRefused: false }), false)?.code).to.equal("mapping-none");
    expect(checkMapping(at({ status: "failed", why: "Nobody.", isRefused: false }), true)?.level).to.equal("ok");
    expect(checkMapping(at({ status: "trying" }), false)?.code).to.equal("mapping-trying");
    expect(checkAddress(STATE)).to.equal(undefined);
    expect(checkAddress(mapped({ externalAddress: "100.99.1.1" }))?.message).to.include("CGNAT");
    expect(checkAddress(mapped({ externalAddress: "192.168.0.7" }))?.code).to.equal("address-private");
  });

  it("compare the endpoint on the chain with where it should lead", async () => {
    const codes = async (endpoint: string, state: Partial<ReachState> = {}, config: Partial<typeof CONFIG> = {}) =>
      (await checkEndpoint({ endpoint, state: { ...STATE, ...state }, config: { ...CONFIG, ...config }, isLocal: false, signal })).map(
        ({ code }) => code,
      );
    expect(await codes("http://203.0.113.7:4100")).to.deep.equal(["endpoint-ok"]);
    expect(await codes("")).to.deep.equal(["endpoint-missing"]);
    expect(await codes("http://203.0.113.9:4100")).to.deep.equal(["endpoint-elsewhere"]);
    expect(await codes("http://192.168.1.5:4100")).to.deep.equal(["endpoint-private"]);
    expect(await codes("http://no-such-name.invalid:4100")).to.deep.equal(["endpoint-unresolved"]);
    expect(await codes("http://203.0.113.7:4100", { url: "https://0.0.0.0:4100" })).to.include("endpoint-scheme");
    expect(await codes("http://203.0.113.7:4100", { needsName: true })).to.include("endpoint-needs-name");
    expect(await codes("http://203.0.113.7:4100", { publishFailure: "no coin" })).to.include("endpoint-not-published");
    expect(await codes("http://203.0.113.7:4100", {}, { publicEndpoint: "http://203.0.113.7:1" })).to.include("endpoint-not-published");
  });

  it("are all explained in docs/operating/reachability.md", async () => {
    const page = await readFile(new URL("../../docs/operating/reachability.md", import.meta.url), "utf8");
    for (const code of FINDING_CODES) expect(page, code).to.include(`\`${code}\``);
  });
});
