/**
 * Being reachable, put together: the listener with or without TLS, the router's ports, the endpoint on the chain, and the self-test. Only the
 * listener and files that are given can fail a start; routers, authorities and name services are waited for in the background.
 */
import type { RequestListener } from "node:http";
import { type Lifecycle, type Listener, listen, pause, repeat } from "@ppio/daemon";
import { getBytes, hexlify, keccak256, toUtf8Bytes } from "ethers";
import type { ProviderContext } from "../context.ts";
import { type Certificates, openCertificates } from "../tls/certificates.ts";
import { addressKind, isLocalChain } from "./addresses.ts";
import { desiredEndpoint, isSameEndpoint } from "./desired-endpoint.ts";
import { DynamicDns } from "./dynamic-dns.ts";
import { type FindingCode, problemsOf } from "./findings.ts";
import { createMappers } from "./gateway.ts";
import { MappingKeeper } from "./mapping-keeper.ts";
import { checkReachConfig, type PortMappingMode, portMappingMode } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { type ReachState, ReachStateFile } from "./reach-state.ts";
import { runSelfTest } from "./self-test.ts";

const TURN_MS = 10_000;
const CERTIFICATE_TURN_MS = 10_000;
/** After the start: the router and the name service come first. */
const SELF_TEST_AFTER_MS = 30_000;
const SELF_TEST_INTERVAL_MS = 600_000;
/** What authorities ask by HTTP-01. */
const ACME_PUBLIC_PORT = 80;

/** Listens, and keeps the listener reachable until the lifecycle ends. @throws CONFIG, IO */
export async function serveReachably(context: ProviderContext, app: RequestListener, lifecycle: Lifecycle): Promise<Listener> {
  const { config, metrics, log, now } = context;
  checkReachConfig(config);
  const certificates = await openCertificates({ config, metrics, log, now });
  const tls = certificates === undefined ? {} : { tls: certificates.current ?? ("awaited" as const) };
  const listener = await listen(app, { host: config.host, port: config.port, ...tls });
  lifecycle.onStop("http", () => listener.close());
  certificates?.onChange((pair) => listener.setCertificate(pair));
  const reach = new Reach(context, listener, certificates);
  const { signal } = lifecycle;
  const loops = [
    repeat({ name: "reach", intervalMs: TURN_MS, signal, log, work: () => reach.turn(signal) }),
    runLater(SELF_TEST_AFTER_MS, signal, () =>
      repeat({ name: "self-test", intervalMs: SELF_TEST_INTERVAL_MS, signal, log, work: () => reach.selfTest(signal) }),
    ),
  ];
  if (certificates !== undefined) {
    const look = async (): Promise<void> => {
      // The authority asks at once: the router must know where to send it.
      if (reach.hasAskedRouter) await certificates.turn(signal);
    };
    loops.push(repeat({ name: "certificate", intervalMs: CERTIFICATE_TURN_MS, signal, log, work: look }));
  }
  lifecycle.onStop("reach", async () => {
    await Promise.all(loops);
    await reach.leave();
  });
  return listener;
}

async function runLater(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  await pause(ms, signal);
  if (!signal.aborted) await work();
}

class KeptPort {
  readonly #keeper: MappingKeeper;
  #nextAt = 0;

  constructor(keeper: MappingKeeper) {
    this.#keeper = keeper;
  }

  get state(): ReachState["mapping"] {
    return this.#keeper.state;
  }

  async turn(now: () => number, signal: AbortSignal): Promise<void> {
    if (now() < this.#nextAt) return;
    this.#nextAt = now() + (await this.#keeper.turn(signal));
  }

  remove(): Promise<void> {
    return this.#keeper.remove();
  }
}

class Reach {
  readonly #context: ProviderContext;
  readonly #mode: PortMappingMode;
  readonly #listener: Listener;
  readonly #certificates: Certificates | undefined;
  readonly #port: KeptPort | undefined;
  readonly #acmePort: KeptPort | undefined;
  readonly #publisher: Publisher;
  readonly #dns: DynamicDns | undefined;
  readonly #file: ReachStateFile;
  #hasAskedRouter = false;
  #needsName = false;
  /** Of the last self-test; each is an alert until it is gone. */
  #problems: ReadonlySet<FindingCode> | undefined;

