/** A worker thread of Node. */
import { parentPort } from "node:worker_threads";
import { answerTask } from "./answer.ts";
import { createTaskRunner, type SealTask } from "./tasks.ts";

const runner = createTaskRunner();
parentPort?.on("message", async (task: SealTask) => parentPort?.postMessage(await answerTask(runner, task)));
