/** What the fuzzer sees: the whole state of the core after a step, and the events that led there. */
import type { Result } from "ethers";
import type { StateLens } from "../../../typechain-types/mocks/StateLens.ts";
import type { Model } from "./model.ts";

type LensState = StateLens.StateStructOutput;
type Scalars = "timestamp" | "current" | "marketWei" | "registryWei" | "challengesWei" | "repairWei" | "fundWei" | "unclaimedWei";
type Lists = "deals" | "providers" | "accounts";
/** The lens's answer with plain lists: those of ethers throw beyond their end. */
export type State = Pick<LensState, Scalars | Lists>;
export type DealState = StateLens.DealStateStructOutput;
export type SlotState = StateLens.SlotStateStructOutput;
export type ProviderState = StateLens.ProviderStateStructOutput;

export const GWEI = 1_000_000_000n;
export const BPS = 10_000n;
export const OFF_LINE_GWEI = 2n ** 48n - 1n;
export const DEAL = { none: 0n, active: 1n, completed: 2n, terminated: 3n, failed: 4n } as const;
export const SLOT = { none: 0n, filled: 1n, vacant: 2n, closed: 3n, challenged: 4n, reserved: 5n } as const;

export type Source = "market" | "registry" | "proofs" | "policy" | "challenges" | "repair" | "beacon" | "fraud";

export interface CoreEvent {
  readonly from: Source;
  readonly name: string;
  readonly args: Result;
}

/** One step: an action that was mined, or the passing of time. */
export interface Step {
  readonly action: string;
  readonly events: readonly CoreEvent[];
  readonly before: State;
  readonly now: State;
  readonly model: Model;
}

export interface SlotView {
  readonly dealAt: number;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly key: string;
  readonly deal: DealState["deal"];
  readonly state: SlotState;
}

/** An interval that is or was on a provider's line. */
export interface Interval {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly key: string;
  readonly providerId: bigint;
  readonly start: bigint;
  readonly pay: bigint;
  readonly collateral: bigint;
  readonly from: bigint;
  readonly until: bigint;
  /** Not yet taken out of the inventory. */
  readonly isInInventory: boolean;
}

export function plain(state: LensState): State {
  const { timestamp, current, marketWei, registryWei, challengesWei, repairWei, fundWei, unclaimedWei } = state;
  return {
    ...{ timestamp, current, marketWei, registryWei, challengesWei, repairWei, fundWei, unclaimedWei },
    ...{ deals: Array.from(state.deals), providers: Array.from(state.providers), accounts: Array.from(state.accounts) },
  };
}

export const slotKey = (dealId: string, slotIndex: number | bigint): string => `${dealId}/${slotIndex}`;

export function slotsOf(state: State, dealIds: readonly string[]): SlotView[] {
  const views: SlotView[] = [];
  for (const [dealAt, dealId] of dealIds.entries()) {
    const deal = state.deals[dealAt];
    if (deal === undefined) continue;
    for (const [slotIndex, slot] of deal.slots.entries()) {
      views.push({ dealAt, dealId, slotIndex, key: slotKey(dealId, slotIndex), deal: deal.deal, state: slot });
    }
  }
  return views;
}

/** Whether somebody holds the slot by its own word; the view says Vacant as soon as the holder is evicted. */
export function isHeld(view: SlotView, model: Model): boolean {
  return view.state.slot.status !== SLOT.closed && model.held.has(view.key);
}

/** All intervals, of holders, of those who held a slot to its end, and of past tenures. */
export function intervals(state: State, model: Model): Interval[] {
  const all: Interval[] = [];
  for (const view of slotsOf(state, model.dealIds)) {
    const { dealId, slotIndex, key } = view;
    const { slot, past } = view.state;
    if (model.held.has(key)) {
      all.push({
        ...{ dealId, slotIndex, key, providerId: slot.providerId, start: slot.startGwei, pay: slot.payGwei },
        ...{ collateral: slot.collateralGwei, from: slot.fromPeriod, until: view.deal.end, isInInventory: slot.status !== SLOT.closed },
      });
    }
    for (const { providerId, tenure } of past) {
      all.push({
        ...{ dealId, slotIndex, key, providerId, start: tenure.startGwei, pay: tenure.payGwei },
        ...{ collateral: tenure.collateralGwei, from: tenure.fromPeriod, until: tenure.untilPeriod, isInInventory: !tenure.isSettled },
      });
    }
  }
  return all;
}
