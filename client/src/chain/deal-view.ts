/** A deal as the chain shows it: header, slots and the providers behind them. Everything a reader verifies against. */
import { type DealHeader, decodeDealHeader, GWEI, PpioError } from "@ppio/core";
import { getBytes } from "ethers";
import { mapConcurrent } from "../deps.ts";
import type { Chain } from "./chain.ts";

export type DealStatus = "None" | "Active" | "Completed" | "Terminated" | "Failed";
export type SlotStatus = "None" | "Filled" | "Vacant" | "Closed" | "Challenged" | "Reserved";

export const DEAL_STATUS: readonly DealStatus[] = ["None", "Active", "Completed", "Terminated", "Failed"];
export const SLOT_STATUS: readonly SlotStatus[] = ["None", "Filled", "Vacant", "Closed", "Challenged", "Reserved"];

export interface SlotProvider {
  readonly providerId: number;
  readonly owner: string;
  readonly operator: string;
  readonly endpoint: string;
  readonly failureDomain: string;
  readonly evicted: boolean;
}

export interface SlotView {
  readonly slotIndex: number;
  readonly root: Uint8Array;
  readonly leafCount: number;
  readonly payPerPeriodWei: bigint;
  readonly collateralWei: bigint;
  readonly fromPeriod: number;
  readonly settledTo: number;
  readonly liveUntil: number;
  readonly status: SlotStatus;
  readonly provider: SlotProvider;
}

/** What reading takes of a slot: what its cells are held against, and who has them. */
export type SlotSource = Pick<SlotView, "slotIndex" | "root" | "status" | "provider">;

/** What reading takes of a deal. The roots never change; its providers do, seldom. */
export interface DealSource {
  readonly dealId: string;
  readonly header: DealHeader;
  readonly slots: readonly SlotSource[];
}

export interface DealView extends DealSource {
  readonly owner: string;
  readonly payer: string;
  readonly start: number;
  readonly end: number;
  readonly k: number;
  readonly n: number;
  readonly status: DealStatus;
  readonly renewUntil: number;
  readonly slots: readonly SlotView[];
}

const READS_CONCURRENT = 8;

/** Reads a deal; `NOT_FOUND` when it was never opened. */
export async function loadDeal(chain: Chain, dealId: string, signal?: AbortSignal): Promise<DealView> {
  const deal = await chain.read("deal", () => chain.market.deal(dealId), signal);
  const status = DEAL_STATUS[Number(deal.status)] ?? "None";
  if (status === "None") {
    throw new PpioError("NOT_FOUND", `There is no deal ${dealId} on this chain; check the id and the network.`, { details: { dealId } });
  }
  const slots = await chain.read("slots of the deal", () => chain.market.slots(dealId), signal);
  const ids = [...new Set(slots.map((slot) => Number(slot.providerId)))].filter((id) => id !== 0);
  const providers = new Map(
    await mapConcurrent(ids, READS_CONCURRENT, async (id) => [id, await loadSlotProvider(chain, id, signal)] as const),
  );
  return {
    dealId,
    owner: deal.owner,
    payer: deal.payer,
    start: Number(deal.start),
    end: Number(deal.end),
    k: Number(deal.k),
    n: Number(deal.n),
    status,
    renewUntil: Number(deal.renewUntil),
    header: decodeDealHeader(getBytes(deal.header)),
    slots: slots.map((slot, slotIndex) => ({
      slotIndex,
      root: getBytes(slot.root),
      leafCount: Number(slot.leafCount),
      payPerPeriodWei: slot.payGwei * GWEI,
      collateralWei: slot.collateralGwei * GWEI,
      fromPeriod: Number(slot.fromPeriod),
      settledTo: Number(slot.settledTo),
      liveUntil: Number(slot.liveUntil),
      status: SLOT_STATUS[Number(slot.status)] ?? "None",
      provider: providers.get(Number(slot.providerId)) ?? NOBODY,
    })),
  };
}

/** Who holds a slot that nobody holds. */
export const NOBODY: SlotProvider = { providerId: 0, owner: "", operator: "", endpoint: "", failureDomain: "", evicted: true };

export async function loadSlotProvider(chain: Chain, providerId: number, signal?: AbortSignal): Promise<SlotProvider> {
  const provider = await chain.read("provider", () => chain.registry.getProvider(providerId), signal);
  return {
    providerId,
    owner: provider.owner,
    operator: provider.operator,
    endpoint: provider.endpoint,
    failureDomain: provider.failureDomain,
    evicted: provider.evictedAtPeriod !== 0n,
  };
}
