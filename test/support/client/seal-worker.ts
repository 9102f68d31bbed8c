/** A worker that seals the frame it is given where it lies, in memory that it shares with the test. */
import { parentPort, workerData } from "node:worker_threads";
import { createSealer, type SealContext } from "@ppio/client";
import type { Frame } from "@ppio/core";

export interface SealOrder {
  readonly context: SealContext;
  readonly cellBytes: number;
  readonly frame: Frame;
  readonly target: Uint8Array;
}

const { context, cellBytes, frame, target } = workerData as SealOrder;
const done = createSealer(context, cellBytes).sealInto(target, frame.cell, frame, target.subarray(0, frame.plainLength));
parentPort?.postMessage(done === undefined ? "done at once" : "not done");
