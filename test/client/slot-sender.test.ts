/** Bodies of many batches on a wire that breaks off, and to providers that acknowledge too early, too little or nothing. */
import { isTransient, PpioError, type UploadState } from "@ppio/core";
import { expect } from "chai";
import { systemClock } from "../../client/dist/deps.js";
import { createSlotSender, type SlotSender } from "../../client/dist/put/slot-sender.js";
import { codeOf } from "../support/code-of.ts";

const STEP = 1_000;
const TOTAL = 4 * STEP;
const DATA = Uint8Array.from({ length: TOTAL }, (_, at) => (at * 7) & 0xff);
const batch = (at: number): Uint8Array => DATA.subarray(at * STEP, (at + 1) * STEP);

/** One request, as the provider's side sees it. */
interface Body {
  readonly from: number;
  readonly signal: AbortSignal;
  readonly written: Uint8Array[];
  isEnded: boolean;
  /** Lets go of everything that was written so far. */
  leave(): void;
  tell(receivedBytes: number): void;
  fail(error: unknown): void;
  finish(): void;
}

/** A provider whose every move is the test's. */
function openWire(deadlineMs = 60_000) {
  const bodies: Body[] = [];
  let received = 0;
  let opened = (): void => {};
  const sender: SlotSender = createSlotSender({
    uploadId: "",
    totalBytes: TOTAL,
    stepBytes: STEP,
    clock: systemClock,
    signal: undefined,
    deadlineMs: () => deadlineMs,
    timeout: () => new PpioError("TIMEOUT", "too long"),
    received: () => received,
    take: (state) => {
      received = state.receivedBytes;
    },
    sending: () => {},
    persist: async (converse) => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await converse();
        } catch (error) {
          if (tries === 3 || !isTransient(error)) throw error;
        }
      }
    },
    streamBytes: (_id, from, _step, signal) => {
      const told: (UploadState | { readonly error: unknown } | undefined)[] = [];
      let wake = (): void => {};
      const push = (what: (typeof told)[number]): void => {
        told.push(what);
        wake();
      };
      const leaving: (() => void)[] = [];
      const body: Body = {
        from,
        signal,
        written: [],
        isEnded: false,
        leave: () => {
          for (const resolve of leaving.splice(0)) resolve();
        },
        tell: (receivedBytes) => push({ uploadId: "", receivedBytes, slotBytes: TOTAL }),
        fail: (error) => push({ error }),
        finish: () => push(undefined),
      };
      signal.addEventListener("abort", () => push({ error: signal.reason }), { once: true });
      bodies.push(body);
      opened();
      const states = async function* () {
        for (;;) {
          while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
          const next = told.shift();
          if (next === undefined) return;
          if ("error" in next) throw next.error;
          yield next;
        }
      };
      return {
        states: states(),
        write: (bytes) => {
          body.written.push(bytes.slice());
          return new Promise((resolve) => leaving.push(resolve));
        },
        end: () => {
          body.isEnded = true;
        },
      };
    },
  });
  const bodyAt = async (at: number): Promise<Body> => {
    while (bodies[at] === undefined) await new Promise<void>((resolve) => (opened = resolve));
    return bodies[at];
  };
  return { sender, bodies, bodyAt };
}

/** Whether it has ended by now, everything that is due being done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  return settled;
}

describe("a slot's bodies", () => {
  it("carry batch after batch without waiting, each done when the provider has it", async () => {
    const { sender, bodyAt, bodies } = openWire();
    const puts = [0, 1, 2, 3].map((at) => sender.put(at * STEP, batch(at)));
    const body = await bodyAt(0);
    expect(Buffer.concat(body.written).equals(DATA)).to.equal(true);
    expect(body.isEnded, "the slot is whole").to.equal(true);
    body.leave();
    body.tell(2 * STEP);
    await Promise.all(puts.slice(0, 2));
    expect(await isSettled(Promise.race(puts.slice(2)))).to.equal(false);
    body.tell(TOTAL);
    await puts[2];
    expect(await isSettled(puts[3] as Promise<void>), "the provider is not done with the request").to.equal(false);
    body.finish();
    await puts[3];
    expect(bodies).to.have.length(1);
  });

  it("give no memory back before it has left, whatever the provider says", async () => {
    const { sender, bodyAt } = openWire();
    const first = sender.put(0, batch(0));
    const body = await bodyAt(0);
    body.tell(STEP);
    expect(await isSettled(first)).to.equal(false);
    body.leave();
    await first;
    const rest = [1, 2, 3].map((at) => codeOf(sender.put(at * STEP, batch(at))));
    body.tell(TOTAL);
    body.finish();
    expect(await Promise.all(rest), "acknowledged, and still under way").to.deep.equal(["BAD_FORMAT", "BAD_FORMAT", "BAD_FORMAT"]);
    expect(body.signal.aborted, "nothing sends from their memory any more").to.equal(true);
  });

  it("go on where the provider stands after a cut, out of what is in memory", async () => {
    const { sender, bodyAt } = openWire();
    const puts = [0, 1, 2].map((at) => sender.put(at * STEP, batch(at)));
    const first = await bodyAt(0);
    first.leave();
    first.tell(STEP + 10);
    await puts[0];
    first.fail(new PpioError("NETWORK", "gone"));
    const second = await bodyAt(1);
    expect(second.from).to.equal(STEP + 10);
    expect(Buffer.concat(second.written).equals(DATA.subarray(STEP + 10, 3 * STEP))).to.equal(true);
    second.leave();
    second.tell(3 * STEP);
    await Promise.all(puts);
  });

  it("fail for good with all that waits, and with what comes later", async () => {
    const { sender, bodyAt } = openWire();
    const puts = [0, 1].map((at) => codeOf(sender.put(at * STEP, batch(at))));
    (await bodyAt(0)).fail(new PpioError("REFUSED", "no"));
    expect(await Promise.all(puts)).to.deep.equal(["REFUSED", "REFUSED"]);
    expect(await codeOf(sender.put(2 * STEP, batch(2)))).to.equal("REFUSED");
  });

  it("are given up when nothing is acknowledged in time", async () => {
    const { sender, bodyAt } = openWire(5);
    const put = codeOf(sender.put(0, batch(0)));
    for (const at of [0, 1, 2]) expect((await bodyAt(at)).from).to.equal(0);
    expect(await put).to.equal("TIMEOUT");
  });

  it("fail when the provider stops early, or has lost what it had", async () => {
    const early = openWire();
    const put = codeOf(early.sender.put(0, batch(0)));
    for (const at of [0, 1, 2]) (await early.bodyAt(at)).finish();
    expect(await put).to.equal("TRUNCATED");
    const lost = openWire();
    const first = lost.sender.put(0, batch(0));
    const body = await lost.bodyAt(0);
    body.leave();
    body.tell(STEP);
    await first;
    const second = codeOf(lost.sender.put(STEP, batch(1)));
    body.tell(0);
    body.fail(new PpioError("NETWORK", "gone"));
    expect(await second, "its memory is used again").to.equal("IO");
  });
});
