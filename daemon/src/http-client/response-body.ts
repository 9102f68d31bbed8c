/** The body of an answer, taken as it is wanted. */
import type { ResponseBody } from "@ppio/core";
import type { Connection } from "./connection.ts";
import { type Framing, latin1, malformed } from "./response-head.ts";
import { Scatter } from "./scatter.ts";

const CHUNK_LINE_BYTES_MAX = 1024;

/** @param onEnd told once: whether all was read, or the body was given up or broke off */
export function responseBody(connection: Connection, framing: Framing, onEnd: (isWhole: boolean) => void): ResponseBody {
  /** Bytes that may be taken before the next look at the framing. */
  let left = framing.kind === "length" ? framing.bytes : framing.kind === "chunked" ? 0 : Number.POSITIVE_INFINITY;
  let isFirstChunk = true;
  let isOver = false;
  const over = (isWhole: boolean): void => {
    if (isOver) return;
    isOver = true;
    onEnd(isWhole);
  };

  /** @returns whether there is more */
  const isThere = async (): Promise<boolean> => {
    if (isOver) return false;
    if (left === 0 && framing.kind === "chunked") {
      left = await readChunkLine(connection, isFirstChunk);
      isFirstChunk = false;
      if (left === 0) await readTrailers(connection);
    }
    if (left === 0) over(true);
    return left > 0;
  };
  const take = (count: number): void => {
    left -= count;
    if (left === 0 && framing.kind === "length") over(true);
  };
  const atEnd = (): void => {
    if (framing.kind !== "end") throw new Error("the connection broke off");
    over(false);
  };
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      over(false);
      throw error;
    }
  };

  const body: ResponseBody = {
    fill: (targets) =>
      guarded(async () => {
        const into = new Scatter(targets);
        let filled = 0;
        while (filled < into.length && (await isThere())) {
          const wanted = Math.min(left, into.length - filled);
          const count = await connection.fill(into, wanted);
          filled += count;
          take(count);
          if (count < wanted) {
            atEnd();
            break;
          }
        }
        return filled;
      }),
    async *[Symbol.asyncIterator]() {
      try {
        while (await guarded(isThere)) {
          const some = await guarded(() => connection.some());
          if (some === undefined) {
            atEnd();
            return;
          }
          const piece = some.subarray(0, Math.min(some.length, left));
          yield piece;
          connection.skip(piece.length);
          take(piece.length);
        }
      } finally {
        over(false);
      }
    },
    close: async () => over(false),
  };
  if (left === 0 && framing.kind === "length") over(true);
  return body;
}

/** `size in hex [;extensions]`, after the end of the piece before. */
async function readChunkLine(connection: Connection, isFirst: boolean): Promise<number> {
  if (!isFirst && (await readLine(connection)) !== "") throw malformed("a piece is longer than it says");
  const line = await readLine(connection);
  const found = /^([0-9a-fA-F]{1,12})\s*(?:;.*)?$/.exec(line);
  if (found === null) throw malformed("a piece has no length");
  return Number.parseInt(found[1] ?? "", 16);
}

async function readTrailers(connection: Connection): Promise<void> {
  while ((await readLine(connection)) !== "");
}

async function readLine(connection: Connection): Promise<string> {
  let line = "";
  while (!line.endsWith("\r\n")) {
    const bytes = await connection.some();
    if (bytes === undefined) throw new Error("the connection broke off");
    const newline = bytes.indexOf(10);
    const count = newline < 0 ? bytes.length : newline + 1;
    line += latin1(bytes.subarray(0, count));
    connection.skip(count);
    if (line.length > CHUNK_LINE_BYTES_MAX) throw malformed("a line is too long");
  }
  return line.slice(0, -2);
}
