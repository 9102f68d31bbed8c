/**
 * Range reads over loopback, keep-alive, from a provider of its own process: against a plain node:http server that sends the same range of
 * the same file without checking anything. For readers that check by themselves, as an object's do, then hashed by the provider. The last
 * lines are the time of one read of 64 KiB at a time on an idle provider.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { slotBytes } from "@ppio/core";
import { PROVIDER_LIMITS } from "@ppio/provider";
import { startWorld, store, ticketHeaders } from "../test/support/provider/world.ts";
import { interleave, median, printRatio } from "./support/measure.ts";

const HEADER = { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 65_536, rows: 2048 };
const TOTAL = slotBytes(HEADER);
const ROUNDS = 7;
const LATENCIES = 300;
const PIECE_BYTES = 256 << 10;

interface Served {
  readonly providerUrl: string;
  readonly plainUrl: string;
  readonly headers: Record<string, string>;
}

/** The servers' process: a provider with one slot, and the plain server beside it; says its processor time when asked. */
async function serve(): Promise<void> {
  // As the launcher does.
  setFlagsFromString("--semi-space-growth-factor=1");
  const world = await startWorld({
    config: { capacityBytes: 2 ** 34, undealtBytesPerPayer: 2 ** 34, pricePerGibPeriodWei: 10n ** 12n },
    limits: PROVIDER_LIMITS,
  });
  const upload = await store(world, HEADER);
  const plain = await servePlain(join(world.dir, "slots", upload.id, "data"));
  const answer: Served = {
    providerUrl: `${world.url}/v1/deals/${upload.dealId}/slots/${upload.slotIndex}`,
    plainUrl: plain,
    headers: await ticketHeaders(world, upload),
  };
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1000);
  });
  process.on("disconnect", () => void rm(world.dir, { recursive: true, force: true }).then(() => process.exit()));
  process.send?.(answer);
}

/** Reads and sends in pieces through one buffer: the fastest that node:http does with a part of a file. */
async function servePlain(path: string): Promise<string> {
  const server = createServer(async ({ url = "" }, response) => {
    const query = new URL(url, "http://x").searchParams;
    const [offset, length] = [Number(query.get("offset")), Number(query.get("length"))];
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": length });
    const file = await open(path);
    const buffer = Buffer.alloc(Math.min(length, PIECE_BYTES));
    for (let at = 0; at < length; at += buffer.length) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), offset + at);
      await new Promise<void>((resolve) => void response.write(buffer.subarray(0, bytesRead), () => resolve()));
    }
    response.end();
    await file.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function compare(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const agent = new Agent({ keepAlive: true });
  try {
    const [served] = (await once(child, "message")) as [Served];
    const cpuMs = async (): Promise<number> => {
      child.send("cpu");
      return (await once(child, "message"))[0] as number;
    };
    const get = async (url: string, offset: number, length: number, check = "reader"): Promise<void> => {
      const sent = request(`${url}?offset=${offset}&length=${length}&check=${check}`, { agent, headers: served.headers });
      sent.end();
      const [response] = await once(sent, "response");
      let bytes = 0;
      response.on("data", (piece: Uint8Array) => {
        bytes += piece.length;
      });
      await once(response, "end");
      if (response.statusCode !== 200 || bytes < length) throw new Error(`${url} gave ${response.statusCode} and ${bytes} bytes`);
    };
    /** GB a second, by the clock or by the server's processor, of `total` bytes read in ranges. */
    const rates = { clock: 0, cpu: 0 };
    const run = async (url: string, rangeBytes: number, total: number, check?: string): Promise<number> => {
      const cpuBefore = await cpuMs();
      const since = performance.now();
      for (let at = 0; at < total; at += rangeBytes) await get(url, at, rangeBytes, check);
      rates.clock = total / (performance.now() - since) / 1e6;
      rates.cpu = total / ((await cpuMs()) - cpuBefore) / 1e6;
      return rates.clock;
    };
    const { providerUrl, plainUrl } = served;
    const contest = async (name: string, rangeBytes: number, total: number, check?: string): Promise<void> => {
      const figures = await interleave(
        [
          { name: "ours", run: () => run(providerUrl, rangeBytes, total, check) },
          { name: "ours by processor", run: async () => rates.cpu },
          { name: "plain", run: () => run(plainUrl, rangeBytes, total) },
          { name: "plain by processor", run: async () => rates.cpu },
        ],
        ROUNDS,
      );
      const [ours = Number.NaN, oursCpu = Number.NaN, plain = Number.NaN, plainCpu = Number.NaN] = figures;
      printRatio(`${name} / plain file`, ours * 1e3, plain * 1e3, "MB/s");
      printRatio(`${name} / plain file, per core`, oursCpu * 1e3, plainCpu * 1e3, "MB/s");
    };
    await contest("ranges of 16 MiB", 16 << 20, TOTAL);
    await contest("ranges of 1 MiB", 1 << 20, TOTAL / 2);
    await contest("ranges of 64 KiB", 65_536, TOTAL / 16);
    await contest("ranges of 16 MiB, hashed", 16 << 20, TOTAL, "provider");
    const latencies = async (url: string): Promise<number[]> => {
      const all: number[] = [];
      for (let index = 0; index < LATENCIES; index += 1) {
        const since = performance.now();
        await get(url, ((index * 7) % HEADER.rows) * HEADER.cellBytes, HEADER.cellBytes);
        all.push(performance.now() - since);
      }
      return all.sort((a, b) => a - b);
    };
    const [ours, plain] = [await latencies(providerUrl), await latencies(plainUrl)];
    const p95 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN;
    printRatio("one read of 64 KiB, p50 / plain file", median(ours), median(plain), "ms");
    printRatio("one read of 64 KiB, p95 / plain file", p95(ours), p95(plain), "ms");
  } finally {
    agent.destroy();
    child.disconnect();
  }
}

if (process.argv[2] === "serve") await serve();
else await compare();
