/**
 * How fast does an object come back? BENCH_MIB (256) at 10/16 from sixteen provider processes, verified against the chain and opened
 * twice, to nowhere: against Helia over Bitswap (>= 6), WebTorrent (>= 2) and a bare libp2p stream (>= 1.3), a process to another each.
 * All over loopback, all bytes in memory. Ours stands still while a peer runs.
 */
import { interleave, printRatio } from "./support/measure.ts";
import { startNetwork } from "./support/network.ts";
import { mibFromEnvironment, roundsFromEnvironment } from "./support/numbers.ts";
import { type Got, startClient } from "./support/our-client.ts";
import { hasPeers } from "./support/peers.ts";
import { makeSourceFile, type SourceFile } from "./support/source.ts";
import { Worker } from "./support/worker.ts";

const MIB = mibFromEnvironment(256);
const ROUNDS = roundsFromEnvironment(3);
const CODE = { k: 10, n: 16 };

type Fetch = () => Promise<{ readonly ms: number; readonly length: number }>;

interface Contestant {
  readonly fetch: Fetch;
  stop(): Promise<void>;
}

async function pair(file: string): Promise<[server: Worker, reader: Worker, stop: () => Promise<void>]> {
  const [server, reader] = await Promise.all([Worker.start(file), Worker.start(file)]);
  return [server, reader, async () => void (await Promise.all([server.stop(), reader.stop()]))];
}

async function ours({ path }: SourceFile): Promise<Contestant> {
  const network = await startNetwork({ providers: CODE.n });
  const client = await startClient(network.home);
  await client.ask("put", { key: "object", file: path, ...CODE });
  network.pause();
  return {
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
  const [server, reader, stop] = await pair("peers/helia.mjs");
  const { address } = await server.ask("fresh");
  const { cid } = await server.ask("add", { file: path });
  return {
    fetch: async () => {
      await reader.ask("fresh");
      await reader.ask("dial", { address });
      return reader.ask("cat", { cid });
    },
    stop,
  };
}

async function webTorrent({ path }: SourceFile): Promise<Contestant> {
  const [seed, reader, stop] = await pair("peers/webtorrent.mjs");
  const { port, torrentFile } = await seed.ask("seed", { file: path });
  return { fetch: () => reader.ask("fetch", { torrentFile, ports: [port] }), stop };
}

async function libp2p({ sizeBytes }: SourceFile): Promise<Contestant> {
  const [server, reader, stop] = await pair("peers/libp2p.mjs");
  const { address } = await server.ask("serve", { sizeBytes });
  await reader.ask("dial", { address });
  return { fetch: () => reader.ask("fetch"), stop };
}

async function compare(): Promise<void> {
  const source = await makeSourceFile(MIB);
  const contestants: Contestant[] = [];
  try {
    for (const start of [ours, helia, webTorrent, libp2p]) contestants.push(await start(source));
    const runs = contestants.map(({ fetch }) => async () => {
      const { ms, length } = await fetch();
      if (length !== source.sizeBytes) throw new Error(`Only ${length} of ${source.sizeBytes} bytes came.`);
      return (MIB * 1000) / ms;
    });
    const [mine = Number.NaN, ...peers] = await interleave(
      runs.map((run) => ({ name: "get", run })),
      ROUNDS,
    );
    const names = ["Helia over Bitswap", "WebTorrent", "a bare libp2p stream"];
    for (const [at, name] of names.entries()) printRatio(`get of ${MIB} MiB / ${name}`, mine, peers[at] ?? Number.NaN, "MiB/s");
  } finally {
    for (const contestant of contestants) await contestant.stop();
    await source.remove();
  }
}

if (hasPeers()) await compare();
