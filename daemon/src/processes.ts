/** Processes of this machine, as far as the system tells. */
import { readdir, readFile } from "node:fs/promises";
import { isErrno } from "./files.ts";

/** In /proc/PID/stat, counted from behind the name. */
const STATE_AT = 0;
const START_AT = 19;

/**
 * Whether a process with this id runs. One that has ended and was not collected yet does not, which in a container may be for ever; one
 * whose last threads are still being taken down does: it holds its ports and files.
 */
export async function isAlive(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return isErrno(error, "EPERM");
  }
  return (await statOf(pid))[STATE_AT] !== "Z" || (await threadCount(pid)) > 1;
}

/** Start of a process in clock ticks; empty where the system does not tell. */
export async function startTimeOf(pid: number): Promise<string> {
  return (await statOf(pid))[START_AT] ?? "";
}

/** The name, in brackets, may hold blanks. */
async function statOf(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function threadCount(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/task`).catch(() => [])).length;
}
