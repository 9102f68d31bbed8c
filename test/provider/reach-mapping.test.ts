/** Ports mapped on a router that answers, refuses, gives something else, forgets, or is not there. */
import { PpioError } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import {
  createMappers,
  createNatPmpMapper,
  createPcpMapper,
  createUpnpMapper,
  defaultRoute,
  type GatewayAddress,
  MappingKeeper,
  type PortMapper,
} from "@ppio/provider/reach";
import { expect } from "chai";
import { codeOf, messageOf } from "../support/code-of.ts";
import { SimulatedGateway } from "../support/reach/gateway.ts";

const NONCE = new Uint8Array(12).fill(5);
const log = createLogger({ component: "test", write: () => undefined });
const { signal } = new AbortController();
const request = { internalPort: 4_100, externalPort: 4_100, lifetimeSeconds: 3_600 };

describe("A router that maps ports", () => {
  let gateway: SimulatedGateway;
  beforeEach(async () => {
    gateway = await SimulatedGateway.start();
  });
  afterEach(() => gateway.stop());

  const at = (): GatewayAddress => ({ host: "127.0.0.1", port: gateway.port });
  const upnpAt = (): GatewayAddress => ({ host: "127.0.0.1", port: gateway.ssdpPort });
  const mappers: Readonly<Record<string, () => PortMapper>> = {
    "nat-pmp": () => createNatPmpMapper(at()),
    pcp: () => createPcpMapper(at(), NONCE),
    upnp: () => createUpnpMapper(upnpAt(), () => 0.5),
  };

  for (const [protocol, make] of Object.entries(mappers)) {
    describe(`by ${protocol}`, () => {
      it("gives the port, its own address and a lease, and takes the mapping back", async () => {
        const mapper = make();
        const mapping = await mapper.map(request, signal);
        expect(mapping).to.include({ protocol, internalPort: 4_100, externalPort: 4_100, externalAddress: "203.0.113.7" });
        expect(mapping.lifetimeSeconds).to.equal(3_600);
        expect([...gateway.mapped.keys()]).to.deep.equal([4_100]);
        await mapper.unmap(mapping, signal);
        expect(gateway.mapped.size).to.equal(0);
      });

      it("says why when it refuses", async () => {
        gateway.behaviour.refusal = protocol === "upnp" ? 606 : 2;
        const work = make().map(request, signal);
        expect(await messageOf(work)).to.match(/does not allow .*switch .* on in its settings/);
        expect(await codeOf(make().map(request, signal))).to.equal("REFUSED");
      });
    });
  }

  it("is asked again when a datagram is lost", async () => {
    gateway.behaviour.loses = 2;
    expect((await createPcpMapper(at(), NONCE).map(request, signal)).externalPort).to.equal(4_100);
  });

  it("may give another port and a shorter lease", async () => {
    Object.assign(gateway.behaviour, { otherPort: 50_123, lifetimeMax: 120 });
    const { externalPort, lifetimeSeconds } = await createNatPmpMapper(at()).map(request, signal);
    expect([externalPort, lifetimeSeconds]).to.deep.equal([50_123, 120]);
  });

  it("has another port taken (UPnP) and is asked for one that is free", async () => {
    gateway.behaviour.taken = new Set([4_100]);
    expect((await createUpnpMapper(upnpAt(), () => 0.5).map(request, signal)).externalPort).to.equal(40_000);
  });

  it("may know permanent mappings only (UPnP)", async () => {
    gateway.behaviour.permanentOnly = true;
    await createUpnpMapper(upnpAt(), () => 0.5).map(request, signal);
    expect(gateway.mapped.get(4_100)?.lifetimeSeconds).to.be.greaterThan(0);
  });

  it("may speak PPP or version 2 (UPnP)", async () => {
    for (const type of ["WANPPPConnection:1", "WANIPConnection:2"]) {
      gateway.behaviour.serviceType = `urn:schemas-upnp-org:service:${type}`;
      expect((await createUpnpMapper(upnpAt(), () => 0.5).map(request, signal)).protocol).to.equal("upnp");
    }
  });

  it("cannot send the daemon to another machine (UPnP)", async () => {
    for (const behaviour of [{ controlHost: "localhost" }, { controlHost: "127.0.0.1", locationHost: "localhost" }]) {
      Object.assign(gateway.behaviour, behaviour);
      expect(await codeOf(createUpnpMapper(upnpAt(), () => 0.5).map(request, signal)), JSON.stringify(behaviour)).to.equal("NETWORK");
    }
    expect(gateway.mapped.size).to.equal(0);
  });

  it("that speaks NAT-PMP alone is found by both", async () => {
    gateway.behaviour.speaks = ["nat-pmp"];
    const options = { mode: "auto", gateway: `127.0.0.1:${gateway.port}`, nonce: NONCE, random: Math.random } as const;
    const [pcp, natPmp] = await createMappers(options);
    expect(await messageOf(pcp?.map(request, signal) ?? Promise.resolve())).to.include("does not speak this version of PCP");
    expect((await natPmp?.map(request, signal))?.protocol).to.equal("nat-pmp");
  });

  it("is found in the system's table of routes", () => {
    const table = "Iface Destination Gateway\neth0 0000A8C0 00000000\neth0 00000000 0102A8C0\n";
    expect(defaultRoute(table)).to.equal("192.168.2.1");
    expect(defaultRoute("Iface Destination Gateway\neth0 0000A8C0 00000000\n")).to.equal(undefined);
  });

  describe("kept over time", () => {
    let nowMs = 0;
    const keeperOf = (...list: readonly (() => PortMapper)[]): MappingKeeper =>
      new MappingKeeper({
        internalPort: 4_100,
        externalPort: 4_100,
        mappers: async () => list.map((make) => make()),
        log,
        now: () => nowMs,
      });
    beforeEach(() => {
      nowMs = 1_000_000;
    });

    it("is renewed at half of a short lease, and within two minutes of a long one", async () => {
      const keeper = keeperOf(() => createPcpMapper(at(), NONCE));
      expect(await keeper.turn(signal)).to.equal(120_000);
      gateway.behaviour.lifetimeMax = 60;
      expect(await keeper.turn(signal)).to.equal(30_000);
    });

    it("has the mapping again after a restart, on the port that customers know", async () => {
      gateway.behaviour.otherPort = 50_123;
      const keeper = keeperOf(() => createNatPmpMapper(at()));
      await keeper.turn(signal);
      gateway.restart();
      gateway.behaviour.otherPort = undefined;
      nowMs += 120_000;
      await keeper.turn(signal);
      expect(gateway.mapped.get(4_100)?.externalPort).to.equal(50_123);
    });

    it("tells a changed address", async () => {
      const keeper = keeperOf(() => createNatPmpMapper(at()));
      await keeper.turn(signal);
      gateway.behaviour.externalAddress = "198.51.100.9";
      await keeper.turn(signal);
      const { state } = keeper;
      expect(state.status === "mapped" && state.mapping.externalAddress).to.equal("198.51.100.9");
    });

    it("goes to the next protocol when one refuses, and says the refusal when all fail", async () => {
      gateway.behaviour.speaks = ["upnp", "nat-pmp"];
      const keeper = keeperOf(
        () => createPcpMapper(at(), NONCE),
        () => createUpnpMapper(upnpAt(), Math.random),
      );
      await keeper.turn(signal);
      expect(keeper.state.status).to.equal("mapped");
      gateway.behaviour.refusal = 606;
      await keeper.turn(signal);
      const { state } = keeper;
      expect(state).to.include({ status: "failed", isRefused: true });
    });

    it("counts as mapped until the lease ends when the router is silent, and is tried with growing pauses", async () => {
      let isSilent = false;
      const mapper = createNatPmpMapper(at());
      const silent = async (): Promise<never> => {
        throw new PpioError("NETWORK", "Nobody answers.");
      };
      const keeper = keeperOf(() => ({ ...mapper, map: (...asked) => (isSilent ? silent() : mapper.map(...asked)) }));
      await keeper.turn(signal);
      isSilent = true;
      expect(await keeper.turn(signal)).to.equal(15_000);
      expect(keeper.state.status).to.equal("mapped");
      nowMs += 3_600_001;
      expect(await keeper.turn(signal)).to.equal(30_000);
      expect(keeper.state).to.include({ status: "failed", isRefused: false });
    });

    it("is taken back at the end, and only what was made", async () => {
      const keeper = keeperOf(() => createUpnpMapper(upnpAt(), Math.random));
      await keeper.remove();
      await keeper.turn(signal);
      await keeper.remove();
      expect(gateway.mapped.size).to.equal(0);
    });

    it("is not waited for when the process stops", async () => {
      gateway.behaviour.speaks = [];
      const stop = new AbortController();
      const turn = keeperOf(() => createNatPmpMapper(at())).turn(stop.signal);
      stop.abort();
      expect(await turn).to.equal(0);
    });
  });
});
