/**
 * How soon does a video player that seeks see a byte? Ranges of 1 MiB at random offsets of an object of BENCH_MIB (256) at 10/16,
 * sixteen provider processes on loopback, from the call to the first verified and opened byte (median <= 60 ms, p95 <= 150 ms);
 * against the same ranges by node:http from one process, in turns.
 */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { median, printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { mibFromEnvironment, quantile } from "./support/numbers.ts";
import { type Got, startClient } from "./support/our-client.ts";
import { makeSourceFile } from "./support/source.ts";
import { Worker } from "./support/worker.ts";

const MIB = mibFromEnvironment(256);
const RANGE_BYTES = 2 ** 20;
const WARM_READS = 10;
const READS = 200;
const CODE = { k: 10, n: 16 };

async function plainFirstMs(agent: Agent, port: number, offset: number): Promise<number> {
  const since = performance.now();
  const request = get({ host: "127.0.0.1", port, agent, headers: { range: `bytes=${offset}-${offset + RANGE_BYTES - 1}` } });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  await once(response, "readable");
  const ms = performance.now() - since;
  response.resume();
  await once(response, "end");
  return ms;
}

const source = await makeSourceFile(MIB);
const network = await startNetwork({ providers: CODE.n });
const [client, server] = await Promise.all([startClient(network.home, "get"), Worker.start("support/range-server.ts", [source.path])]);
const agent = new Agent({ keepAlive: true });
try {
  const { port } = await server.ask<{ port: number }>("port");
  await client.ask("put", { key: "object", file: source.path, ...CODE });
  const ours: number[] = [];
  const plain: number[] = [];
  for (let read = 0; read < WARM_READS + READS; read += 1) {
    const offset = Math.floor(Math.random() * (source.sizeBytes - RANGE_BYTES));
    const { firstMs } = await client.ask<Got>("get", { key: "object", range: { offset, length: RANGE_BYTES } });
    const plainMs = await plainFirstMs(agent, port, offset);
    if (read < WARM_READS) continue;
    ours.push(firstMs);
    plain.push(plainMs);
  }
  printRatio("first byte of a range, median / node:http", median(ours), median(plain), "ms");
  printRatio("first byte of a range, p95 / node:http", quantile(ours, 0.95), quantile(plain, 0.95), "ms");
} finally {
  agent.destroy();
  await Promise.all([client.stop(), server.stop()]);
  await network.stop();
  await source.remove();
}
