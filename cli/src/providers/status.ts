/** How a provider is now: from the chain's views and from its own health report. */
import type { ChainContracts } from "@ppio/daemon";

export interface ProviderStatus {
  readonly providerId: number;
  readonly endpoint: string;
  readonly owner: string;
  readonly operator: string;
  readonly operatorEpoch: number;
  readonly collateralWei: bigint;
  readonly lockedWei: bigint;
  readonly creditWei: bigint;
  /** For reads, in the escrow. */
  readonly readsCreditWei: bigint;
  readonly incidentMisses: number;
  readonly evictedAtPeriod: number;
  /** Vacant slots of others that its operator rebuilt, and what that earned. */
  readonly repairedSlots: number;
  readonly premiumsWei: bigint;
  readonly health: string;
}

const HEALTH_MS = 3_000;

export async function readProviderStatus(
  contracts: ChainContracts,
  fromBlock: number,
  providerId: number,
  signal: AbortSignal,
): Promise<ProviderStatus> {
  const { registry, proofs, market, repair, escrow } = contracts;
  const record = await registry.getProvider(providerId);
  const [repaired, penalties, creditWei, readsCreditWei, health] = await Promise.all([
    repair.queryFilter(repair.filters.SlotRepaired(undefined, undefined, record.operator), fromBlock),
    proofs.penaltyRecord(providerId),
    market.creditOf(record.owner),
    escrow.creditOf(record.owner),
    readHealth(record.endpoint, signal),
  ]);
  return {
    providerId,
    endpoint: record.endpoint,
    owner: record.owner,
    operator: record.operator,
    operatorEpoch: Number(record.operatorEpoch),
    collateralWei: record.collateralWei,
    lockedWei: record.lockedWei,
    creditWei,
    readsCreditWei,
    incidentMisses: Number(penalties.incidentMisses),
    evictedAtPeriod: Number(record.evictedAtPeriod),
    repairedSlots: repaired.length,
    premiumsWei: repaired.reduce((sum, event) => sum + event.args.premiumWei, 0n),
    health,
  };
}

async function readHealth(endpoint: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await fetch(`${endpoint}/v1/health`, { signal: AbortSignal.any([signal, AbortSignal.timeout(HEALTH_MS)]) });
    const body = (await response.json()) as { readonly status?: unknown };
    return String(body.status ?? response.status);
  } catch {
    return "does not answer";
  }
}
