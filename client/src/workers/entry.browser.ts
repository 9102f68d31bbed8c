/** A Web Worker. */
import { answerTask } from "./answer.ts";
import { createTaskRunner, type SealTask } from "./tasks.ts";

const runner = createTaskRunner();
globalThis.addEventListener("message", async ({ data }: MessageEvent<SealTask>) => globalThis.postMessage(await answerTask(runner, data)));
