/** Connecting back for other providers, and showing who one is to those that do (docs/protocol/http.md, "Dial back"). */
import { type DialbackEcho, type DialbackReport, dialbackAnswerMessage, dialbackRequestMessage, digestSigner, PpioError } from "@ppio/core";
import { hexlify } from "ethers";
import type { Express } from "express";
import { parseDialback, parseHash } from "../api/parse.ts";
import { askChain } from "../ask-chain.ts";
import type { ProviderContext } from "../context.ts";
import { addressKind, isLocalChain, plainAddress } from "./addresses.ts";
import { dial } from "./dial.ts";
import { DialbackLimits } from "./dialback-limits.ts";

/** A request is good for so long at most, however late its expiry. */
const VALID_SECONDS_MAX = 120;

type DialbackContext = Pick<ProviderContext, "chain" | "domain" | "operator" | "providerId" | "metrics" | "now">;

export function addDialbackRoutes(app: Express, context: DialbackContext): void {
  const limits = new DialbackLimits(context.now);
  // Anybody may ask: the fast signer bounds what that costs.
  const sign = digestSigner(context.operator.privateKey);
  app.get("/v1/dialback/:nonce", (request, response) => {
    const { domain, providerId } = context;
    const nonce = parseHash(request.params.nonce, "nonce");
    const signature = hexlify(sign(dialbackAnswerMessage.digest(domain, { providerId, nonce })));
    response.json({ providerId, nonce, signature } satisfies DialbackEcho);
  });
  app.post("/v1/dialback", async (request, response) => {
    response.json(await dialBack(context, limits, request.body, request.socket.remoteAddress));
  });
}

/** @throws UNAUTHORIZED, REFUSED, CONFLICT, BAD_FORMAT, CHAIN_UNREACHABLE */
async function dialBack(
  context: DialbackContext,
  limits: DialbackLimits,
  body: unknown,
  from: string | undefined,
): Promise<DialbackReport> {
  const { chain, domain, providerId: helperId, now } = context;
  const { request, signature } = parseDialback(body);
  const { providerId, nonce, expiry } = request;
  if (request.helperId !== helperId) throw refuse(`is for provider ${request.helperId}, this is ${helperId}`);
  if (expiry * 1000 < now()) throw refuse("has expired");
  if (expiry * 1000 > now() + VALID_SECONDS_MAX * 1000) throw refuse(`holds for more than ${VALID_SECONDS_MAX} seconds`);
  const asking = await askChain(() => chain.registry.getProvider(providerId));
  const signer = dialbackRequestMessage.recover(domain, request, signature);
  if (signer !== asking.operator || asking.evictedAtPeriod !== 0n) throw refuse("is not signed by an active provider's operator");
  const allowsPrivate = isLocalChain(domain);
  const { endpoint, operator } = asking;
  return await limits.run(providerId, nonce, async () => {
    context.metrics.add("ppio_dialbacks_total", 1);
    const dialled = await dial({ endpoint, nonce, providerId, operator, domain, allowsPrivate });
    // Where a name leads inside this network is nobody's business.
    const { address, ...rest } = dialled;
    const isShown = address !== undefined && (allowsPrivate || addressKind(address) === "public");
    return { endpoint, ...rest, ...(isShown ? { address } : {}), seenAs: plainAddress(from ?? ""), time: now() };
  });
}

function refuse(why: string): PpioError {
  return new PpioError("UNAUTHORIZED", `The request to connect back ${why}; sign a new one.`);
}
