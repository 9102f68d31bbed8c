/** Threads of a page. They need shared memory, which only pages get that are isolated (COOP and COEP headers). */
import type { StartWorker } from "./pool.ts";

export const startWorker: StartWorker = ({ onAnswer, onFailure }) => {
  const worker = new Worker(new URL("./entry.browser.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => onAnswer(data);
  worker.onerror = onFailure;
  return { send: (task, transfer) => worker.postMessage(task, transfer), close: () => worker.terminate() };
};

/** Threads that the machine runs at once; 1 where they cannot share memory. */
export const parallelism = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1);
