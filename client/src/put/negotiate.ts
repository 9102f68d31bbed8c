/** From slots that were sent to offers that agree: dates for all of them, then a signature from every provider. */
import { checkOffer, type OfferDates, type OfferTerms, PpioError, type SlotOffer, type UploadTerms } from "@ppio/core";
import { hexlify } from "ethers";
import type { Context } from "../context.ts";
import type { AwakeClock } from "./awake-clock.ts";
import type { Crew, Runner } from "./crew.ts";
import { createPace, type Pace } from "./pace.ts";

export interface NegotiationOptions {
  readonly context: Context;
  readonly awake: AwakeClock;
  readonly crew: Crew;
  readonly terms: UploadTerms;
  readonly dates: () => Promise<OfferDates>;
  /** Pay that every offer must carry, by the slot's place. */
  readonly fixedPayWei: readonly bigint[] | undefined;
  /** Roots, by the slot's place, where they are known from the start. */
  readonly roots: readonly Uint8Array[] | undefined;
  readonly onChange: () => void;
  readonly onFailure: (error: unknown) => void;
}

export interface Negotiation {
  readonly options: NegotiationOptions;
  /** Of a signature. */
  readonly pace: Pace;
  roots: readonly Uint8Array[] | undefined;
  /** What was agreed last. */
  terms: OfferTerms | undefined;
  isAgreeing: boolean;
}

export function createNegotiation(options: NegotiationOptions): Negotiation {
  return { options, pace: createPace(), roots: options.roots, terms: undefined, isAgreeing: false };
}

/** Asks all who have a whole slot to sign, once every slot is whole somewhere. */
export function negotiate(negotiation: Negotiation): void {
  const { crew, onFailure, onChange } = negotiation.options;
  const { roots, isAgreeing } = negotiation;
  const isWhole = crew.slots.every((slot) => slot.offer !== undefined || [...slot.runners].some(({ state }) => isSent(state)));
  if (roots === undefined || isAgreeing || !isWhole || !crew.runners().some(({ state }) => state === "sent")) return;
  negotiation.isAgreeing = true;
  agree(negotiation, roots)
    .catch(onFailure)
    .finally(() => {
      negotiation.isAgreeing = false;
      onChange();
    });
}

function isSent(state: Runner["state"]): boolean {
  return state === "sent" || state === "signing";
}

async function agree(negotiation: Negotiation, roots: readonly Uint8Array[]): Promise<void> {
  const { crew, dates, terms } = negotiation.options;
  const agreed = await dates();
  // Offers of one deal have the same dates, and slots that came late may have taken longer than those before them hold.
  if (agreed.startBy !== negotiation.terms?.startBy || agreed.periods !== negotiation.terms.periods) {
    negotiation.terms = { ...terms, ...agreed };
    for (const slot of crew.slots) {
      if (slot.winner !== undefined) slot.winner.state = "sent";
      delete slot.offer;
      delete slot.winner;
    }
  }
  for (const runner of crew.runners()) {
    const root = roots[runner.slot.at];
    if (runner.state === "sent" && root !== undefined) void sign(negotiation, runner, root);
  }
}

/** Never rejects. */
async function sign(negotiation: Negotiation, runner: Runner, root: Uint8Array): Promise<void> {
  const { context, awake, crew, fixedPayWei, onChange } = negotiation.options;
  const { slot, candidate, upload } = runner;
  const payWei = fixedPayWei?.[slot.at];
  const pay = payWei === undefined ? {} : { payPerPeriodWei: payWei };
  runner.state = "signing";
  runner.sinceMs = awake.nowMs();
  try {
    const offer = await offerSigned();
    if (slot.runners.has(runner)) crew.win(runner, offer);
  } catch (error) {
    crew.giveUp(runner, error);
  }
  runner.sinceMs = undefined;
  onChange();

  async function offerSigned(): Promise<SlotOffer> {
    for (;;) {
      const { terms } = negotiation;
      if (terms === undefined) throw new PpioError("INTERNAL", "Nobody signs before there are terms.");
      const { startBy, periods, renewUntil } = terms;
      const body = await upload.finish({
        root: hexlify(root),
        startBy,
        periods,
        renewUntil,
        ...(payWei === undefined ? {} : { payPerPeriodWei: payWei.toString() }),
      });
      // Others have agreed on new dates meanwhile.
      if (negotiation.terms !== terms) continue;
      const nowMs = awake.nowMs();
      negotiation.pace.note(nowMs - (runner.sinceMs ?? nowMs));
      return checkOffer({
        domain: context.chain.domain,
        terms,
        slotIndex: slot.slotIndex,
        root,
        candidate: { ...candidate, ...pay },
        body,
        nowSeconds: Math.floor(context.clock.nowMs() / 1000),
      });
    }
  }
}
