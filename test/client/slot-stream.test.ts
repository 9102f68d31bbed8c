/** A slot read piece after piece: how far requests reach ahead, where a reading goes on after a cut, what is given up. */
import { PpioError } from "@ppio/core";
import { expect } from "chai";
import { createRoom } from "../../client/dist/get/room.js";
import type { SlotAnswer } from "../../client/dist/get/slot-answer.js";
import { createSlotStream, type SlotStreamOptions } from "../../client/dist/get/slot-stream.js";
import { codeOf } from "../support/code-of.ts";

const header = { version: 1, k: 2, n: 4, cellBytes: 4096, lastCellBytes: 128, rows: 100 } as const;
const { signal } = new AbortController();

interface Provider {
  readonly options: SlotStreamOptions;
  /** Rows that each request asked for. */
  readonly asked: [firstRow: number, rowCount: number][];
  /** Requests whose answers were given up before their end. */
  readonly closed: number[];
}

/** Answers with cells full of their row's number. `fail` throws, or waits, before a row is handed out. */
function provider(fail: (row: number, request: number) => void | Promise<void> = () => {}): Provider {
  const asked: [number, number][] = [];
  const closed: number[] = [];
  const open = async (firstRow: number, rowCount: number, stop: AbortSignal): Promise<SlotAnswer> => {
    asked.push([firstRow, rowCount]);
    const request = asked.length;
    let row = firstRow;
    return {
      async readCells(target) {
        for (let at = 0; at < target.length; at += header.cellBytes, row += 1) {
          const aborted = new Promise<never>((_, reject) =>
            stop.addEventListener("abort", () => reject(new PpioError("CANCELLED", "stop"))),
          );
          await Promise.race([fail(row, request), aborted]);
          target.fill(row, at, at + header.cellBytes);
        }
      },
      async end() {
        expect(row).to.equal(firstRow + rowCount);
      },
      async close() {
        closed.push(request);
      },
    };
  };
  return { options: { header, open, endRow: 90, rowsMax: 16, room: createRoom() }, asked, closed };
}

const cut = (): never => {
  throw new PpioError("NETWORK", "cut");
};

describe("a slot's stream", () => {
  it("asks for twice as much each time, up to the bound and to the end", async () => {
    const { options, asked, closed } = provider();
    const stream = createSlotStream(options);
    for (let row = 0; row < 90; row += 1) expect((await stream.read(row, 1, signal)).every((byte) => byte === row)).to.equal(true);
    expect(asked).to.deep.equal([
      [0, 1],
      [1, 2],
      [3, 4],
      [7, 8],
      [15, 16],
      [31, 16],
      [47, 16],
      [63, 16],
      [79, 11],
    ]);
    expect(closed).to.deep.equal([]);
  });

  it("reads across requests, and the short last cell", async () => {
    const { options, asked } = provider();
    const stream = createSlotStream({ ...options, endRow: 100 });
    await stream.read(93, 1, signal);
    const bytes = await stream.read(94, 6, signal);
    expect(bytes.length).to.equal(5 * header.cellBytes + header.lastCellBytes);
    expect([...new Set(bytes)]).to.deep.equal([94, 95, 96, 97, 98, 99]);
    expect(asked).to.deep.equal([
      [93, 1],
      [94, 6],
    ]);
  });

  it("goes on after a cut with the row that is missing", async () => {
    const { options, asked, closed } = provider((row, request) => (row === 5 && request === 3 ? cut() : undefined));
    const stream = createSlotStream(options);
    for (const row of [0, 1, 2, 3, 4, 5, 6]) expect((await stream.read(row, 1, signal))[0]).to.equal(row);
    expect(asked).to.deep.equal([
      [0, 1],
      [1, 2],
      [3, 4],
      [5, 8],
    ]);
    expect(closed).to.deep.equal([3]);
  });

  it("fails when an answer that was just opened breaks off, and may be asked again", async () => {
    let isBroken = true;
    const { options } = provider(() => (isBroken ? cut() : undefined));
    const stream = createSlotStream(options);
    expect(await codeOf(() => stream.read(0, 1, signal))).to.equal("NETWORK");
    isBroken = false;
    expect((await stream.read(0, 1, signal))[0]).to.equal(0);
  });

  it("never reads on after a lie", async () => {
    const { options, asked } = provider((row) => {
      if (row === 2) throw new PpioError("CORRUPT", "a lie");
    });
    const stream = createSlotStream(options);
    await stream.read(0, 1, signal);
    await stream.read(1, 1, signal);
    expect(await codeOf(() => stream.read(2, 1, signal))).to.equal("CORRUPT");
    expect(asked.length).to.equal(2);
  });

  it("gives the answer up with a read that is cancelled, and serves the one that waits behind it", async () => {
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const { options, asked, closed } = provider((row) => {
      if (row !== 1) return;
      begin();
      return new Promise(() => {});
    });
    const stream = createSlotStream(options);
    const stop = new AbortController();
    await stream.read(0, 1, signal);
    const [first, second] = [stream.read(1, 1, stop.signal), stream.read(2, 1, signal)];
    await begun;
    stop.abort();
    expect(await codeOf(() => first)).to.equal("CANCELLED");
    expect((await second)[0]).to.equal(2);
    expect(asked).to.deep.equal([
      [0, 1],
      [1, 2],
      [2, 4],
    ]);
    expect(closed).to.deep.equal([2]);
  });

  it("gives up what was asked for ahead when it is closed, and reads no more", async () => {
    const { options, closed } = provider();
    const stream = createSlotStream(options);
    for (const row of [0, 1]) await stream.read(row, 1, signal);
    stream.close();
    expect(closed).to.deep.equal([2]);
    expect(await codeOf(() => stream.read(2, 1, signal))).to.equal("CANCELLED");
  });

  it("asks for less at a time of a provider that is paid ahead, and of no other", async () => {
    const { options, asked } = provider();
    const paid = {
      ...options,
      open: (...request: Parameters<typeof options.open>) => {
        if (request[1] > 3) throw new PpioError("TOO_LARGE", "paid ahead", { details: { bytesMax: 3 * header.cellBytes } });
        return options.open(...request);
      },
    };
    const stream = createSlotStream({ ...paid, open: async (...request) => paid.open(...request) });
    for (let row = 0; row < 20; row += 5) expect((await stream.read(row, 5, signal)).length).to.equal(5 * header.cellBytes);
    expect(Math.max(...asked.map(([, rowCount]) => rowCount))).to.equal(3);
    expect(asked.reduce((sum, [, rowCount]) => sum + rowCount, 0)).to.be.within(20, 22);
    const refusing = createSlotStream({ ...options, open: async () => Promise.reject(new PpioError("TOO_LARGE", "too much")) });
    expect(await codeOf(refusing.read(0, 1, signal))).to.equal("TOO_LARGE");
  });
});
