/** The provider's HTTP API (docs/protocol/http.md), put together. */
import { createHttpApp } from "@ppio/daemon";
import type { Express } from "express";
import type { ProviderContext } from "../context.ts";
import { PROVIDER_LIMITS, type ProviderLimits } from "./limits.ts";
import { addReadRoutes } from "./reads.ts";
import { addStatusRoutes } from "./status.ts";
import { addUploadRoutes } from "./uploads.ts";

export function createProviderApp(context: ProviderContext, limits: ProviderLimits = PROVIDER_LIMITS): Express {
  const addRoutes = (app: Express): void => {
    addStatusRoutes(app, context);
    addUploadRoutes(app, context, limits);
    addReadRoutes(app, context, limits);
  };
  return createHttpApp(context.log, addRoutes, limits);
}
