/**
 * How long until an object is stored, dealt and listed, and back again? Put then get of BENCH_MIB (256) at 10/16, sixteen provider
 * processes, against Helia's add and a cat by another process over Bitswap (>= 3). All over loopback, all bytes in memory. Ours
 * waits for a block of a chain that makes one a second; it stands still while Helia runs. Then what both would reach on these processors if
 * a put cost no more than its bare parts and the get what it does; our puts alone: when they reached what, and what they cost in
 * processor time.
 */
import { withBallast } from "./support/ballast.ts";
import { startHelia } from "./support/helia.ts";
import { median } from "./support/interleave.ts";
import { interleave, printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { mibFromEnvironment, roundsFromEnvironment } from "./support/numbers.ts";
import { type Got, type Put, startClient } from "./support/our-client.ts";
import { hasPeers } from "./support/peers.ts";
import { processorMs } from "./support/processor-time.ts";
import { openPutBound } from "./support/put-bound.ts";
import { makeSourceFile } from "./support/source.ts";

const MIB = mibFromEnvironment(256);
const ROUNDS = roundsFromEnvironment(3);
const CODE = { k: 10, n: 16 };
/** What a put writes to memory for each byte: slots, and the odd rest. */
const WRITTEN = (1.1 * CODE.n) / CODE.k;

async function compare(): Promise<void> {
  const source = await makeSourceFile(MIB);
  const network = await startNetwork({ providers: CODE.n });
  const [client, helia, bound] = await Promise.all([startClient(network.home, "put"), startHelia(), openPutBound()]);
  const puts: number[] = [];
  const gets: number[] = [];
  const phases: Put["reachedMs"][] = [];
  const costs: { readonly client: number; readonly providers: number }[] = [];
  const adds: number[] = [];
  const mibPerSecond = (ms: number): number => (MIB * 1000) / ms;
  const check = (length: number): void => {
    if (length !== source.sizeBytes) throw new Error(`Only ${length} of ${source.sizeBytes} bytes came.`);
  };

  const putAndGet = async (): Promise<number> => {
    await network.resume();
    const before = { client: processorMs([client.pid]), providers: processorMs(network.pids) };
    const put = await client.ask<Put>("put", { key: "object", file: source.path, ...CODE });
    const nanosecondsPerByte = (ms: number): number => (ms * 1e6) / source.sizeBytes;
    phases.push(put.reachedMs);
    costs.push({
      client: nanosecondsPerByte(processorMs([client.pid]) - before.client),
      providers: nanosecondsPerByte(processorMs(network.pids) - before.providers),
    });
    const got = await client.ask<Got>("get", { key: "object" });
    await client.ask("delete", { key: "object" });
    network.pause();
    check(got.length);
    puts.push(mibPerSecond(put.ms));
    gets.push(mibPerSecond(got.ms));
    return mibPerSecond(put.ms + got.ms);
  };
  const addAndCat = async (): Promise<number> => {
    const added = await helia.add(source.path);
    const got = await helia.cat();
    check(got.length);
    adds.push(mibPerSecond(added.ms));
    return mibPerSecond(added.ms + got.ms);
  };

  try {
    const figures = await interleave(
      [
        { name: "put and get", run: () => withBallast(WRITTEN * source.sizeBytes, putAndGet) },
        { name: "add and cat", run: () => withBallast(WRITTEN * source.sizeBytes, addAndCat) },
        { name: "put", run: async () => puts.at(-1) ?? Number.NaN },
        { name: "add", run: async () => adds.at(-1) ?? Number.NaN },
        { name: "bound", run: async () => 1 / (1 / (await bound.measure()) + 1 / (gets.at(-1) ?? Number.NaN)) },
      ],
      ROUNDS,
    );
    const [both = Number.NaN, theirBoth = Number.NaN, put = Number.NaN, add = Number.NaN, most = Number.NaN] = figures;
    printRatio(`put then get of ${MIB} MiB / Helia add then cat`, both, theirBoth, "MiB/s");
    printRatio("the same, a put costing its bare parts alone", most, theirBoth, "MiB/s");
    printRatio(`put of ${MIB} MiB alone / Helia add, which stays local`, put, add, "MiB/s");
    const seconds = (name: keyof Put["reachedMs"]): string => `${name} ${(median(phases.map((one) => one[name])) / 1000).toFixed(2)} s`;
    console.log(`a put reached  ${(["first", "sent", "stored", "dealt", "indexed"] as const).map(seconds).join("  ")}`);
    const cost = (name: "client" | "providers"): string => `${name} ${median(costs.map((one) => one[name])).toFixed(1)} ns/B`;
    console.log(`and cost  ${cost("client")}  ${cost("providers")}`);
  } finally {
    await Promise.all([client.stop(), helia.stop(), bound.close()]);
    await network.stop();
    await source.remove();
  }
}

if (hasPeers()) await compare();
