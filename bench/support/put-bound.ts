/**
 * What no put can spare: both layers, the code, the slots' trees on both sides, and each of their bytes sent, received and written, by
 * bare calls. All of it by all processors, which never wait.
 */
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { processorRateOf, rateOf } from "./interleave.ts";
import { BATCH_BYTES, bareParts, CODE } from "./pipeline.ts";
import { temporaryFolder } from "./temporary.ts";

const PIECE_BYTES = 1 << 20;
const PIECES = 64;
const MIB = 2 ** 20;

export interface PutBound {
  /** MiB of plaintext a second. */
  measure(): Promise<number>;
  close(): Promise<void>;
}

export async function openPutBound(): Promise<PutBound> {
  const parts = bareParts();
  const wire = await openWire();
  const folder = await temporaryFolder();
  const file = await open(join(folder.path, "bound"), "w");
  return {
    async measure() {
      // GB/s of plaintext, and of slots' bytes.
      const plain = [parts.seal, parts.code, parts.tree, parts.tree].map((part) => rateOf(part, BATCH_BYTES));
      const coded = [
        await processorRateOf(wire.send, PIECES * PIECE_BYTES),
        await processorRateOf(() => write(file), PIECES * PIECE_BYTES),
      ];
      const nanoseconds = (rates: readonly number[]): number => rates.reduce((sum, rate) => sum + 1 / rate, 0);
      const perByte = nanoseconds(plain) + (nanoseconds(coded) * CODE.n) / CODE.k;
      return (availableParallelism() * 1e9) / perByte / MIB;
    },
    async close() {
      wire.close();
      await file.close();
      await folder.remove();
    },
  };
}

/** Loopback, both ends in this process: each byte sent and received. */
async function openWire(): Promise<{ send(): Promise<void>; close(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  let left = 0;
  let arrived = (): void => undefined;
  const callback = (length: number): boolean => {
    left -= length;
    if (left === 0) arrived();
    return true;
  };
  // As the client's own transport receives; the provider's node:http takes more.
  const receiver = connect({ port, host: "127.0.0.1", onread: { buffer: new Uint8Array(PIECE_BYTES), callback } });
  const [sender] = (await once(server, "connection")) as [Socket];
  const piece = new Uint8Array(PIECE_BYTES).fill(1);
  return {
    async send() {
      left = PIECES * PIECE_BYTES;
      const all = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      for (let sent = 0; sent < PIECES; sent += 1) if (!sender.write(piece)) await once(sender, "drain");
      await all;
    },
    close() {
      sender.destroy();
      receiver.destroy();
      server.close();
    },
  };
}

const PIECE = new Uint8Array(PIECE_BYTES).fill(1);

/** Over the same pages again and again. */
async function write(file: FileHandle): Promise<void> {
  for (let at = 0; at < PIECES; at += 1) await file.write(PIECE, 0, PIECE_BYTES, at * PIECE_BYTES);
}
