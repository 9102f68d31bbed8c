/**
 * What do bad providers cost? Gets of 4 MiB at 10/20 from twenty provider processes behind a relay, and puts of as much at 10/16 among
 * twenty-five, while a fifth of them stalls: no operation fails, and p99 is at most 1.5 times that of as many, in turns, with the same
 * providers when all are well. BENCH_GETS (200) gets while always the same stall and one more flips bits in all it sends; as many while
 * others stall each time, so that nothing can be known of them; and a quarter as many puts of the first kind. A client process for the
 * good times and one for the bad, so that what one learns of providers stays with it.
 */
import { printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { quantile, wholeFromEnvironment } from "./support/numbers.ts";
import { type Got, type Put, startClient } from "./support/our-client.ts";
import { Worker } from "./support/worker.ts";

const GETS = wholeFromEnvironment("BENCH_GETS", 200);
const PER_TURN = 10;
const SIZE_BYTES = 4 * 2 ** 20;
/** Every one has its slots at other providers. */
const OBJECTS = 5;
const GET_CODE = { k: 10, n: 20 };
const PUT_CODE = { k: 10, n: 16 };
const STALLED_SHARE = 0.2;

interface Illness {
  readonly stalled: readonly number[];
  readonly corrupting: readonly number[];
}

type Operation = (client: Worker, at: number) => Promise<{ readonly ms: number }>;

const WELL: Illness = { stalled: [], corrupting: [] };
const failures: string[] = [];
let operations = 0;

/** A network of relayed providers, and the two clients. */
async function start(providers: number, command: "put" | "get") {
  const relay = await Worker.start("support/relay.ts");
  const ports: number[] = [];
  const network = await startNetwork({
    providers,
    endpointOf: async (port) => {
      ports.push(port);
      const relayed = await relay.ask<{ port: number }>("open", { port });
      return `http://127.0.0.1:${relayed.port}`;
    },
  });
  const clients = await Promise.all([startClient(network.home, command), startClient(network.home, command)]);
  const stalledCount = Math.round(providers * STALLED_SHARE);
  return {
    lucky: clients[0],
    /** Always the same ones, and a liar. */
    always: (): Illness => ({ stalled: ports.slice(0, stalledCount), corrupting: ports.slice(stalledCount, stalledCount + 1) }),
    /** Others at each call; each is as likely as any. */
    others: (): Illness => ({ stalled: ports.toSorted(() => Math.random() - 0.5).slice(0, stalledCount), corrupting: [] }),
    /** Milliseconds of `count` operations with all well, and of as many in turns while providers are ill. */
    async race(count: number, illness: () => Illness, operation: Operation) {
      const [well, ill]: [number[], number[]] = [[], []];
      for (let first = 0; first < count + PER_TURN; first += PER_TURN) {
        for (const [client, times, how] of [
          [clients[0], well, () => WELL],
          [clients[1], ill, illness],
        ] as const) {
          for (let at = first; at < first + PER_TURN; at += 1) {
            await relay.ask("spoil", { ...how() });
            operations += 1;
            try {
              const { ms } = await operation(client, at);
              // The first turns compile.
              if (first > 0) times.push(ms);
            } catch (error) {
              failures.push(String(error));
            }
          }
        }
      }
      await relay.ask("spoil", { ...WELL });
      return { well, ill };
    },
    async stop(): Promise<void> {
      await Promise.all(clients.map((client) => client.stop()));
      await network.stop();
      await relay.stop();
    },
  };
}

function print(what: string, { well, ill }: { readonly well: readonly number[]; readonly ill: readonly number[] }): void {
  printRatio(`${what}, median / all well`, quantile(ill, 0.5), quantile(well, 0.5), "ms");
  printRatio(`${what}, p99 / all well`, quantile(ill, 0.99), quantile(well, 0.99), "ms");
}

async function askedGet(client: Worker, at: number): Promise<Got> {
  const got = await client.ask<Got>("get", { key: `object-${at % OBJECTS}`, isGenerated: true });
  if (got.length !== SIZE_BYTES) throw new Error(`only ${got.length} bytes`);
  return got;
}

const readers = await start(GET_CODE.n, "get");
try {
  for (let at = 0; at < OBJECTS; at += 1) await readers.lucky.ask("put", { key: `object-${at}`, sizeBytes: SIZE_BYTES, ...GET_CODE });
  print("gets, 4 of 20 stalled, 1 corrupting", await readers.race(GETS, readers.always, askedGet));
  print("gets, 4 of 20 stalled, others each time", await readers.race(GETS, readers.others, askedGet));
} finally {
  await readers.stop();
}

const writers = await start(PUT_CODE.n + 9, "put");
let puts = 0;
const askedPut: Operation = (client) => {
  puts += 1;
  return client.ask<Put>("put", { key: `put-${puts}`, sizeBytes: SIZE_BYTES, ...PUT_CODE });
};
try {
  print("puts, 5 of 25 stalled, 1 corrupting", await writers.race(Math.ceil(GETS / 4), writers.always, askedPut));
} finally {
  await writers.stop();
}

for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`operations that failed, of ${operations}: ${failures.length}`);
