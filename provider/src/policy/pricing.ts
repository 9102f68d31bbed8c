/**
 * What a provider asks, and of whom it takes (docs/operating/provider.md, "Price"):
 *
 *     price = pricePerGibPeriodWei x (1 + priceRisePercent / 100 x fullness^2),   fullness = used / capacity, in steps of 1/32
 *
 * so that a nearly empty disk is cheap, and its last space goes to whoever wants it most.
 */
import { PpioError } from "@ppio/core";
import { getAddress, isAddress } from "ethers";
import type { ProviderConfig } from "../options.ts";

/** Few enough that what was quoted mostly still holds when the upload comes. */
const STEPS = 32n;
/** A price that was quoted binds for so long: a customer compares first and uploads then. */
const QUOTE_KEPT_MS = 600_000;

export interface PricingOptions {
  readonly config: ProviderConfig;
  readonly usedBytes: () => number;
  readonly now: () => number;
}

export class Pricing {
  readonly #options: PricingOptions;
  readonly #allowed: ReadonlySet<string>;
  readonly #denied: ReadonlySet<string>;
  /** When each price was quoted last; at most one per step. */
  readonly #quotes = new Map<bigint, number>();

  /** @throws CONFIG when a list of payers is no list of addresses */
  constructor(options: PricingOptions) {
    const { payersAllowed, payersDenied, periodsMin, periodsMax } = options.config;
    if (periodsMin > periodsMax) throw new PpioError("CONFIG", `"periodsMin" is ${periodsMin}, above "periodsMax", ${periodsMax}.`);
    this.#options = options;
    this.#allowed = parsePayers("payersAllowed", payersAllowed);
    this.#denied = parsePayers("payersDenied", payersDenied);
  }

  /** The price as of now, in wei per GiB and period. */
  get presentWei(): bigint {
    const { config, usedBytes } = this.#options;
    const step = (BigInt(Math.min(usedBytes(), config.capacityBytes)) * STEPS) / BigInt(config.capacityBytes);
    const base = config.pricePerGibPeriodWei;
    return base + (base * BigInt(config.priceRisePercent) * step * step) / (100n * STEPS * STEPS);
  }

  /** The price as of now, which binds for a while. */
  quote(): bigint {
    const price = this.presentWei;
    this.#quotes.set(price, this.#options.now());
    return price;
  }

  /** The least that is taken: the price as of now, or a lower one that was quoted not long ago. */
  get askedWei(): bigint {
    let least = this.presentWei;
    for (const [price, at] of this.#quotes) {
      if (this.#options.now() - at > QUOTE_KEPT_MS) this.#quotes.delete(price);
      else if (price < least) least = price;
    }
    return least;
  }

  get isOpenToAll(): boolean {
    return this.#allowed.size === 0;
  }

  /** @throws REFUSED */
  checkPayer(payer: string): void {
    const address = getAddress(payer);
    const isWelcome = !this.#denied.has(address) && (this.#allowed.size === 0 || this.#allowed.has(address));
    if (!isWelcome) {
      throw new PpioError("REFUSED", "This provider takes nothing that this payer pays for; use another one.", { retry: "never" });
    }
  }

  /** @throws REFUSED */
  checkPeriods(periods: number): void {
    const { periodsMin, periodsMax } = this.#options.config;
    if (periods < periodsMin || periods > periodsMax) {
      throw new PpioError("REFUSED", `This provider takes deals of ${periodsMin} to ${periodsMax} periods.`, { retry: "never" });
    }
  }

  /** @throws REFUSED */
  checkCollateral(collateralWei: bigint): void {
    const { maxCollateralWei } = this.#options.config;
    if (maxCollateralWei > 0n && collateralWei > maxCollateralWei) {
      const message = `The slot would lock ${collateralWei} wei of this provider's collateral, which gives at most ${maxCollateralWei} for one.`;
      throw new PpioError("REFUSED", message, { retry: "never" });
    }
  }
}

function parsePayers(name: string, text: string): ReadonlySet<string> {
  const parts = text.split(",").map((part) => part.trim());
  const payers = parts.filter((part) => part !== "");
  const wrong = payers.find((payer) => !isAddress(payer));
  if (wrong !== undefined) throw new PpioError("CONFIG", `"${name}" has "${wrong}", which is no address; separate addresses by commas.`);
  return new Set(payers.map(getAddress));
}
