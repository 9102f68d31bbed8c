/** The demonstration's own network: made anew each time, in a folder of its own, and ended again. */
import { mkdir, rm } from "node:fs/promises";
import type { AddressBook } from "@ppio/core";
import { type ChainContracts, connectContracts } from "@ppio/daemon";
import { type OpenedClient, openClient } from "../client/open-client.ts";
import { createWallet } from "../commands/wallet.ts";
import { devnetDown } from "../devnet/down.ts";
import { type DevnetPaths, type DevnetState, devnetPaths, readDevnet } from "../devnet/state.ts";
import { devnetUp } from "../devnet/up.ts";
import type { Home } from "../home.ts";

export interface DemoNetwork {
  readonly home: Home;
  readonly paths: DevnetPaths;
  readonly state: DevnetState;
  readonly book: AddressBook;
  readonly opened: OpenedClient;
  readonly contracts: ChainContracts;
}

const PROVIDERS = 10;
const CAPACITY_BYTES = 100 * 2 ** 30;

/** Ends what an earlier demonstration may have left, and starts from nothing. */
export async function startDemoNetwork(home: Home, note: (line: string) => void, signal: AbortSignal): Promise<DemoNetwork> {
  const paths = devnetPaths(home.devnetDir);
  await stopDemoNetwork(home);
  await rm(home.dir, { recursive: true, force: true });
  await mkdir(home.dir, { recursive: true, mode: 0o700 });
  const { state, book } = await devnetUp({ paths, providers: PROVIDERS, capacityBytes: CAPACITY_BYTES, note, signal });
  try {
    await createWallet({ home, network: paths.addressBook });
    const opened = await openClient({ home });
    return { home, paths, state, book, opened, contracts: connectContracts(book, opened.rpc) };
  } catch (error) {
    await stopDemoNetwork(home);
    throw error;
  }
}

export async function stopDemoNetwork(home: Home): Promise<void> {
  const paths = devnetPaths(home.devnetDir);
  if ((await readDevnet(paths)) !== undefined) await devnetDown(paths);
}
