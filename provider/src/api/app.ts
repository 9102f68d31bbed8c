/** The provider's HTTP API (docs/protocol/http.md), put together: Express for what controls, node:http alone for bulk bytes. */
import type { RequestListener } from "node:http";
import { createHttpApp } from "@ppio/daemon";
import type { Express } from "express";
import type { ProviderContext } from "../context.ts";
import type { PaymentDesk } from "../pay/desk.ts";
import { addDialbackRoutes } from "../reach/dialback-routes.ts";
import { withBulkRoutes } from "./bulk.ts";
import { Gate } from "./gate.ts";
import { addHandOverRoutes } from "./handovers.ts";
import { PROVIDER_LIMITS, type ProviderLimits } from "./limits.ts";
import { OfferDesk } from "./offers.ts";
import { readRoute } from "./reads.ts";
import { addStatusRoutes } from "./status.ts";
import { addUploadRoutes, appendRoute } from "./uploads.ts";

/**
 * @param offers the provider's one desk: two would count on the same collateral
 * @param payments where reads are paid; all are free without it
 */
export function createProviderApp(
  context: ProviderContext,
  limits: ProviderLimits = PROVIDER_LIMITS,
  offers: OfferDesk = new OfferDesk(context),
  payments?: PaymentDesk,
): RequestListener {
  // Whoever brings a slot, hashing has one queue.
  const finishes = new Gate(limits.finishesAtOnce, limits.waitingMax);
  const addRoutes = (app: Express): void => {
    addStatusRoutes(app, context, payments);
    addUploadRoutes(app, context, offers, finishes);
    addHandOverRoutes(app, context, offers, finishes);
    addDialbackRoutes(app, context);
  };
  const control = createHttpApp(context.log, addRoutes, limits);
  return withBulkRoutes([appendRoute(context, limits), readRoute(context, limits, payments)], control, context.log);
}
