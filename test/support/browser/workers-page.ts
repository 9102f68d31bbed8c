/** What the tests ask of a page with Web Workers. A module, so that workers are found beside it; bundled by `chromium.ts`. */
import { parallelism, startWorker } from "../../../client/dist/workers/platform.browser.js";
import { createInlinePool, createWorkerPool, type StartWorker } from "../../../client/dist/workers/pool.js";
import { type SealedSlots, sealedSlots } from "../client/sealed-slots.ts";

const WORKERS = 2;

interface Answer extends SealedSlots {
  /** Tasks that Web Workers have answered. */
  readonly answered: number;
}

const page = {
  isIsolated: () => globalThis.crossOriginIsolated,
  /** As a client counts its threads: the page's own is one of them. */
  canShare: () => parallelism() > 1,
  async sealed(): Promise<Answer> {
    let answered = 0;
    const counted: StartWorker = (events) =>
      startWorker({
        ...events,
        onAnswer: (answer) => {
          answered += 1;
          events.onAnswer(answer);
        },
      });
    const pool = parallelism() > 1 ? createWorkerPool(counted, WORKERS) : createInlinePool();
    try {
      return { ...(await sealedSlots(pool)), answered };
    } finally {
      pool.close();
    }
  },
};

Object.assign(globalThis, { ppio: page });
