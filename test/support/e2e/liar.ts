/** A provider's key in bad hands: answers reads with roots of its own making, signed as it must be. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
  answerRootsHash,
  type DealHeader,
  encodeAnswerHead,
  NODE_BYTES,
  rangeProofLength,
  readAnswerMessage,
  type SigningDomain,
  upperHeight,
} from "@ppio/core";
import { getBytes, Wallet } from "ethers";

const POLL_MS = 50;
const READ = /^\/v1\/deals\/(0x[0-9a-f]{64})\/slots\/(\d+)$/;

export interface LiarOptions {
  readonly port: number;
  readonly operatorKey: string;
  readonly domain: SigningDomain;
  /** Of any deal that it is asked for: a lie must have the right form. */
  readonly headerOf: (dealId: string) => Promise<DealHeader>;
}

/** Serves until it is closed. */
export async function startLiar({ port, operatorKey, domain, headerOf }: LiarOptions): Promise<Server> {
  const operator = new Wallet(operatorKey);
  const words = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(randomBytes(NODE_BYTES)));
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://liar");
    const [, dealId = "", slot = ""] = READ.exec(url.pathname) ?? [];
    if (dealId === "") {
      response.writeHead(404).end();
      return;
    }
    const header = await headerOf(dealId);
    const firstCell = Number(url.searchParams.get("offset")) / header.cellBytes;
    const count = Math.ceil(Number(url.searchParams.get("length")) / header.cellBytes);
    const cellRoots = words(count);
    const siblings = words(rangeProofLength(upperHeight(header), { first: firstCell, count }));
    const servedAt = Date.now();
    const rootsHash = answerRootsHash(cellRoots, siblings);
    const digest = readAnswerMessage.digest(domain, { dealId, slotIndex: Number(slot), firstCell, rootsHash, servedAt });
    const signature = getBytes(operator.signingKey.sign(digest).serialized);
    response.writeHead(200, { "content-type": "application/octet-stream" });
    response.end(encodeAnswerHead({ cellRoots, siblings, servedAt, signature }));
  });
  await listenOnceFree(server, port);
  return server;
}

/** A process that was killed keeps its port until the system has taken it down. */
async function listenOnceFree(server: Server, port: number): Promise<void> {
  for (;;) {
    server.listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
