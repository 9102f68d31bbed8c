/** Checking what a provider signed before money is bound to it. */
import { hexlify, Signature } from "ethers";
import { type Offer, offerMessage, type SigningDomain } from "../chain/typed-data.ts";
import { PpioError } from "../errors.ts";
import { type DealHeader, dealHeaderHash } from "../format/headers.ts";
import { leafCountOf } from "../tree/slot-tree.ts";
import { GWEI, type OfferBody } from "./api.ts";

/** Who is asked for an offer, as the registry and it itself describe it. */
export interface OfferingProvider {
  readonly providerId: number;
  readonly operator: string;
  readonly operatorEpoch: number;
  /** What the slot may cost at most. */
  readonly payPerPeriodWei: bigint;
}

/** What the slots of a deal have in common from the first byte on. */
export interface UploadTerms {
  readonly owner: string;
  readonly payer: string;
  readonly dealSalt: string;
  readonly header: DealHeader;
  readonly renewUntil: number;
}

/** From when and for how long offers bind: agreed when all slots are there, however long that took. */
export interface OfferDates {
  readonly startBy: number;
  readonly periods: number;
}

export interface OfferTerms extends UploadTerms, OfferDates {}

/** A slot's offer as the market takes it. */
export interface SlotOffer {
  readonly providerId: number;
  readonly operatorEpoch: number;
  readonly root: string;
  readonly leafCount: number;
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
  readonly expiry: number;
  /** Compact signature (EIP-2098). */
  readonly r: string;
  readonly vs: string;
}

const GWEI_MAX = 2n ** 40n - 1n;
/** An offer that holds for less would expire before a deal with it is mined. */
export const OFFER_HOLDS_SECONDS_MIN = 30;

/** @throws REFUSED when the provider offers anything but what it was asked for, CORRUPT when it signs for other bytes or is not the one who signs */
export function checkOffer(options: {
  readonly domain: SigningDomain;
  readonly terms: OfferTerms;
  readonly slotIndex: number;
  readonly root: Uint8Array;
  readonly candidate: OfferingProvider;
  readonly body: OfferBody;
  readonly nowSeconds: number;
}): SlotOffer {
  const { terms, candidate, body, slotIndex } = options;
  const refuse = (why: string, code: "REFUSED" | "CORRUPT" = "REFUSED"): PpioError =>
    new PpioError(code, `Provider ${candidate.providerId} made an offer that does not fit: ${why}; another provider is used.`);
  const offer: Offer = {
    providerId: candidate.providerId,
    operatorEpoch: candidate.operatorEpoch,
    owner: terms.owner,
    payer: terms.payer,
    dealSalt: terms.dealSalt,
    slotIndex,
    k: terms.header.k,
    n: terms.header.n,
    headerHash: dealHeaderHash(terms.header),
    root: hexlify(options.root),
    leafCount: leafCountOf(terms.header),
    payPerPeriodWei: BigInt(body.payPerPeriodWei),
    collateralWei: BigInt(body.collateralWei),
    startBy: terms.startBy,
    periods: terms.periods,
    renewUntil: terms.renewUntil,
    expiry: body.expiry,
  };
  if (body.root.toLowerCase() !== offer.root) throw refuse("its root is not the root of what was sent", "CORRUPT");
  if (body.leafCount !== offer.leafCount) throw refuse("it counts other leaves");
  if (body.startBy !== offer.startBy || body.periods !== offer.periods || body.renewUntil !== offer.renewUntil)
    throw refuse("other periods");
  if (offer.payPerPeriodWei > candidate.payPerPeriodWei) throw refuse(`it asks for ${offer.payPerPeriodWei} wei per period`);
  // What the market refuses would cost the whole deal its transaction.
  for (const amountWei of [offer.payPerPeriodWei, offer.collateralWei]) {
    if (!isWholeGwei(amountWei)) throw refuse(`${amountWei} wei is no whole number of gwei from 1 to 2^40 - 1`);
  }
  if (offer.expiry < options.nowSeconds + OFFER_HOLDS_SECONDS_MIN) throw refuse(`it holds for less than ${OFFER_HOLDS_SECONDS_MIN} s`);
  const signer = offerMessage.recover(options.domain, offer, body.signature);
  if (signer !== candidate.operator) throw refuse("its operator did not sign it", "CORRUPT");
  const { providerId, operatorEpoch, root, leafCount, payPerPeriodWei, collateralWei, expiry } = offer;
  const { r, yParityAndS: vs } = Signature.from(body.signature);
  return { providerId, operatorEpoch, root, leafCount, payPerPeriodWei, collateralWei, expiry, r, vs };
}

/** As the market takes amounts of a slot. */
function isWholeGwei(amountWei: bigint): boolean {
  return amountWei > 0n && amountWei % GWEI === 0n && amountWei / GWEI <= GWEI_MAX;
}
