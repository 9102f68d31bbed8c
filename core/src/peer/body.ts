/** Reading an answer's body: exact lengths, lines, or all of it within a bound. */
import { PpioError } from "../errors.ts";
import type { ReadExactly } from "../wire/answer.ts";
import type { ResponseBody } from "./transport.ts";

export interface AnswerReader {
  readonly readExactly: ReadExactly;
  /** Fills the targets, one after the other, the cheaper the more at once; throws `TRUNCATED` when the answer ends before. */
  readInto(targets: readonly Uint8Array[]): Promise<void>;
  /** Throws `BAD_FORMAT` when bytes are left. */
  end(): Promise<void>;
  /** Gives the connection up. */
  close(): Promise<void>;
}

export function answerReader(body: ResponseBody): AnswerReader {
  const { fill } = body;
  return fill === undefined ? readerOfPieces(body) : readerOf(fill, async () => body.close?.());
}

function readerOf(fill: (targets: readonly Uint8Array[]) => Promise<number>, close: () => Promise<void>): AnswerReader {
  const readInto = async (targets: readonly Uint8Array[]): Promise<void> => {
    const missing = lengthOf(targets) - (await fill(targets));
    if (missing > 0) throw endedEarly(missing);
  };
  return {
    readInto,
    readExactly: (length) => exactly(readInto, length),
    async end() {
      if ((await fill([new Uint8Array(1)])) > 0) throw tooLong();
    },
    close,
  };
}

function readerOfPieces(body: AsyncIterable<Uint8Array>): AnswerReader {
  const iterator = body[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const fill = async (): Promise<boolean> => {
    const { done, value } = await iterator.next();
    if (done === true) return false;
    rest = value;
    return true;
  };
  const readInto = async (targets: readonly Uint8Array[]): Promise<void> => {
    let missing = lengthOf(targets);
    for (const target of targets) {
      for (let at = 0; at < target.length; ) {
        if (rest.length === 0 && !(await fill())) throw endedEarly(missing);
        const take = Math.min(rest.length, target.length - at);
        target.set(rest.subarray(0, take), at);
        rest = rest.subarray(take);
        at += take;
        missing -= take;
      }
    }
  };
  return {
    readInto,
    readExactly: (length) => exactly(readInto, length),
    async end() {
      while (rest.length === 0) if (!(await fill())) return;
      throw tooLong();
    },
    async close() {
      await iterator.return?.();
    },
  };
}

function lengthOf(targets: readonly Uint8Array[]): number {
  return targets.reduce((sum, { length }) => sum + length, 0);
}

async function exactly(readInto: AnswerReader["readInto"], length: number): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  await readInto([out]);
  return out;
}

function endedEarly(missing: number): PpioError {
  return new PpioError("TRUNCATED", `The answer ended ${missing} bytes early.`);
}

function tooLong(): PpioError {
  return new PpioError("BAD_FORMAT", "The answer is longer than what was asked for.");
}

/** The whole body; more than `bytesMax` is `TOO_LARGE`. */
export async function readAll(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) throw new PpioError("TOO_LARGE", `The answer has more than ${bytesMax} bytes.`);
    chunks.push(new Uint8Array(chunk));
  }
  const out = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** Lines as they come, each ended by a line feed; one of more than `bytesMax` is `TOO_LARGE`, an unfinished one `TRUNCATED`. */
export async function* linesOf(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > bytesMax) throw new PpioError("TOO_LARGE", `A line of the answer has more than ${bytesMax} bytes.`);
  }
  if (rest !== "") throw new PpioError("TRUNCATED", "The answer ended within a line.");
}
