/** A bare libp2p stream over TCP, noise and yamux: bytes from memory on one side, to nowhere on the other. */
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { answerOrders } from "../support/worker.ts";

const PROTOCOL = "/ppio-bench/1.0.0";
const PIECE_BYTES = 1 << 16;
const node = await createLibp2p({
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
});
let connection;

answerOrders({
  async serve({ sizeBytes }) {
    const piece = new Uint8Array(PIECE_BYTES);
    await node.handle(PROTOCOL, async (stream) => {
      for (let sent = 0; sent < sizeBytes; sent += piece.length) {
        if (!stream.send(piece.subarray(0, Math.min(piece.length, sizeBytes - sent)))) await stream.onDrain();
      }
      await stream.close();
    });
    return { address: node.getMultiaddrs()[0].toString() };
  },
  async dial({ address }) {
    connection = await node.dial(multiaddr(address));
    return {};
  },
  async fetch() {
    const since = performance.now();
    const stream = await connection.newStream(PROTOCOL);
    let length = 0;
    for await (const piece of stream) length += piece.byteLength;
    return { ms: performance.now() - since, length };
  },
});
