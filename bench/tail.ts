/**
 * What do bad providers cost a reader? BENCH_GETS (200) gets of 4 MiB at 10/20 from twenty provider processes behind a relay, while
 * four of them stall and one flips bits in all it sends: no get fails, and p99 is at most 1.5 times that of as many gets, in turns,
 * from the same providers when all are well. A client process for each, so that what one learns of providers stays with it.
 */
import { printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { quantile, wholeFromEnvironment } from "./support/numbers.ts";
import { type Got, startClient } from "./support/our-client.ts";
import { Worker } from "./support/worker.ts";

const GETS = wholeFromEnvironment("BENCH_GETS", 200);
const GETS_PER_TURN = 10;
const SIZE_BYTES = 4 * 2 ** 20;
/** Every one has its slots at other providers. */
const OBJECTS = 5;
const CODE = { k: 10, n: 20 };
const STALLED = 4;
const CORRUPTING = 1;

const relay = await Worker.start("support/relay.ts");
const ports: number[] = [];
const network = await startNetwork({
  providers: CODE.n,
  endpointOf: async (port) => {
    ports.push(port);
    const relayed = await relay.ask<{ port: number }>("open", { port });
    return `http://127.0.0.1:${relayed.port}`;
  },
});
const [lucky, unlucky] = await Promise.all([startClient(network.home, "get"), startClient(network.home, "get")]);
const failures: string[] = [];

/** Milliseconds of a turn's gets; a get that fails is noted. */
async function turn(client: Worker, first: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = first; at < first + GETS_PER_TURN; at += 1) {
    try {
      const got = await client.ask<Got>("get", { key: `object-${at % OBJECTS}`, isGenerated: true });
      if (got.length !== SIZE_BYTES) throw new Error(`only ${got.length} bytes`);
      times.push(got.ms);
    } catch (error) {
      failures.push(String(error));
    }
  }
  return times;
}

try {
  for (let at = 0; at < OBJECTS; at += 1) await lucky.ask("put", { key: `object-${at}`, sizeBytes: SIZE_BYTES, ...CODE });
  const well: number[] = [];
  const ill: number[] = [];
  for (let at = 0; at < GETS + GETS_PER_TURN; at += GETS_PER_TURN) {
    await relay.ask("spoil", { stalled: [], corrupting: [] });
    const healthy = await turn(lucky, at);
    await relay.ask("spoil", { stalled: ports.slice(0, STALLED), corrupting: ports.slice(STALLED, STALLED + CORRUPTING) });
    const spoiled = await turn(unlucky, at);
    // The first turns compile.
    if (at === 0) continue;
    well.push(...healthy);
    ill.push(...spoiled);
  }
  await relay.ask("spoil", { stalled: [], corrupting: [] });
  for (const failure of failures) console.log(`failed: ${failure}`);
  console.log(`gets that failed, of ${well.length + ill.length + 2 * GETS_PER_TURN}: ${failures.length}`);
  printRatio("4 of 20 stalled, 1 corrupting, median / all well", quantile(ill, 0.5), quantile(well, 0.5), "ms");
  printRatio("4 of 20 stalled, 1 corrupting, p99 / all well", quantile(ill, 0.99), quantile(well, 0.99), "ms");
} finally {
  await Promise.all([lucky.stop(), unlucky.stop()]);
  await network.stop();
  await relay.stop();
}
