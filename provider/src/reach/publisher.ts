/**
 * Puts the endpoint on the chain when it changed. The operator's key may do that (`IProviderRegistry.update`); price, capacity and failure
 * domain stay as they are. An address must have been the same for two looks, and updates keep a distance: each costs gas.
 */
import { toPpioError } from "@ppio/core";
import type { ChainConnection, Logger, TxSender } from "@ppio/daemon";
import { isSameEndpoint } from "./desired-endpoint.ts";

const LOOKS_TO_BELIEVE = 2;
const UPDATE_DISTANCE_MS = 600_000;
/** Of the contract. */
const ENDPOINT_BYTES_MAX = 256;

export interface PublisherOptions {
  readonly chain: Pick<ChainConnection, "registry" | "book">;
  readonly sender: Pick<TxSender, "send">;
  readonly providerId: number;
  readonly log: Logger;
  readonly now: () => number;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #candidate = { endpoint: "", looks: 0 };
  #sentAt = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Why the last update failed; undefined when it did not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** What the chain says now. */
  async registered(): Promise<string> {
    return (await this.#options.chain.registry.getProvider(this.#options.providerId)).endpoint;
  }

  /** A look: publishes once the same endpoint was seen often enough. Resolves to true when it was sent. Never throws. */
  async offer(endpoint: string): Promise<boolean> {
    const { chain, sender, providerId, log, now } = this.#options;
    const isSame = this.#candidate.endpoint === endpoint;
    this.#candidate = { endpoint, looks: isSame ? this.#candidate.looks + 1 : 1 };
    if (this.#candidate.looks < LOOKS_TO_BELIEVE || now() - this.#sentAt < UPDATE_DISTANCE_MS) return false;
    try {
      if (Buffer.byteLength(endpoint) > ENDPOINT_BYTES_MAX) throw new Error(`an endpoint has at most ${ENDPOINT_BYTES_MAX} bytes`);
      // Read just before it is written: what the owner changed a moment ago stays.
      const record = await chain.registry.getProvider(providerId);
      if (isSameEndpoint(record.endpoint, endpoint)) {
        this.#failure = undefined;
        return false;
      }
      this.#sentAt = now();
      const { pricePerGibPeriodWei, capacityBytes, failureDomain } = record;
      const values = [providerId, endpoint, pricePerGibPeriodWei, capacityBytes, failureDomain] as const;
      const data = chain.registry.interface.encodeFunctionData("update", [...values]);
      // An address may come back: every change is an intent of its own.
      await sender.send(`endpoint/${endpoint}/${this.#sentAt}`, { to: chain.book.registry, data });
      this.#failure = undefined;
      log.info("the endpoint on the chain was changed", { endpoint, before: record.endpoint });
      return true;
    } catch (cause) {
      const error = toPpioError(cause);
      this.#failure = error.message;
      log.error("the endpoint on the chain could not be changed; customers do not find this provider", { endpoint, error });
      return false;
    }
  }
}
