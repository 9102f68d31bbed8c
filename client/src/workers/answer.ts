/** What a worker does with a task, whatever the platform: computes, and tells the result or what went wrong. */
import { PpioError } from "@ppio/core/data";
import type { WorkerAnswer } from "./pool.ts";
import { type OpenResult, openedMemory } from "./read-tasks.ts";
import { createTaskRunner, type TaskKind, type TaskMessage, type TaskOf } from "./tasks.ts";

/** Sends an answer; the memory in `transfer` changes hands with it. */
export type SendAnswer = (answer: WorkerAnswer, transfer: ArrayBuffer[]) => void;

/** @returns what is to be called with every message */
export function answerTasks(send: SendAnswer): (message: TaskMessage) => Promise<void> {
  const runner = createTaskRunner();
  const run = runner as { readonly [K in TaskKind]: (task: TaskOf<TaskKind>) => unknown };
  return async ({ kind, task }) => {
    try {
      const result = await run[kind](task);
      send({ result }, kind === "open" ? openedMemory(result as OpenResult) : []);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      send({ error: { code: error instanceof PpioError ? error.code : "INTERNAL", message } }, []);
    }
  };
}
