/** A Web Worker. */
import { answerTasks } from "./answer.ts";
import type { TaskMessage } from "./tasks.ts";

const answer = answerTasks((message, transfer) => globalThis.postMessage(message, { transfer }));
globalThis.addEventListener("message", ({ data }: MessageEvent<TaskMessage>) => answer(data));
