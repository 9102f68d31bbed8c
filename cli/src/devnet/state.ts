/** What a devnet on this machine consists of: its folder, its processes, its keys. `devnet.json` is written before anything is started. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { atomicWriteFile, isAlive, startTimeOf } from "@ppio/daemon";

export interface DevnetProcess {
  readonly name: string;
  readonly pid: number;
  /** Readable as `/proc/PID/stat` field 22 where there is one: tells a process from a later one with the same id. */
  readonly startedAt: string;
}

export interface DevnetProvider {
  readonly name: string;
  /** 0 until it is registered. */
  readonly providerId: number;
  readonly port: number;
  readonly ownerKey: string;
  readonly operatorKey: string;
}

export interface DevnetVerifier {
  readonly name: string;
  readonly port: number;
  readonly key: string;
  /** Of the account that pays for its probes; empty on a devnet that was made before there were any. */
  readonly payerKey: string;
}

export interface DevnetState {
  readonly version: 1;
  readonly chainPort: number;
  readonly beaconPort: number;
  readonly oraclePort: number;
  readonly beaconGenesisTime: number;
  /** Space that each provider rents out. */
  readonly capacityBytes: number;
  /** Account with coin: deploys, and fills the faucet. For this devnet only. */
  readonly faucetKey: string;
  readonly oracleKey: string;
  readonly providers: readonly DevnetProvider[];
  readonly verifiers: readonly DevnetVerifier[];
  readonly processes: readonly DevnetProcess[];
}

export interface DevnetPaths {
  readonly dir: string;
  readonly stateFile: string;
  readonly addressBook: string;
  readonly chainState: string;
  readonly beaconKey: string;
  readonly logs: string;
  /** Canary grants of a verifier. */
  grants(name: string): string;
  dataDir(name: string): string;
}

export function devnetPaths(dir: string): DevnetPaths {
  return {
    dir,
    stateFile: join(dir, "devnet.json"),
    addressBook: join(dir, "addresses.json"),
    chainState: join(dir, "chain.json"),
    beaconKey: join(dir, "beacon", "key.json"),
    logs: join(dir, "logs"),
    grants: (name) => join(dir, "grants", name),
    dataDir: (name) => join(dir, name),
  };
}

export async function readDevnet(paths: DevnetPaths): Promise<DevnetState | undefined> {
  if (!existsSync(paths.stateFile)) return undefined;
  try {
    const state = JSON.parse(await readFile(paths.stateFile, "utf8")) as DevnetState;
    // One that was made before there were verifiers has none.
    if (state.version === 1)
      return { ...state, verifiers: (state.verifiers ?? []).map((verifier) => ({ ...verifier, payerKey: verifier.payerKey ?? "" })) };
  } catch {
    // Said below, with what to do.
  }
  throw new PpioError("CONFIG", `${paths.stateFile} is damaged; end its processes by hand, remove ${paths.dir} and start again.`);
}

export async function writeDevnet(paths: DevnetPaths, state: DevnetState): Promise<void> {
  await atomicWriteFile(paths.stateFile, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
}

/** Whether this very process still runs, and not another one that got its id. */
export async function isRunning(process: DevnetProcess): Promise<boolean> {
  return (await isAlive(process.pid)) && (await startTimeOf(process.pid)) === process.startedAt;
}

export async function requireDevnet(paths: DevnetPaths): Promise<DevnetState> {
  const state = await readDevnet(paths);
  if (state === undefined) throw new PpioError("NOT_FOUND", `There is no devnet in ${paths.dir}; start one with "ppio devnet up".`);
  return state;
}
