/**
 * Keeps one port mapped for as long as the daemon runs: asks the protocols in turn, renews well before the lease ends and often enough that a
 * router which lost its state has the mapping again within minutes, and takes it back at the end. Nothing waits for it.
 */
import { isPpioError, toPpioError } from "@ppio/core";
import type { Logger } from "@ppio/daemon";
import type { Mapping, MappingProtocol, PortMapper } from "./mapper.ts";

const LIFETIME_SECONDS = 3_600;
/** Renewing at half of the lease leaves room for a router that is away for a while. */
const LEASE_SHARE = 0.5;
const RENEW_MS_MAX = 120_000;
const RENEW_MS_MIN = 5_000;
/** After a failure: doubling. */
const RETRY_MS = 15_000;
const RETRY_MS_MAX = 600_000;
/** A router's clock may be so wrong (RFC 6886, section 3.6). */
const EPOCH_RATE = 7 / 8;
const EPOCH_SLACK_SECONDS = 2;
const UNMAP_MS = 3_000;

export type MappingState =
  | { readonly status: "trying" }
  | { readonly status: "mapped"; readonly mapping: Mapping; readonly until: number }
  /** @param why one sentence @param isRefused a router answered, and said no */
  | { readonly status: "failed"; readonly why: string; readonly isRefused: boolean };

export interface MappingKeeperOptions {
  readonly internalPort: number;
  readonly externalPort: number;
  /** Made anew after a failure: the machine may be in another network by then. */
  readonly mappers: () => Promise<readonly PortMapper[]>;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export class MappingKeeper {
  readonly #options: MappingKeeperOptions;
  #state: MappingState = { status: "trying" };
  /** The one that worked last, and the protocol that refused nothing. */
  #held: { readonly mapper: PortMapper; readonly mapping: Mapping; readonly at: number } | undefined;
  #retryMs = RETRY_MS;
  #toldWhy = "";

  constructor(options: MappingKeeperOptions) {
    this.#options = options;
  }

  get state(): MappingState {
    return this.#state;
  }

  /** Maps or renews. @returns milliseconds until the next turn */
  async turn(signal: AbortSignal): Promise<number> {
    const { log, now } = this.#options;
    try {
      const { mapper, mapping } = await this.#map(signal);
      this.#notice(mapping);
      this.#held = { mapper, mapping, at: now() };
      this.#state = { status: "mapped", mapping, until: now() + mapping.lifetimeSeconds * 1_000 };
      this.#retryMs = RETRY_MS;
      this.#toldWhy = "";
      return Math.max(RENEW_MS_MIN, Math.min(RENEW_MS_MAX, mapping.lifetimeSeconds * 1_000 * LEASE_SHARE));
    } catch (cause) {
      if (signal.aborted) return 0;
      const error = toPpioError(cause);
      const { message } = error;
      if (message !== this.#toldWhy) log.warn("the router maps no port for this daemon", { port: this.#options.internalPort, error });
      this.#toldWhy = message;
      const isRefused = error.code === "REFUSED";
      // A router that does not answer still maps the port until the lease ends.
      const isHeld = this.#state.status === "mapped" && now() < this.#state.until && !isRefused;
      if (!isHeld) this.#state = { status: "failed", why: message, isRefused };
      const retryMs = this.#retryMs;
      this.#retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      return retryMs;
    }
  }

  /** Takes the mapping back. A router that does not answer forgets it when the lease ends. */
  async remove(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const { log } = this.#options;
    await held.mapper.unmap(held.mapping, AbortSignal.timeout(UNMAP_MS)).catch((error) => {
      log.warn("the router did not take its mapping back; it ends by itself", { seconds: held.mapping.lifetimeSeconds, error });
    });
  }

  async #map(signal: AbortSignal): Promise<{ readonly mapper: PortMapper; readonly mapping: Mapping }> {
    const { internalPort } = this.#options;
    const held = this.#held;
    const failures = new Map<MappingProtocol, unknown>();
    const ask = async (mapper: PortMapper, externalPort: number) => {
      const mapping = await mapper.map({ internalPort, externalPort, lifetimeSeconds: LIFETIME_SECONDS }, signal);
      return { mapper, mapping };
    };
    if (held !== undefined) {
      try {
        // The port that was given before: customers know it.
        return await ask(held.mapper, held.mapping.externalPort);
      } catch (error) {
        failures.set(held.mapper.protocol, error);
      }
    }
    for (const mapper of await this.#options.mappers()) {
      if (signal.aborted) break;
      try {
        return await ask(mapper, held?.mapping.externalPort ?? this.#options.externalPort);
      } catch (error) {
        failures.set(mapper.protocol, error);
      }
    }
    // A router that says no tells more than one that does not speak the protocol.
    const all = [...failures.values()];
    throw all.find((error) => isPpioError(error, "REFUSED")) ?? all.at(-1);
  }

  /** Says what changed. */
  #notice(mapping: Mapping): void {
    const { log, now } = this.#options;
    const before = this.#held;
    const { protocol, gateway, externalAddress, externalPort } = mapping;
    if (before === undefined) {
      log.info("the router maps a port", { protocol, gateway, externalAddress, externalPort, internalPort: mapping.internalPort });
      return;
    }
    const elapsed = (now() - before.at) / 1_000;
    const expected = (before.mapping.epochSeconds ?? 0) + elapsed * EPOCH_RATE - EPOCH_SLACK_SECONDS;
    if (mapping.epochSeconds !== undefined && mapping.epochSeconds < expected) {
      log.warn("the router was restarted; the mapping is made anew", { protocol, gateway });
    }
    if (before.mapping.externalAddress !== externalAddress || before.mapping.externalPort !== externalPort) {
      log.info("the public address changed", { externalAddress, externalPort, before: before.mapping.externalAddress });
    }
  }
}
