/** Our side of the end-to-end questions: the client of `ppio`, in a process of its own, its orders those of a user. */
import type { ObjectSource, PutProgress } from "@ppio/client";
import { freeLent } from "@ppio/core";
import { openSource } from "../../cli/src/client/files.ts";
import { openClient } from "../../cli/src/client/open-client.ts";
import { openHome } from "../../cli/src/home.ts";
import { GeneratedBytes } from "./generated.ts";
import { answerOrders, type Order } from "./worker.ts";

const PERIODS = 24;
const { client } = await openClient({ home: openHome(process.argv[2]) });

interface PutOrder {
  readonly key: string;
  readonly k: number;
  readonly n: number;
  readonly cellBytes?: number;
  /** A file, or `sizeBytes` generated ones. */
  readonly file?: string;
  readonly sizeBytes?: number;
}

interface GetOrder {
  readonly key: string;
  readonly range?: { readonly offset: number; readonly length: number };
  /** Whether the bytes must be the generated ones. */
  readonly isGenerated?: boolean;
}

async function put(order: PutOrder) {
  const { key, k, n, cellBytes, file, sizeBytes = 0 } = order;
  const opened = file === undefined ? undefined : await openSource(file);
  const source = opened?.source ?? generatedSource(sizeBytes);
  const since = performance.now();
  const code = { k, n, periods: PERIODS, ...(cellBytes === undefined ? {} : { cellBytes }) };
  const reachedMs: Record<string, number> = {};
  const onProgress = ({ stage, sentBytes, totalBytes }: PutProgress): void => {
    const name = stage === "sending" ? (sentBytes === totalBytes ? "sent" : "first") : stage;
    reachedMs[name] ??= performance.now() - since;
  };
  await client.put({ bucket: "bench", key, source, ...code, onProgress });
  await opened?.close();
  return { ms: performance.now() - since, reachedMs };
}

/** All bytes, to nowhere. Every byte was verified and opened on its way. */
async function get({ key, range, isGenerated = false }: GetOrder) {
  const since = performance.now();
  const { bytes } = await client.get({ bucket: "bench", key, ...(range === undefined ? {} : { range }) });
  const generated = new GeneratedBytes();
  let firstMs = Number.NaN;
  let length = 0;
  for await (const piece of bytes) {
    if (length === 0) firstMs = performance.now() - since;
    if (isGenerated) generated.check((range?.offset ?? 0) + length, piece);
    length += piece.length;
    // As the command does once a piece is written.
    freeLent(piece);
  }
  return { ms: performance.now() - since, firstMs, length };
}

function generatedSource(sizeBytes: number): ObjectSource {
  const generated = new GeneratedBytes();
  return {
    sizeBytes,
    // As the command reads a file.
    read: async (offset, length, room) => {
      const target = room.subarray(0, length);
      generated.read(offset, target);
      return target;
    },
  };
}

answerOrders({
  delete: async ({ key }: Order) => {
    await client.delete({ bucket: "bench", key: String(key) });
    return {};
  },
  put: (order: Order) => put(order as unknown as PutOrder),
  get: (order: Order) => get(order as unknown as GetOrder),
});
