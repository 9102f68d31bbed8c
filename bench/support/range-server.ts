/** Plain node:http that answers ranges of one file: what our range reads are held against. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerOrders } from "./worker.ts";

const path = process.argv[2] ?? "";
const size = statSync(path).size;

const server = createServer((request, response) => {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const [start, end] = [Number(from), Number(to)];
  response.writeHead(206, { "content-range": `bytes ${start}-${end}/${size}`, "content-length": end - start + 1 });
  createReadStream(path, { start, end }).pipe(response);
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  answerOrders({ port: async () => ({ port }) });
});
