/** Threads of Node. They keep the process alive only while they compute. */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { StartWorker } from "./pool.ts";

export const startWorker: StartWorker = ({ onAnswer, onFailure }) => {
  const worker = new Worker(new URL(`./entry.node${extname(import.meta.url)}`, import.meta.url));
  let tasks = 0;
  worker.on("message", (answer) => {
    tasks -= 1;
    if (tasks === 0) worker.unref();
    onAnswer(answer);
  });
  worker.on("error", onFailure);
  worker.on("exit", (code) => onFailure(new Error(`exit code ${code}`)));
  return {
    send: (task, transfer) => {
      tasks += 1;
      worker.ref();
      worker.postMessage(task, transfer);
    },
    close: () => void worker.terminate(),
  };
};

/** Threads that the machine runs at once. */
export const parallelism = (): number => availableParallelism();
