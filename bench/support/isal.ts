/** Builds and talks to bench/peers/isal.c. One process answers all questions, and waits while the other side measures. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const TURN_MS = 40;

export interface Isal {
  /** GB/s of data with k sources and `rows` targets of `bytes` each. */
  rate(k: number, n: number, rows: number, bytes: number): Promise<number>;
  close(): void;
}

/** Nothing, and a sentence on the console, where the library or a compiler is missing. */
export function startIsal(): Isal | undefined {
  const folder = mkdtempSync(join(tmpdir(), "ppio-isal-"));
  const program = join(folder, "isal");
  try {
    const source = fileURLToPath(new URL("../peers/isal.c", import.meta.url));
    execFileSync("gcc", ["-O2", "-o", program, source, "-lisal"], { stdio: "pipe" });
  } catch {
    rmSync(folder, { recursive: true });
    console.log("Skipped: the peer is Intel ISA-L on x86-64; on Debian, apt-get install gcc libisal-dev.");
    return undefined;
  }
  const child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    rate: async (k, n, rows, bytes) => {
      child.stdin.write(`${k} ${n} ${rows} ${bytes} ${TURN_MS}\n`);
      const line = await lines.next();
      if (line.done) throw new Error("The peer stopped.");
      return Number(line.value);
    },
    close: () => {
      child.stdin.end();
      rmSync(folder, { recursive: true });
    },
  };
}
