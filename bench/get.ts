/**
 * How fast does an object come back? BENCH_MIB (256) at 10/16 from sixteen provider processes, verified against the chain and opened
 * twice, to nowhere: against Helia over Bitswap (>= 6), WebTorrent (>= 2) and a bare libp2p stream (>= 1.3), a process to another each.
 * All over loopback, all bytes in memory. Ours stands still while a peer runs. Processor time is that of all processes that take part.
 * Nobody's first BENCH_WARM_ROUNDS (3) are counted: daemons run for months, and engines compile what they run often.
 */
import { startHelia } from "./support/helia.ts";
import { interleave, printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { mibFromEnvironment, roundsFromEnvironment, wholeFromEnvironment } from "./support/numbers.ts";
import { type Got, startClient } from "./support/our-client.ts";
import { hasPeers } from "./support/peers.ts";
import { processorMs } from "./support/processor-time.ts";
import { makeSourceFile, type SourceFile } from "./support/source.ts";
import { Worker } from "./support/worker.ts";

const MIB = mibFromEnvironment(256);
const ROUNDS = roundsFromEnvironment(3);
const WARM_ROUNDS = wholeFromEnvironment("BENCH_WARM_ROUNDS", 3, 0);
const CODE = { k: 10, n: 16 };
const PEERS = ["Helia over Bitswap", "WebTorrent", "a bare libp2p stream"];

type Fetch = () => Promise<{ readonly ms: number; readonly length: number }>;

interface Contestant {
  readonly fetch: Fetch;
  /** All that works for a fetch. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

async function pair(file: string): Promise<[server: Worker, reader: Worker, stop: () => Promise<void>]> {
  const [server, reader] = await Promise.all([Worker.start(file), Worker.start(file)]);
  return [server, reader, async () => void (await Promise.all([server.stop(), reader.stop()]))];
}

async function ours({ path }: SourceFile): Promise<Contestant> {
  const network = await startNetwork({ providers: CODE.n });
  const client = await startClient(network.home, "get");
  await client.ask("put", { key: "object", file: path, ...CODE });
  network.pause();
  return {
    pids: [client.pid, ...network.pids],
    fetch: async () => {
      await network.resume();
      const got = await client.ask<Got>("get", { key: "object" });
      network.pause();
      return got;
    },
    stop: async () => {
      await client.stop();
      await network.stop();
    },
  };
}

async function helia({ path }: SourceFile): Promise<Contestant> {
  const { pids, add, cat, stop } = await startHelia();
  await add(path);
  return { pids, fetch: cat, stop };
}

async function webTorrent({ path }: SourceFile): Promise<Contestant> {
  const [seed, reader, stop] = await pair("peers/webtorrent.mjs");
  const { port, torrentFile } = await seed.ask("seed", { file: path });
  return { pids: [seed.pid, reader.pid], fetch: () => reader.ask("fetch", { torrentFile, ports: [port] }), stop };
}

async function libp2p({ sizeBytes }: SourceFile): Promise<Contestant> {
  const [server, reader, stop] = await pair("peers/libp2p.mjs");
  const { address } = await server.ask("serve", { sizeBytes });
  await reader.ask("dial", { address });
  return { pids: [server.pid, reader.pid], fetch: () => reader.ask("fetch"), stop };
}

function print(figures: readonly number[], name: string, peer: number, from: number, unit: string): void {
  printRatio(name, figures[from] ?? Number.NaN, figures[from + peer] ?? Number.NaN, unit);
}

async function compare(): Promise<void> {
  const source = await makeSourceFile(MIB);
  const contestants: Contestant[] = [];
  try {
    for (const start of [ours, helia, webTorrent, libp2p]) contestants.push(await start(source));
    for (let round = 0; round < WARM_ROUNDS; round += 1) for (const { fetch } of contestants) await fetch();
    const nanosecondsPerByte = contestants.map(() => Number.NaN);
    const speeds = contestants.map(({ fetch, pids }, at) => async () => {
      const before = processorMs(pids);
      const { ms, length } = await fetch();
      if (length !== source.sizeBytes) throw new Error(`Only ${length} of ${source.sizeBytes} bytes came.`);
      nanosecondsPerByte[at] = ((processorMs(pids) - before) * 1e6) / length;
      return (MIB * 1000) / ms;
    });
    const costs = nanosecondsPerByte.map((_, at) => async () => nanosecondsPerByte[at] ?? Number.NaN);
    const figures = await interleave(
      [...speeds, ...costs].map((run) => ({ name: "get", run })),
      ROUNDS,
    );
    for (const [at, name] of PEERS.entries()) print(figures, `get of ${MIB} MiB / ${name}`, at + 1, 0, "MiB/s");
    for (const [at, name] of PEERS.entries()) print(figures, `its processor time / ${name}`, at + 1, contestants.length, "ns/B");
  } finally {
    for (const contestant of contestants) await contestant.stop();
    await source.remove();
  }
}

if (hasPeers()) await compare();
