/** `ppio devnet status`: what runs, what answers, and where the chain is. */
import { type AddressBook, PpioError } from "@ppio/core";
import { connectContracts, createRpc, readAddressBookFile } from "@ppio/daemon";
import { type DevnetPaths, type DevnetState, isRunning, requireDevnet } from "./state.ts";

export interface ProcessStatus {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
  readonly url: string;
}

export interface DevnetStatus {
  readonly dir: string;
  readonly up: boolean;
  readonly processes: readonly ProcessStatus[];
  readonly chain: { readonly block: number; readonly period: number } | undefined;
  readonly book: AddressBook | undefined;
}

export async function devnetStatus(paths: DevnetPaths): Promise<DevnetStatus> {
  const state = await requireDevnet(paths);
  const processes = await Promise.all(
    state.processes.map(async (process) => ({
      name: process.name,
      pid: process.pid,
      running: await isRunning(process),
      url: `http://127.0.0.1:${portOf(state, process.name)}`,
    })),
  );
  const book = await readAddressBookFile(paths.addressBook).catch((error: unknown) => {
    if (error instanceof PpioError) return undefined;
    throw error;
  });
  const chain = book === undefined ? undefined : await chainStatus(book);
  const up = processes.length > 0 && processes.every(({ running }) => running);
  return { dir: paths.dir, up, processes, chain, book };
}

function portOf(state: DevnetState, name: string): number {
  const fixed: Readonly<Record<string, number>> = { chain: state.chainPort, beacon: state.beaconPort, oracle: state.oraclePort };
  return fixed[name] ?? [...state.providers, ...state.verifiers].find((one) => one.name === name)?.port ?? 0;
}

/** Nothing while the chain does not answer. */
async function chainStatus(book: AddressBook): Promise<DevnetStatus["chain"]> {
  const rpc = createRpc(book.rpcUrl, book.chainId);
  try {
    const block = await rpc.getBlockNumber();
    return { block, period: Number(await connectContracts(book, rpc).proofs.currentPeriod()) };
  } catch {
    return undefined;
  } finally {
    rpc.destroy();
  }
}
