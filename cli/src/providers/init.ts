/**
 * `ppio provider init`: an operator's key and settings in one file, the provider in the registry, collateral and gas. The file is written
 * first; run again after an interruption, it goes on from there.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { PpioError } from "@ppio/core";
import { atomicWriteFile, type ChainContracts, readJsonFile } from "@ppio/daemon";
import { type JsonRpcProvider, type Signer, Wallet } from "ethers";
import { sendingAs } from "../sending.ts";
import { depositCollateral, registerProvider } from "./register.ts";

export interface InitOptions {
  readonly contracts: ChainContracts;
  readonly rpc: JsonRpcProvider;
  readonly owner: Signer & { readonly address: string };
  /** Where the settings go. */
  readonly file: string;
  readonly settings: ProviderSettings;
  readonly failureDomain: string;
  readonly endpoint: string;
  readonly collateralWei: bigint;
  /** Coin for the operator's gas. */
  readonly gasWei: bigint;
  readonly note: (line: string) => void;
}

/** Keys of `PROVIDER_OPTIONS`. */
export interface ProviderSettings {
  readonly dataDir: string;
  readonly network: string;
  readonly host: string;
  readonly port: number;
  readonly capacityBytes: number;
  readonly pricePerGibPeriodWei: string;
}

export interface InitResult {
  readonly providerId: number;
  readonly operator: string;
  readonly file: string;
  readonly collateralWei: bigint;
}

/** @throws NO_FUNDS before anything is sent, ALREADY_EXISTS, CONFIG */
export async function initProvider(options: InitOptions): Promise<InitResult> {
  const { contracts, rpc, owner, file, settings, note } = options;
  const operator = await readOrMakeKey(file, settings);
  let providerId = Number(await contracts.registry.providerOfOperator(operator.address));
  const depositedWei = providerId === 0 ? 0n : (await contracts.registry.getProvider(providerId)).collateralWei;
  const missingWei = options.collateralWei > depositedWei ? options.collateralWei - depositedWei : 0n;
  const coinWei = await rpc.getBalance(operator.address);
  const gasWei = options.gasWei > coinWei ? options.gasWei - coinWei : 0n;
  await checkFunds(options, missingWei, gasWei);
  if (providerId === 0) {
    note("registering the provider");
    providerId = await registerProvider({
      contracts,
      owner,
      operator: operator.address,
      endpoint: options.endpoint,
      pricePerGibPeriodWei: BigInt(settings.pricePerGibPeriodWei),
      capacityBytes: settings.capacityBytes,
      failureDomain: options.failureDomain,
      collateralWei: 0n,
    });
  }
  if (missingWei > 0n) {
    note("putting the collateral down");
    await depositCollateral(contracts, owner, providerId, missingWei);
  }
  if (gasWei > 0n) {
    note("giving the operator coin for gas");
    await (await sendingAs(owner).sendTransaction({ to: operator.address, value: gasWei })).wait();
  }
  const { collateralWei } = await contracts.registry.getProvider(providerId);
  return { providerId, operator: operator.address, file, collateralWei };
}

async function readOrMakeKey(file: string, settings: ProviderSettings): Promise<{ readonly address: string }> {
  const known = await readJsonFile<{ readonly privateKey?: unknown } | null>(file);
  if (known !== undefined) {
    if (typeof known?.privateKey !== "string") throw new PpioError("CONFIG", `${file} has no "privateKey"; move it away or correct it.`);
    return new Wallet(known.privateKey);
  }
  const operator = Wallet.createRandom();
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await atomicWriteFile(file, `${JSON.stringify({ ...settings, privateKey: operator.privateKey }, null, 2)}\n`, { mode: 0o600 });
  return operator;
}

async function checkFunds({ contracts, rpc, owner }: InitOptions, tokensWei: bigint, gasWei: bigint): Promise<void> {
  const [heldWei, coinWei] = await Promise.all([contracts.token.balanceOf(owner.address), rpc.getBalance(owner.address)]);
  if (heldWei < tokensWei) {
    throw new PpioError("NO_FUNDS", `${owner.address} holds ${heldWei} wei of tokens, and the collateral takes ${tokensWei}; add tokens.`);
  }
  if (coinWei <= gasWei) {
    throw new PpioError(
      "NO_FUNDS",
      `${owner.address} holds ${coinWei} wei of coin, too little for its transactions and ${gasWei} for the operator.`,
    );
  }
}
