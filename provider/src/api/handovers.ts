/**
 * Taking a slot over from a provider that leaves (docs/protocol/http.md, "Handing over"). No key of the owner is needed: the chain says who
 * holds the slot, on which terms, and what root its bytes have; the holder signs that it wants to give it here.
 */
import {
  dealIdOf,
  decodeDealHeader,
  type FinishHandOverBody,
  GWEI,
  type HandOverBody,
  handOverMessage,
  type OfferBody,
  PpioError,
  payForSlot,
  slotBytes,
  type UploadState,
} from "@ppio/core";
import { getBytes } from "ethers";
import type { Express } from "express";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import { DEAL_ACTIVE, isHeld, SLOT_FILLED } from "../slot-status.ts";
import { type SlotMeta, uploadIdOf } from "../store/slot-record.ts";
import type { Gate } from "./gate.ts";
import type { OfferDesk } from "./offers.ts";
import { parseFinishHandOver, parseHandOver } from "./parse.ts";
import { checkQuota, stateOf } from "./uploads.ts";

/** A slot as the chain has it. */
interface GivenSlot {
  readonly owner: string;
  readonly payer: string;
  readonly end: number;
  readonly renewUntil: number;
  /** 0x hex. */
  readonly header: string;
  readonly root: string;
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
}

export function addHandOverRoutes(app: Express, context: ProviderContext, offers: OfferDesk, finishes: Gate): void {
  app.post("/v1/handovers", async (request, response) => {
    response.json(await openHandOver(context, parseHandOver(request.body)));
  });
  app.post("/v1/handovers/:id/finish", async (request, response) => {
    const body = parseFinishHandOver(request.body);
    const { dealId, slotIndex } = body.request;
    if (uploadIdOf(dealId, slotIndex) !== request.params.id) {
      throw new PpioError("BAD_FORMAT", "The hand-over is of another slot than the path says.");
    }
    response.json(await finishHandOver(context, offers, finishes, body));
  });
}

async function openHandOver(context: ProviderContext, body: HandOverBody): Promise<UploadState> {
  const slot = await checkHandOver(context, body);
  const { dealId, slotIndex } = body.request;
  const uploadId = uploadIdOf(dealId, slotIndex);
  const known = context.store.find(uploadId);
  if (known !== undefined) return stateOf(context, uploadId);
  context.admission.check();
  context.pricing.checkPayer(slot.payer);
  const header = decodeDealHeader(getBytes(slot.header));
  const askedWei = payForSlot(context.pricing.askedWei, slotBytes(header));
  if (slot.payPerPeriodWei < askedWei) {
    throw new PpioError("REFUSED", `This provider asks ${askedWei} wei per period, and the slot pays ${slot.payPerPeriodWei}.`);
  }
  checkQuota(context, slot.payer, slotBytes(header));
  const meta: SlotMeta = {
    version: 1,
    uploadId,
    dealId,
    dealSalt: body.dealSalt,
    slotIndex,
    owner: slot.owner,
    payer: slot.payer,
    header: slot.header,
    state: "receiving",
    root: null,
    createdAt: context.now(),
    offeredUntil: 0,
  };
  await context.store.create(meta);
  context.log.info("hand-over opened", { uploadId, dealId, slotIndex, from: body.request.fromProviderId });
  return stateOf(context, uploadId);
}

async function finishHandOver(context: ProviderContext, offers: OfferDesk, finishes: Gate, body: FinishHandOverBody): Promise<OfferBody> {
  const slot = await checkHandOver(context, body);
  const { dealId, slotIndex } = body.request;
  const uploadId = uploadIdOf(dealId, slotIndex);
  stateOf(context, uploadId);
  if (body.startBy >= slot.end) throw new PpioError("BAD_FORMAT", `The deal ends with period ${slot.end - 1}; start before.`);
  const meta = await finishes.run(1, () => context.store.check(uploadId, slot.root));
  const terms = { startBy: body.startBy, periods: slot.end - body.startBy, renewUntil: slot.renewUntil };
  const money = { payPerPeriodWei: String(slot.payPerPeriodWei), minCollateralWei: String(slot.collateralWei) };
  return offers.make(meta, { root: slot.root, ...terms, ...money });
}

/** @throws UNAUTHORIZED, CONFLICT, CHAIN_UNREACHABLE */
async function checkHandOver(context: ProviderContext, body: HandOverBody): Promise<GivenSlot> {
  const { chain, domain, providerId, now } = context;
  const { request, signature, dealSalt } = body;
  const { dealId, slotIndex, fromProviderId } = request;
  if (request.toProviderId !== providerId) {
    throw new PpioError("UNAUTHORIZED", `The hand-over is to provider ${request.toProviderId}, this is ${providerId}.`);
  }
  if (request.expiry * 1000 < now()) throw new PpioError("UNAUTHORIZED", "The hand-over has expired; sign a new one.");
  const [deal, slots, [operator]] = await askChain(() =>
    Promise.all([chain.market.deal(dealId), chain.market.slots(dealId), chain.registry.signerOf(fromProviderId)]),
  );
  const slot = slots[slotIndex];
  const isTheirs = slot !== undefined && Number(slot.providerId) === fromProviderId && slot.status === SLOT_FILLED;
  if (deal.status !== DEAL_ACTIVE || !isTheirs) {
    throw new PpioError("CONFLICT", `Provider ${fromProviderId} does not hold slot ${slotIndex} of that deal.`, { retry: "never" });
  }
  if (handOverMessage.recover(domain, request, signature) !== operator) {
    throw new PpioError("UNAUTHORIZED", `The hand-over is not signed by the operator of provider ${fromProviderId}.`);
  }
  if (slots.some((other) => Number(other.providerId) === providerId && isHeld(other.status))) {
    throw new PpioError("REFUSED", "This provider holds a slot of that deal already; use another one.", { retry: "never" });
  }
  if (dealIdOf(domain, deal.owner, dealSalt) !== dealId) throw new PpioError("BAD_FORMAT", "The deal's salt is another one.");
  return {
    owner: deal.owner,
    payer: deal.payer,
    end: Number(deal.end),
    renewUntil: Number(deal.renewUntil),
    header: deal.header,
    root: slot.root,
    payPerPeriodWei: slot.payGwei * GWEI,
    collateralWei: slot.collateralGwei * GWEI,
  };
}
