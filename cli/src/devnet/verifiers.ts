/** Verifiers of a devnet: tokens for their stakes, canary objects of a customer of their own, grants for each, processes. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AddressBook } from "@ppio/core";
import { connectContracts, readJsonFile } from "@ppio/daemon";
import { type JsonRpcProvider, parseEther, Wallet } from "ethers";
import { makeCanaries, writeGrants } from "../canary/make.ts";
import { openClient } from "../client/open-client.ts";
import { depositBandwidth } from "../client/pay-account.ts";
import { createWallet } from "../commands/wallet.ts";
import { type Home, openHome } from "../home.ts";
import { sendingAs } from "../sending.ts";
import { giveCoin } from "./chain.ts";
import { startVerifier } from "./daemons.ts";
import type { DevnetPaths, DevnetProcess, DevnetState } from "./state.ts";

const COIN_WEI = parseEther("100");
const RESERVE_WEI = parseEther("10");
const BOND_WEI = parseEther("1");
const DAY_SECONDS = 86_400;
const GRANT_HOURS = 24;

export interface VerifiersOptions {
  readonly paths: DevnetPaths;
  readonly state: DevnetState;
  readonly rpc: JsonRpcProvider;
  readonly book: AddressBook;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
  readonly onStarted: (process: DevnetProcess) => Promise<void>;
}

export async function startVerifiers(options: VerifiersOptions): Promise<void> {
  const { paths, state, onStarted } = options;
  if (!(await hasUsableCanary(options))) await renewCanaries(options);
  const keys = state.verifiers.flatMap(({ key, payerKey }) => [key, payerKey]).filter((key) => key !== "");
  await Promise.all(keys.map((key) => giveTokens(options, key)));
  const started = await Promise.allSettled(state.verifiers.map((verifier) => startVerifier(paths, verifier)));
  for (const result of started) if (result.status === "fulfilled") await onStarted(result.value);
  for (const result of started) if (result.status === "rejected") throw result.reason;
}

/** Once: a verifier of a kept devnet has put its stake down already. */
async function giveTokens({ rpc, book }: VerifiersOptions, key: string): Promise<void> {
  const wallet = new Wallet(key, rpc);
  const { token } = connectContracts(book, sendingAs(wallet));
  if ((await token.allowance(wallet.address, book.committee)) !== 0n || (await token.balanceOf(wallet.address)) !== 0n) return;
  await (await token.faucet(wallet.address)).wait();
}

/** Whether the first verifier has a grant for a deal that still runs. */
async function hasUsableCanary({ paths, state, rpc, book }: VerifiersOptions): Promise<boolean> {
  const folder = paths.grants(state.verifiers[0]?.name ?? "");
  const names = await readdir(folder).catch(() => []);
  const { market, proofs } = connectContracts(book, rpc);
  const current = await proofs.currentPeriod();
  const nowSeconds = Date.now() / 1000;
  for (const name of names) {
    const grant = await readJsonFile<{ dealId: string; tickets: { ticket: { expiry: number } }[] }>(join(folder, name));
    const lasts = grant?.tickets.some(({ ticket }) => ticket.expiry > nowSeconds + 3_600) ?? false;
    if (grant !== undefined && lasts && (await market.deal(grant.dealId)).end > current) return true;
  }
  return false;
}

async function renewCanaries(options: VerifiersOptions): Promise<void> {
  const { paths, state, rpc, book, note, signal } = options;
  for (const { name } of state.verifiers) await rm(paths.grants(name), { recursive: true, force: true });
  const home = openHome(join(paths.dir, "canary"));
  // The wallet of an earlier chain holds nothing on this one.
  await rm(home.dir, { recursive: true, force: true });
  await createCustomer(options, home);
  const opened = await openClient({ home });
  try {
    // To list its objects it reads what it has stored before.
    const providers = await opened.client.listProviders(signal);
    if (providers.some(({ info }) => (info?.reads?.pricePerGibWei ?? "0") !== "0")) {
      await depositBandwidth({
        ...{ home, book, wallet: opened.wallet, amountWei: RESERVE_WEI, bondWei: BOND_WEI },
        maxPricePerGibWei: RESERVE_WEI,
      });
    }
    const periodSeconds = Number(await connectContracts(book, rpc).proofs.periodSeconds());
    const { dealIds } = await makeCanaries({ opened, periods: Math.ceil(DAY_SECONDS / periodSeconds), note, signal });
    await writeGrants({ opened, dealIds, folders: state.verifiers.map(({ name }) => paths.grants(name)), hours: GRANT_HOURS });
  } finally {
    opened.close();
  }
}

/** The customer whose objects the canaries are. */
async function createCustomer({ paths, state, rpc, book }: VerifiersOptions, home: Home): Promise<void> {
  const { address } = await createWallet({ home, network: paths.addressBook });
  await giveCoin(rpc, address, COIN_WEI);
  const { token } = connectContracts(book, sendingAs(new Wallet(state.faucetKey, rpc)));
  await (await token.faucet(address)).wait();
}
