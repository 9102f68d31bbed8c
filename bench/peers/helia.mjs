/**
 * Helia with Bitswap alone: TCP, noise and yamux, no discovery and no routing, because the other side is known. Blocks live in memory,
 * the fastest store it has, and have 1 MiB, Helia's own choice.
 */
import { createReadStream } from "node:fs";
import { withBitswap } from "@helia/bitswap";
import { withLibp2pLight } from "@helia/libp2p";
import { unixfs } from "@helia/unixfs";
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { MemoryBlockstore } from "blockstore-core";
import { createHeliaLight } from "helia";
import { CID } from "multiformats/cid";
import { answerOrders } from "../support/worker.ts";

const READ_BYTES = 1 << 20;
const BLOCKS_AT_ONCE = 32;
const STALLED_MS = 180_000;
let node;

async function fresh() {
  await node?.stop();
  node = await withBitswap(
    withLibp2pLight(createHeliaLight({ blockstore: new MemoryBlockstore() }), {
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify() },
    }),
  ).start();
}

answerOrders({
  /** Forgets everything. */
  async fresh() {
    await fresh();
    return { address: node.libp2p.getMultiaddrs()[0].toString() };
  },
  async add({ file }) {
    const since = performance.now();
    const cid = await unixfs(node).addByteStream(createReadStream(file, { highWaterMark: READ_BYTES }));
    return { ms: performance.now() - since, cid: cid.toString() };
  },
  async dial({ address }) {
    await node.libp2p.dial(multiaddr(address));
    return {};
  },
  async cat({ cid }) {
    const since = performance.now();
    let length = 0;
    // Without a bound all blocks are asked for at once, which is no faster and stalls for ever now and then.
    const options = { blockReadConcurrency: BLOCKS_AT_ONCE, signal: AbortSignal.timeout(STALLED_MS) };
    for await (const piece of unixfs(node).cat(CID.parse(cid), options)) length += piece.length;
    return { ms: performance.now() - since, length };
  },
});
