/**
 * A slot's bytes to one provider as bodies that go on from batch to batch, while the provider tells what it has taken. Several batches may
 * be on their way; each is done when the provider has it and this process no longer sends from its memory. When the wire breaks off, what
 * is still in memory is sent again from where the provider stands.
 */
import { PpioError, type ProviderApi, type UploadState, type UploadStream } from "@ppio/core";
import { type Clock, NOT_NEEDED, throwIfAborted } from "../deps.ts";

/** A body ends after so much of a slot: whoever balances or watches requests sees some. */
const BODY_BYTES = 64 << 20;
/** A body that nothing was added to for so long ends: the provider keeps room for it. */
const IDLE_MS = 2_000;

export interface SlotSenderOptions {
  readonly uploadId: string;
  readonly totalBytes: number;
  readonly stepBytes: number;
  readonly streamBytes: NonNullable<ProviderApi["streamBytes"]>;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** For so many bytes to arrive. */
  readonly deadlineMs: (bytes: number) => number;
  readonly timeout: (ms: number) => PpioError;
  /** Bytes that the provider has, by its last answer. */
  readonly received: () => number;
  /** Told what a provider says. @throws when that cannot be */
  readonly take: (state: UploadState) => void;
  /** Told before bytes up to `end` leave. */
  readonly sending: (end: number) => void;
  /** Runs `converse` until it succeeds or it is hopeless, asking where the provider stands in between. */
  readonly persist: (converse: () => Promise<void>) => Promise<void>;
}

export interface SlotSender {
  /** Resolves once the provider has the bytes and they may be changed. Calls follow each other in the slot. */
  put(offset: number, bytes: Uint8Array): Promise<void>;
}

interface Batch {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Nothing sends from its memory. */
  isFree: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function createSlotSender(options: SlotSenderOptions): SlotSender {
  const { signal, received, persist } = options;
  /** Not done yet, in order. */
  const queue: Batch[] = [];
  let failure: { readonly error: unknown } | undefined;
  let isRunning = false;
  let isConversing = false;
  /** Tells the conversation that there is more. */
  let wake = (): void => {};

  /** Ends batches that the provider has; the last one when its request is over, so that the provider is done with the slot. */
  const settle = (): void => {
    for (let first = queue[0]; first?.isFree; first = queue[0]) {
      const end = first.offset + first.bytes.length;
      if (received() < end || (isConversing && end === options.totalBytes)) return;
      queue.shift();
      first.resolve();
    }
  };

  const converse = async (): Promise<void> => {
    settle();
    const [first] = queue;
    if (first === undefined) return;
    throwIfAborted(signal);
    const ended = new AbortController();
    const onAbort = (): void => ended.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const body = createBody(options, queue, settle, ended);
    wake = body.wake;
    isConversing = true;
    try {
      await body.send();
      if (queue.some(({ isFree }) => !isFree)) throw new PpioError("BAD_FORMAT", "The provider acknowledged what had not left yet.");
    } catch (error) {
      throw ended.signal.aborted ? ended.signal.reason : error;
    } finally {
      wake = () => {};
      signal?.removeEventListener("abort", onAbort);
      // A request that is not over goes on sending from the batches.
      if (queue.some(({ isFree }) => !isFree) || !body.isOver) ended.abort(NOT_NEEDED);
      for (const batch of queue) batch.isFree = true;
      isConversing = false;
    }
    settle();
  };

  const run = async (): Promise<void> => {
    isRunning = true;
    try {
      while (queue.length > 0) await persist(converse);
    } catch (error) {
      failure = { error };
      for (const { reject } of queue.splice(0)) reject(error);
    } finally {
      isRunning = false;
    }
  };

  return {
    put: (offset, bytes) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) throw failure.error;
        queue.push({ offset, bytes, isFree: true, resolve, reject });
        if (isRunning) wake();
        else void run();
      }),
  };
}

/** One request. */
function createBody(options: SlotSenderOptions, queue: readonly Batch[], settle: () => void, ended: AbortController) {
  const { uploadId, totalBytes, stepBytes, streamBytes, clock, deadlineMs, timeout, received, take, sending } = options;
  const from = received();
  let written = from;
  let isEnded = false;
  let timer: AbortController | undefined;
  let stream: UploadStream | undefined;

  /** Whatever is due next: something arrives, or something is there to be sent. */
  const expect = (): void => {
    timer?.abort(NOT_NEEDED);
    timer = new AbortController();
    const [first] = queue;
    const ms = first === undefined && !isEnded ? IDLE_MS : deadlineMs(first?.bytes.length ?? 0);
    clock.sleep(ms, timer.signal).then(
      () => (first === undefined && !isEnded ? end() : ended.abort(timeout(ms))),
      () => undefined,
    );
  };

  const end = (): void => {
    isEnded = true;
    stream?.end();
    expect();
  };

  const write = (batch: Batch): void => {
    const part = batch.bytes.subarray(Math.max(0, written - batch.offset));
    written = batch.offset + batch.bytes.length;
    sending(written);
    batch.isFree = false;
    void stream?.write(part).then(() => {
      batch.isFree = true;
      settle();
    });
  };

  const writeNext = (): void => {
    for (const batch of queue) {
      if (isEnded) return;
      if (batch.offset + batch.bytes.length <= written) continue;
      if (batch.offset > written) {
        ended.abort(new PpioError("IO", "The provider lost bytes that it had acknowledged; another provider is used."));
        return;
      }
      write(batch);
      if (written === totalBytes || written - from >= BODY_BYTES) end();
    }
  };

  let isOver = false;
  return {
    get isOver() {
      return isOver;
    },
    wake: (): void => {
      const wasIdle = queue.length === 1;
      writeNext();
      if (wasIdle) expect();
    },
    async send(): Promise<void> {
      stream = streamBytes(uploadId, from, stepBytes, ended.signal);
      try {
        writeNext();
        expect();
        for await (const state of stream.states) {
          take(state);
          settle();
          expect();
        }
        isOver = isEnded;
        if (received() < written) throw new PpioError("TRUNCATED", "The provider took fewer bytes than were sent.");
        if (!isEnded) throw new PpioError("TRUNCATED", "The provider ended the upload early.");
      } finally {
        timer?.abort(NOT_NEEDED);
      }
    },
  };
}
