/** What a worker does with a task, whatever the platform: computes, and tells the roots or what went wrong. */
import type { WorkerAnswer } from "./pool.ts";
import type { SealTask, TaskRunner } from "./tasks.ts";

export async function answerTask(runner: TaskRunner, task: SealTask): Promise<WorkerAnswer> {
  try {
    return { roots: await runner.seal(task) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
