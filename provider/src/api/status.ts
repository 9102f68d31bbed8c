/** What anybody may ask: who this is, whether it is well, and its metrics. */
import { access, constants } from "node:fs/promises";
import { isPpioError, type ProviderInfo, readTermsBody } from "@ppio/core";
import type { Express } from "express";
import type { ProviderContext } from "../context.ts";
import type { PaymentDesk } from "../pay/desk.ts";
import { READ_BYTES_MAX } from "./limits.ts";

/** Asking for one's health must not become a load on the node behind it. */
const HEALTH_KEPT_MS = 1_000;

export function addStatusRoutes(app: Express, context: ProviderContext, payments?: PaymentDesk): void {
  const { config, chain, store, metrics } = context;
  app.get("/v1/info", async (_request, response) => {
    response.json({
      version: 1,
      providerId: context.providerId,
      operator: context.operator.address,
      operatorEpoch: context.operatorEpoch,
      chainId: chain.book.chainId,
      market: chain.book.market,
      pricePerGibPeriodWei: String(context.pricing.quote()),
      collateralPeriods: config.collateralPeriods,
      freeBytes: context.admission.hindrances.length === 0 ? await store.availableBytes() : 0,
      maxReadBytes: READ_BYTES_MAX,
      policy: {
        periodsMin: config.periodsMin,
        periodsMax: config.periodsMax,
        minCollateralWei: String(config.minCollateralWei),
        maxCollateralWei: String(config.maxCollateralWei),
        priceRisePercent: config.priceRisePercent,
        isOpenToAll: context.pricing.isOpenToAll,
        hindrances: context.admission.hindrances,
      },
      ...(payments === undefined ? {} : { reads: readTermsBody(payments.terms) }),
    } satisfies ProviderInfo);
  });
  const checkDisk = keepFor(HEALTH_KEPT_MS, context.now, () => diskState(context));
  const checkChain = keepFor(HEALTH_KEPT_MS, context.now, () => passes(() => chain.rpc.getBlockNumber()));
  app.get("/v1/ready", async (_request, response) => {
    const [disk, chainIsThere] = await Promise.all([checkDisk(), checkChain()]);
    const { hindrances } = context.admission;
    const isReady = disk === "ok" && chainIsThere && hindrances.length === 0;
    response.status(isReady ? 200 : 503).json({ status: isReady ? "ready" : "not ready", disk, chain: chainIsThere, hindrances });
  });
  app.get("/v1/health", async (_request, response) => {
    const [disk, isChainThere] = await Promise.all([checkDisk(), checkChain()]);
    const status = disk === "ok" && isChainThere ? "ok" : "failing";
    response.status(status === "ok" ? 200 : 503).json({
      status,
      disk,
      chain: isChainThere ? "ok" : "the chain does not answer",
      damagedSlots: store.damagedSlots,
      slotsSetAside: store.slotsSetAside,
      lastProvenPeriod: metrics.get("ppio_last_proven_period"),
      // Whoever reads this has reached us: it is told, and decides nothing.
      reachable: metrics.get("ppio_reachable"),
      reachProblems: metrics.get("ppio_reach_problems"),
    });
  });
  app.get("/v1/metrics", async (_request, response) => {
    metrics.set("ppio_disk_ok", (await checkDisk()) === "ok" ? 1 : 0);
    metrics.set("ppio_slots_set_aside", store.slotsSetAside);
    metrics.set("ppio_used_bytes", store.usedBytes);
    metrics.set("ppio_free_bytes", store.freeBytes);
    metrics.set("ppio_slots", store.count);
    metrics.set("ppio_damaged_slots", store.damagedSlots);
    metrics.set("ppio_open_alerts", context.alerts.open().length);
    metrics.set("ppio_accepting", context.admission.hindrances.length === 0 ? 1 : 0);
    metrics.set("ppio_price_wei", Number(context.pricing.presentWei));
    response.type("text/plain; version=0.0.4").send(metrics.render());
  });
}

/** What strangers are told; paths stay in the log. A disk that is not mounted leaves a folder that can be written: the store knows its own. */
async function diskState({ config, store, log }: ProviderContext): Promise<string> {
  try {
    await access(config.dataDir, constants.W_OK);
    await store.probe();
    return "ok";
  } catch (error) {
    log.error("the disk of the slots is not well", { error });
    return isPpioError(error, "NO_SPACE") ? "the disk is full" : "the data folder cannot be written";
  }
}

async function passes(check: () => Promise<unknown>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch {
    return false;
  }
}

/** Many who ask at about the same time get the same answer. */
function keepFor<T>(ms: number, now: () => number, ask: () => Promise<T>): () => Promise<T> {
  let kept: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (kept === undefined || now() - kept.at >= ms) kept = { at: now(), answer: ask() };
    return kept.answer;
  };
}
