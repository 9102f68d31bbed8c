/** What anybody may ask: who this is, whether it is well, and its metrics. */
import { access, constants } from "node:fs/promises";
import type { ProviderInfo } from "@ppio/core";
import type { Express } from "express";
import type { ProviderContext } from "../context.ts";
import { READ_BYTES_MAX } from "./reads.ts";

export function addStatusRoutes(app: Express, context: ProviderContext): void {
  const { config, chain, store, metrics } = context;
  app.get("/v1/info", (_request, response) => {
    response.json({
      version: 1,
      providerId: context.providerId,
      operator: context.operator.address,
      operatorEpoch: context.operatorEpoch,
      chainId: chain.book.chainId,
      market: chain.book.market,
      pricePerGibPeriodWei: String(config.pricePerGibPeriodWei),
      collateralPeriods: config.collateralPeriods,
      freeBytes: store.freeBytes,
      maxReadBytes: READ_BYTES_MAX,
    } satisfies ProviderInfo);
  });
  app.get("/v1/health", async (_request, response) => {
    const disk = await passes(() => access(config.dataDir, constants.W_OK));
    const reachable = await passes(() => chain.rpc.getBlockNumber());
    const status = disk && reachable ? "ok" : "failing";
    response.status(status === "ok" ? 200 : 503).json({
      status,
      disk: disk ? "ok" : "the data folder cannot be written",
      chain: reachable ? "ok" : "the chain does not answer",
      lastProvenPeriod: metrics.get("ppio_last_proven_period"),
    });
  });
  app.get("/v1/metrics", (_request, response) => {
    metrics.set("ppio_used_bytes", store.usedBytes);
    metrics.set("ppio_free_bytes", store.freeBytes);
    metrics.set("ppio_slots", store.list().length);
    response.type("text/plain; version=0.0.4").send(metrics.render());
  });
}

async function passes(check: () => Promise<unknown>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch {
    return false;
  }
}
