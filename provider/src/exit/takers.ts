/** Who could take a slot over: known to the chain, reachable, with space, collateral and a price that the slot pays. */
import { type ProviderInfo, payForSlot } from "@ppio/core";
import type { ProviderContext } from "../context.ts";

/** The newest providers that are looked at. */
const LOOKED_AT_MAX = 500;
const ASKED_AT_ONCE = 16;
const INFO_MS = 5_000;
/** What providers said of themselves is used for so long. */
const KEPT_MS = 60_000;

export interface Taker {
  readonly providerId: number;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly endpoint: string;
  readonly freeCollateralWei: bigint;
  readonly info: ProviderInfo;
}

export class Takers {
  readonly #context: ProviderContext;
  #known: { readonly at: number; readonly takers: readonly Taker[] } | undefined;

  constructor(context: ProviderContext) {
    this.#context = context;
  }

  /** Those that fit, the emptiest first. */
  async find(slot: { readonly bytes: number; readonly payWei: bigint; readonly collateralWei: bigint }): Promise<readonly Taker[]> {
    const fit = (await this.#all()).filter(
      ({ info, freeCollateralWei }) =>
        info.freeBytes >= slot.bytes &&
        freeCollateralWei >= slot.collateralWei &&
        payForSlot(BigInt(info.pricePerGibPeriodWei), slot.bytes) <= slot.payWei,
    );
    return fit.sort((a, b) => b.info.freeBytes - a.info.freeBytes || a.providerId - b.providerId);
  }

  async #all(): Promise<readonly Taker[]> {
    const { chain, providerId, now } = this.#context;
    if (this.#known !== undefined && now() - this.#known.at < KEPT_MS) return this.#known.takers;
    const count = Number(await chain.registry.providerCount());
    const ids = Array.from({ length: Math.min(count, LOOKED_AT_MAX) }, (_, at) => count - at).filter((id) => id !== providerId);
    const takers: Taker[] = [];
    for (let at = 0; at < ids.length; at += ASKED_AT_ONCE) {
      const views = await Promise.all(ids.slice(at, at + ASKED_AT_ONCE).map((id) => this.#view(id)));
      takers.push(...views.filter((view) => view !== undefined));
    }
    this.#known = { at: now(), takers };
    return takers;
  }

  async #view(providerId: number): Promise<Taker | undefined> {
    const { chain } = this.#context;
    const [record, freeCollateralWei] = await Promise.all([
      chain.registry.getProvider(providerId),
      chain.registry.freeCollateral(providerId),
    ]);
    if (record.evictedAtPeriod !== 0n) return undefined;
    const info = await readInfo(record.endpoint);
    const isItself =
      info?.providerId === providerId && info.chainId === chain.book.chainId && info.operatorEpoch === Number(record.operatorEpoch);
    if (info === undefined || !isItself) return undefined;
    const { operator, endpoint } = record;
    return { providerId, operator, operatorEpoch: Number(record.operatorEpoch), endpoint, freeCollateralWei, info };
  }
}

async function readInfo(endpoint: string): Promise<ProviderInfo | undefined> {
  try {
    const response = await fetch(`${endpoint}/v1/info`, { signal: AbortSignal.timeout(INFO_MS), redirect: "error" });
    if (!response.ok) return undefined;
    const info = (await response.json()) as ProviderInfo;
    return Number.isSafeInteger(info.freeBytes) && /^\d{1,40}$/.test(info.pricePerGibPeriodWei) ? info : undefined;
  } catch {
    return undefined;
  }
}