  constructor(context: ProviderContext, listener: Listener, certificates: Certificates | undefined) {
    const { config, log, now, metrics } = context;
    this.#context = context;
    this.#mode = portMappingMode(config, isLocalChain(context.domain));
    // Nobody has been asked yet.
    metrics.set("ppio_reachable", -1);
    this.#listener = listener;
    this.#certificates = certificates;
    this.#publisher = new Publisher(context);
    this.#file = new ReachStateFile(config.dataDir);
    if (config.dynamicDnsUrl !== "") this.#dns = new DynamicDns({ url: config.dynamicDnsUrl, log, now });
    if (this.#mode === "off") return;
    this.#port = this.#keep(listener.port, config.publicPort === 0 ? listener.port : config.publicPort);
    if (config.acme) this.#acmePort = this.#keep(config.acmeHttpPort, ACME_PUBLIC_PORT);
  }

  get hasAskedRouter(): boolean {
    return this.#hasAskedRouter;
  }

  /** The router, the name service, the chain; then what is known goes to the file. */
  async turn(signal: AbortSignal): Promise<void> {
    const { now, metrics } = this.#context;
    await Promise.all([this.#port?.turn(now, signal), this.#acmePort?.turn(now, signal)]);
    this.#hasAskedRouter = true;
    metrics.set("ppio_port_mapped", this.#mapping === undefined ? 0 : 1);
    try {
      const external = this.#mapping?.externalAddress;
      await this.#dns?.turn(external !== undefined && addressKind(external) === "public" ? external : undefined, signal);
      await this.#publish();
    } finally {
      await this.#file.write(this.#state());
    }
  }

  async selfTest(signal: AbortSignal): Promise<void> {
    const { metrics, log, alerts } = this.#context;
    const certificate = this.#certificates === undefined ? undefined : (this.#certificates.current ?? "none");
    const report = await runSelfTest({ ...this.#context, state: this.#state(), certificate, random: Math.random, signal });
    if (signal.aborted) return;
    const problems = problemsOf(report);
    metrics.set("ppio_reachable", report.isReachable === undefined ? -1 : Number(report.isReachable));
    metrics.set("ppio_reach_problems", problems.length);
    const codes = new Set(problems.map(({ code }) => code));
    const isNews = this.#problems === undefined || this.#problems.size > 0;
    if (codes.size === 0 && isNews)
      log.info("the self-test found no problem", { endpoint: report.endpoint, isReachable: report.isReachable });
    for (const { code, message } of problems) {
      alerts.raise({ kind: "unreachable", subject: code, message, details: { endpoint: report.endpoint } });
    }
    for (const code of this.#problems ?? []) if (!codes.has(code)) alerts.clear("unreachable", code);
    this.#problems = codes;
  }

  /** Takes the mappings back. */
  async leave(): Promise<void> {
    await Promise.all([this.#port?.remove(), this.#acmePort?.remove()]);
  }

  get #mapping() {
    const state = this.#port?.state;
    return state?.status === "mapped" ? state.mapping : undefined;
  }

  async #publish(): Promise<void> {
    const { config, metrics } = this.#context;
    const isHttps = this.#certificates !== undefined;
    const isMapping = this.#port?.state.status === "trying";
    const hasWord = config.publicEndpoint !== "" || config.acme || this.#mapping !== undefined;
    if (!config.publish || !hasWord) return;
    const registered = await this.#publisher.registered();
    const desired = desiredEndpoint({
      config,
      scheme: isHttps ? "https" : "http",
      port: this.#listener.port,
      mapping: this.#mapping,
      isMapping,
      registered,
    });
    this.#needsName = desired.kind === "needs-name";
    if (desired.kind !== "known" || isSameEndpoint(desired.endpoint, registered)) return;
    if (await this.#publisher.offer(desired.endpoint)) metrics.add("ppio_endpoint_updates_total", 1);
  }

  #state(): ReachState {
    return {
      version: 1,
      url: this.#listener.url,
      mapping: this.#port?.state ?? { status: "off" },
      acmeMapping: this.#acmePort?.state ?? { status: "off" },
      publishFailure: this.#publisher.failure,
      needsName: this.#needsName,
      dnsFailure: this.#dns?.failure,
      certificateFailure: this.#certificates?.failure,
    };
  }

  #keep(internalPort: number, externalPort: number): KeptPort {
    const { config, log, now, operator } = this.#context;
    const mode = this.#mode;
    // The same after a restart, and no other machine's: the router renews instead of refusing.
    const nonce = getBytes(keccak256(toUtf8Bytes(`pcp/${hexlify(getBytes(operator.signingKey.privateKey))}/${internalPort}`)));
    const mappers = mode === "off" ? async () => [] : () => createMappers({ mode, gateway: config.gateway, nonce, random: Math.random });
    return new KeptPort(new MappingKeeper({ internalPort, externalPort, mappers, log, now }));
  }
}
