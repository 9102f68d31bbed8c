/** What a bench leaves behind when it is interrupted: nothing. Folders and processes outlive the process that made them. */
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY_FOLDER = "/dev/shm";
const undone = new Set<() => void>();

process.on("exit", () => {
  for (const undo of [...undone].reverse()) undo();
});
// Not `once`: npm passes on a signal that the terminal has sent already, and the second one would end the undoing.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

/** Runs `undo` when this process ends, unless what it returns was called before. */
export function undoAtExit(undo: () => void): () => void {
  undone.add(undo);
  return () => void undone.delete(undo);
}

export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** In memory where there is such a place, so that no disk is measured. */
export async function temporaryFolder(parent = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir()): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(parent, "ppio-bench-"));
  // Tried again: a process that was killed a moment ago may still write.
  const forget = undoAtExit(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      forget();
    },
  };
}
