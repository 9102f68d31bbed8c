/** `ppio devnet down`: no process stays behind. The chain goes last, so that the daemons can finish what they do. */
import { stopProcesses } from "./processes.ts";
import { type DevnetPaths, isRunning, requireDevnet, writeDevnet } from "./state.ts";

/** @returns names of the processes that were running */
export async function devnetDown(paths: DevnetPaths): Promise<readonly string[]> {
  const state = await requireDevnet(paths);
  const running = await Promise.all(state.processes.map(isRunning));
  const names = state.processes.filter((_, at) => running[at]).map(({ name }) => name);
  await stopProcesses(state.processes.filter(({ name }) => name !== "chain"));
  await stopProcesses(state.processes.filter(({ name }) => name === "chain"));
  await writeDevnet(paths, { ...state, processes: [] });
  return names;
}
