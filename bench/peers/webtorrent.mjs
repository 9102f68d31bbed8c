/** WebTorrent over TCP without discovery: seeds read the file, who fetches keeps pieces in memory. */
import { once } from "node:events";
import MemoryChunkStore from "memory-chunk-store";
import WebTorrent from "webtorrent";
import { answerOrders } from "../support/worker.ts";

const client = new WebTorrent({ dht: false, tracker: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, utp: false });
client.on("error", (error) => {
  throw error;
});

answerOrders({
  async seed({ file }) {
    const torrent = client.seed(file, { announceList: [] });
    await once(torrent, "seed");
    return { port: client.torrentPort, torrentFile: Buffer.from(torrent.torrentFile).toString("base64") };
  },
  async fetch({ torrentFile, ports }) {
    const torrent = client.add(Buffer.from(torrentFile, "base64"), { store: MemoryChunkStore, announce: [] });
    await once(torrent, "ready");
    const since = performance.now();
    for (const port of ports) torrent.addPeer(`127.0.0.1:${port}`);
    await once(torrent, "done");
    const ms = performance.now() - since;
    const { length } = torrent;
    await new Promise((resolve, reject) => torrent.destroy({ destroyStore: true }, (error) => (error ? reject(error) : resolve())));
    return { ms, length };
  },
});
