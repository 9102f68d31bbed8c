/** A provider's state for its operator: income, proofs, penalties, space, troubles. */
import type { OpenAlert } from "../alerts/alerts.ts";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import type { ExitDesk, ExitProgress } from "../exit/exit-desk.ts";
import type { History, HistoryReader } from "./history.ts";

export interface Report extends History {
  readonly version: 1;
  readonly providerId: number;
  readonly owner: string;
  readonly operator: string;
  readonly endpoint: string;
  readonly period: number;
  readonly lastProvenPeriod: number;
  readonly evictedAtPeriod: number;
  /** Misses of the running incident. */
  readonly incidentMisses: number;
  readonly collateralWei: bigint;
  readonly lockedWei: bigint;
  /** In the market, to be claimed by the owner. */
  readonly creditWei: bigint;
  readonly coinWei: bigint;
  readonly pricePerGibPeriodWei: bigint;
  /** Of reads; 0 when they are free. */
  readonly readPricePerGibWei: bigint;
  /** Vouchers held that are not redeemed yet. */
  readonly vouchersOpenWei: bigint;
  /** In the escrow, to be claimed by the owner. */
  readonly readsCreditWei: bigint;
  readonly slots: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly uploadedBytes: number;
  readonly servedBytes: number;
  readonly hindrances: readonly string[];
  readonly alerts: readonly OpenAlert[];
  readonly damage: { readonly suspects: number; readonly damaged: readonly string[]; readonly isHeldBack: boolean };
  readonly exit: ExitProgress;
}

/** @throws CHAIN_UNREACHABLE */
export function readReport(context: ProviderContext, exit: ExitDesk, history: HistoryReader): Promise<Report> {
  const { chain, config, providerId, operator, store, metrics, damage, alerts, admission, pricing } = context;
  return askChain(async () => {
    const [sums, record, penalties, period, coinWei] = await Promise.all([
      history.read(),
      chain.registry.getProvider(providerId),
      chain.proofs.penaltyRecord(providerId),
      chain.proofs.currentPeriod(),
      chain.rpc.getBalance(operator.address),
    ]);
    return {
      version: 1,
      providerId,
      owner: record.owner,
      operator: operator.address,
      endpoint: record.endpoint,
      period: Number(period),
      lastProvenPeriod: metrics.get("ppio_last_proven_period"),
      evictedAtPeriod: Number(record.evictedAtPeriod),
      incidentMisses: Number(penalties.incidentMisses),
      ...sums,
      collateralWei: record.collateralWei,
      lockedWei: record.lockedWei,
      creditWei: await chain.market.creditOf(record.owner),
      coinWei,
      pricePerGibPeriodWei: pricing.presentWei,
      readPricePerGibWei: config.readPricePerGibWei,
      vouchersOpenWei: BigInt(Math.round(metrics.get("ppio_vouchers_open_wei"))),
      readsCreditWei: await chain.escrow.creditOf(record.owner),
      slots: store.count,
      usedBytes: store.usedBytes,
      capacityBytes: config.capacityBytes,
      uploadedBytes: metrics.get("ppio_uploaded_bytes_total"),
      servedBytes: metrics.get("ppio_served_bytes_total"),
      hindrances: admission.hindrances,
      alerts: alerts.open(),
      damage: { suspects: damage.suspects.length, damaged: damage.damaged, isHeldBack: damage.isHeldBack },
      exit: exit.progress,
    };
  });
}
