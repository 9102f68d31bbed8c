/** How the devnet starts the daemons: as a user would from a shell, keys in the environment where other users cannot see them. */
import type { DeployParameters } from "../deploy/parameters.ts";
import { LAUNCHER, startProcess, waitUntilReady } from "./processes.ts";
import type { DevnetPaths, DevnetProcess, DevnetProvider, DevnetState, DevnetVerifier } from "./state.ts";

async function startDaemon(
  paths: DevnetPaths,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  healthUrl: string,
): Promise<DevnetProcess> {
  const started = await startProcess({ name, command: process.execPath, args: [LAUNCHER, ...args], env, logs: paths.logs });
  await waitUntilReady(started, paths.logs, async () => (await fetch(healthUrl)).ok);
  return started;
}

export function startBeacon(paths: DevnetPaths, state: DevnetState, parameters: DeployParameters): Promise<DevnetProcess> {
  const args = [
    ...["oracle", "beacon", "--key-file", paths.beaconKey, "--port", String(state.beaconPort)],
    ...["--genesis-time", String(state.beaconGenesisTime), "--round-seconds", String(parameters.roundSeconds)],
  ];
  return startDaemon(paths, "beacon", args, {}, `http://127.0.0.1:${state.beaconPort}/health`);
}

export function startOracle(paths: DevnetPaths, state: DevnetState): Promise<DevnetProcess> {
  const args = [
    ...["oracle", "start", "--network", paths.addressBook, "--data-dir", paths.dataDir("oracle")],
    ...["--port", String(state.oraclePort)],
  ];
  return startDaemon(paths, "oracle", args, { PPIO_PRIVATE_KEY: state.oracleKey }, `http://127.0.0.1:${state.oraclePort}/health`);
}

export function startProvider(paths: DevnetPaths, provider: DevnetProvider, capacityBytes: number): Promise<DevnetProcess> {
  const args = [
    ...["provider", "start", "--network", paths.addressBook, "--data-dir", paths.dataDir(provider.name)],
    ...["--port", String(provider.port), "--capacity-bytes", String(capacityBytes)],
    // What is lost shall be seen to heal.
    ...["--repair-below", "100"],
  ];
  const env = { PPIO_PRIVATE_KEY: provider.operatorKey };
  return startDaemon(paths, provider.name, args, env, `http://127.0.0.1:${provider.port}/v1/health`);
}

/** Reads of each provider in a term of 40 s. */
const PROBES_PER_PROVIDER = 6;

export function startVerifier(paths: DevnetPaths, verifier: DevnetVerifier): Promise<DevnetProcess> {
  const { name, port, key, payerKey } = verifier;
  const args = [
    ...["verifier", "start", "--network", paths.addressBook, "--data-dir", paths.dataDir(name), "--port", String(port)],
    ...["--grants", paths.grants(name), "--probes-per-provider", String(PROBES_PER_PROVIDER)],
  ];
  return startDaemon(paths, name, args, { PPIO_PRIVATE_KEY: key, PPIO_PAYER_PRIVATE_KEYS: payerKey }, `http://127.0.0.1:${port}/health`);
}
