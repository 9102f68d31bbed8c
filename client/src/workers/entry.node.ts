/** A worker thread of Node. */
import { parentPort } from "node:worker_threads";
import { answerTasks } from "./answer.ts";

parentPort?.on(
  "message",
  answerTasks((message, transfer) => parentPort?.postMessage(message, transfer)),
);
