/** Starting processes that outlive the command, waiting until they answer, and ending them for certain. */
import { spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PpioError } from "@ppio/core";
import { pause, startTimeOf } from "@ppio/daemon";
import { type DevnetProcess, isRunning } from "./state.ts";

/** The launcher, also when this file runs from `dist`. */
export const LAUNCHER = fileURLToPath(new URL("../../bin/ppio.cjs", import.meta.url));

const READY_MS = 60_000;
const POLL_MS = 100;
const STOP_MS = 12_000;
const KILL_MS = 5_000;

export interface StartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly logs: string;
}

export async function startProcess(options: StartOptions): Promise<DevnetProcess> {
  await mkdir(options.logs, { recursive: true });
  const log = await open(join(options.logs, `${options.name}.log`), "a", 0o600);
  try {
    const child = spawn(options.command, [...options.args], {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) => reject(new PpioError("IO", `${options.name} could not be started: ${cause.message}.`, { cause })));
    });
    child.unref();
    const pid = child.pid ?? 0;
    return { name: options.name, pid, startedAt: await startTimeOf(pid) };
  } finally {
    await log.close();
  }
}

/** Waits until `isReady` holds; a process that ends before fails with the last words of its log, one that is late is ended. */
export async function waitUntilReady(started: DevnetProcess, logs: string, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  const never = new AbortController().signal;
  for (;;) {
    if (await isReady().catch(() => false)) return;
    if (!(await isRunning(started))) {
      throw new PpioError("IO", `${started.name} ended at once: ${await lastWords(logs, started.name)}`, {
        details: { log: join(logs, `${started.name}.log`) },
      });
    }
    if (Date.now() > deadline) {
      await stopProcesses([started]);
      throw new PpioError("TIMEOUT", `${started.name} was not ready in ${READY_MS / 1000} s; see ${join(logs, `${started.name}.log`)}.`);
    }
    await pause(POLL_MS, never);
  }
}

/** The last error, or else the last line, of a process's log. */
async function lastWords(logs: string, name: string): Promise<string> {
  const text = await readFile(join(logs, `${name}.log`), "utf8").catch(() => "");
  const lines = text.trimEnd().split("\n").map(parseLine);
  const line = lines.findLast(({ level }) => level === "error") ?? lines.at(-1);
  return line === undefined || line.message === "" ? "it wrote nothing" : line.message;
}

function parseLine(line: string): { readonly level: unknown; readonly message: string } {
  try {
    const { level, message } = JSON.parse(line) as { readonly level?: unknown; readonly message?: unknown };
    return { level, message: String(message ?? line) };
  } catch {
    return { level: undefined, message: line };
  }
}

/** Asks all to end, forces those that do not, and returns once none runs. */
export async function stopProcesses(processes: readonly DevnetProcess[]): Promise<void> {
  const never = new AbortController().signal;
  const running = async (): Promise<DevnetProcess[]> => {
    const states = await Promise.all(processes.map(isRunning));
    return processes.filter((_, at) => states[at]);
  };
  for (const [signal, waitMs] of [
    ["SIGTERM", STOP_MS],
    ["SIGKILL", KILL_MS],
  ] as const) {
    for (const { pid } of await running()) signalQuietly(pid, signal);
    const deadline = Date.now() + waitMs;
    while ((await running()).length > 0 && Date.now() < deadline) await pause(POLL_MS, never);
  }
  const left = await running();
  if (left.length > 0) {
    throw new PpioError(
      "TIMEOUT",
      `These processes do not end: ${left.map(({ name, pid }) => `${name} (${pid})`).join(", ")}; end them by hand.`,
    );
  }
}

/** The process may have ended between looking and asking. */
function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
