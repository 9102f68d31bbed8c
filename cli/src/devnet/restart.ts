/** `ppio devnet restart NAME`: one process anew, whether it still runs or was killed. */
import { PpioError } from "@ppio/core";
import { DEVNET_PARAMETERS } from "../deploy/parameters.ts";
import { startChain } from "./chain.ts";
import { startBeacon, startOracle, startProvider, startVerifier } from "./daemons.ts";
import { stopProcesses } from "./processes.ts";
import { type DevnetPaths, type DevnetProcess, type DevnetState, requireDevnet, writeDevnet } from "./state.ts";

/** @throws NOT_FOUND for a name that the devnet does not have */
export async function devnetRestart(paths: DevnetPaths, name: string): Promise<DevnetProcess> {
  const state = await requireDevnet(paths);
  const start = starterOf(paths, state, name);
  await stopProcesses(state.processes.filter((process) => process.name === name));
  const started = await start();
  const others = state.processes.filter((process) => process.name !== name);
  await writeDevnet(paths, { ...state, processes: [...others, started] });
  return started;
}

function starterOf(paths: DevnetPaths, state: DevnetState, name: string): () => Promise<DevnetProcess> {
  if (name === "chain") return async () => (await startChain(paths, state.chainPort)).process;
  if (name === "beacon") return () => startBeacon(paths, state, DEVNET_PARAMETERS);
  if (name === "oracle") return () => startOracle(paths, state);
  const provider = state.providers.find((candidate) => candidate.name === name);
  if (provider !== undefined) return () => startProvider(paths, provider, state.capacityBytes);
  const verifier = state.verifiers.find((candidate) => candidate.name === name);
  if (verifier !== undefined) return () => startVerifier(paths, verifier);
  const names = ["chain", "beacon", "oracle", ...[...state.providers, ...state.verifiers].map((candidate) => candidate.name)];
  throw new PpioError("NOT_FOUND", `The devnet has no process "${name}"; it has ${names.join(", ")}.`);
}
