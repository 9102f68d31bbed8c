/** Signing offers: only for slots that are held and verified, at the provider's price, and never for more collateral than is free. */
import {
  type DigestSigner,
  dealHeaderHash,
  digestSigner,
  type FinishUploadBody,
  GWEI,
  leafCountOf,
  type Offer,
  type OfferBody,
  offerMessage,
  PpioError,
  payForSlot,
  slotBytes,
} from "@ppio/core";
import { hexlify } from "ethers";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import { headerOf, type SlotMeta } from "../store/slot-record.ts";

/** A repaired slot may lock so many times what this provider asks by its own rule. */
const COLLATERAL_FACTOR_MAX = 4n;

interface Reservation {
  readonly collateralWei: bigint;
  readonly untilMs: number;
}

export class OfferDesk {
  readonly #context: ProviderContext;
  readonly #sign: DigestSigner;
  /** Collateral that offers which are out may lock, by upload. */
  readonly #reserved = new Map<string, Reservation>();

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#sign = digestSigner(context.operator.privateKey);
  }

  /**
   * Makes a slot durable, whose bytes were found to have the root that `body` says, and signs an offer for it.
   * @throws REFUSED, NO_FUNDS, CHAIN_UNREACHABLE, and what `SlotStore.seal` throws
   */
  async make(meta: SlotMeta, body: FinishUploadBody): Promise<OfferBody> {
    const context = this.#context;
    const { config, providerId } = context;
    const { registry, token } = context.chain;
    const header = headerOf(meta);
    const ownPay = payForSlot(context.pricing.askedWei, slotBytes(header));
    const payPerPeriodWei = body.payPerPeriodWei === undefined ? ownPay : BigInt(body.payPerPeriodWei);
    if (payPerPeriodWei < ownPay)
      throw new PpioError("REFUSED", `This provider asks ${ownPay} wei per period, more than the ${payPerPeriodWei} offered.`);
    const collateralWei = this.#collateralFor(payPerPeriodWei, BigInt(body.minCollateralWei ?? 0));
    context.pricing.checkCollateral(collateralWei);
    context.admission.check();
    const [freeWei, balanceWei] = await askChain(() => Promise.all([registry.freeCollateral(providerId), token.balanceOf(meta.payer)]));
    // What a named pay is for is in the deal's escrow already.
    if (body.payPerPeriodWei === undefined) checkBalance(meta.payer, balanceWei, payPerPeriodWei * BigInt(body.periods));
    this.#reserve(meta.uploadId, collateralWei, freeWei);

    const offer: Offer = {
      providerId,
      operatorEpoch: context.operatorEpoch,
      owner: meta.owner,
      payer: meta.payer,
      dealSalt: meta.dealSalt,
      slotIndex: meta.slotIndex,
      k: header.k,
      n: header.n,
      headerHash: dealHeaderHash(header),
      root: body.root.toLowerCase(),
      leafCount: leafCountOf(header),
      payPerPeriodWei,
      collateralWei,
      startBy: body.startBy,
      periods: body.periods,
      renewUntil: body.renewUntil,
      expiry: Math.floor(context.now() / 1000) + config.offerSeconds,
    };
    const signature = hexlify(this.#sign(offerMessage.digest(context.domain, offer)));
    // It does not leave before the slot, and until when the offer can be used, are on the disk.
    await context.store.seal(meta.uploadId, body.root, offer.expiry);
    context.metrics.add("ppio_offers_total", 1);
    return {
      providerId: offer.providerId,
      operatorEpoch: offer.operatorEpoch,
      root: offer.root,
      leafCount: offer.leafCount,
      payPerPeriodWei: String(payPerPeriodWei),
      collateralWei: String(collateralWei),
      startBy: offer.startBy,
      periods: offer.periods,
      renewUntil: offer.renewUntil,
      expiry: offer.expiry,
      signature,
    };
  }

  /** By this provider's rule, or what the holder before had at risk, within reason. @throws REFUSED */
  #collateralFor(payPerPeriodWei: bigint, askedWei: bigint): bigint {
    const { config } = this.#context;
    const ruleWei = roundUpToGwei(max(payPerPeriodWei * BigInt(config.collateralPeriods), config.minCollateralWei));
    if (askedWei > ruleWei * COLLATERAL_FACTOR_MAX) {
      throw new PpioError(
        "REFUSED",
        `This provider puts at most ${ruleWei * COLLATERAL_FACTOR_MAX} wei at risk for this pay; use another one.`,
      );
    }
    return max(ruleWei, roundUpToGwei(askedWei));
  }

  /** Two offers must not count on the same collateral: a deal that finds it gone would fail for all its providers. */
  #reserve(uploadId: string, collateralWei: bigint, freeWei: bigint): void {
    const { config, store, now } = this.#context;
    let reserved = collateralWei;
    for (const [id, { collateralWei: wei, untilMs }] of this.#reserved) {
      if (untilMs < now() || store.isDealt(id)) this.#reserved.delete(id);
      else if (id !== uploadId) reserved += wei;
    }
    if (freeWei < reserved) throw new PpioError("REFUSED", "This provider has no free collateral for another slot; use another one.");
    this.#reserved.set(uploadId, { collateralWei, untilMs: now() + config.offerSeconds * 1000 });
  }
}

/** @throws NO_FUNDS */
export function checkBalance(payer: string, balanceWei: bigint, neededWei: bigint): void {
  if (balanceWei < neededWei) {
    throw new PpioError("NO_FUNDS", `The payer ${payer} holds ${balanceWei} wei and the slot costs ${neededWei}; add tokens first.`);
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function roundUpToGwei(wei: bigint): bigint {
  return ((wei + GWEI - 1n) / GWEI) * GWEI;
}
