/** `ppio init`, `ppio wallet`, `ppio faucet`, `ppio withdraw`: the user's keys and money. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { deriveKey, keysFromMnemonic } from "@ppio/client";
import { PpioError } from "@ppio/core";
import { connectContracts, createRpc, readAddressBookFile } from "@ppio/daemon";
import type { Command } from "commander";
import { formatEther, hexlify, isHexString, Mnemonic, parseEther, randomBytes, Wallet } from "ethers";
import { devnetPaths, readDevnet } from "../devnet/state.ts";
import { type Home, writeWalletFile } from "../home.ts";
import { formatTokens, type Output } from "../output.ts";
import { paidOutWei, sendingAs } from "../sending.ts";
import { parseAddress } from "./numbers.ts";
import { type Runtime, refusals, runCommand, runWithClient } from "./runtime.ts";

const APPLICATION_ID = "ppio-cli";
const ENTROPY_BYTES = 16;
const COIN_WEI = parseEther("10");

interface InitOptions {
  readonly mnemonicFile?: string;
  readonly applicationRoot?: string;
  readonly applicationId: string;
}

export interface CreatedWallet {
  readonly address: string;
  readonly mnemonic: string;
  readonly walletFile: string;
  readonly funded: boolean;
}

export interface CreateWalletOptions {
  readonly home: Home;
  readonly network: string | undefined;
  readonly mnemonic?: string;
  readonly applicationRoot?: string;
  readonly applicationId?: string;
}

/** Makes or recovers a wallet; on a devnet of this home it is funded as well. */
export async function createWallet(options: CreateWalletOptions): Promise<CreatedWallet> {
  const { home } = options;
  const mnemonic = options.mnemonic ?? Mnemonic.fromEntropy(randomBytes(ENTROPY_BYTES)).phrase;
  const { wallet, masterSecret } = keysFromMnemonic(mnemonic);
  const root = options.applicationRoot ?? ownApplicationRoot(masterSecret);
  if (!isHexString(root, 32)) throw new PpioError("USAGE", "The application root is 32 bytes as 0x and 64 hex digits.");
  const network = resolve(options.network ?? devnetPaths(home.devnetDir).addressBook);
  const file = { version: 1, mnemonic, applicationRoot: root, applicationId: options.applicationId ?? APPLICATION_ID, network } as const;
  await writeWalletFile(home, file);
  const funded = await fundOnDevnet(home, network, wallet.address);
  return { address: wallet.address, mnemonic, walletFile: home.walletFile, funded };
}

/** Who is user and developer in one: the words alone recover this half too. */
function ownApplicationRoot(masterSecret: Uint8Array): string {
  return hexlify(deriveKey(masterSecret, new TextEncoder().encode("ppio/v1"), "ppio/v1/own-application-root"));
}

/** Coin from the devnet's faucet account and tokens from the token's faucet; false when `network` is not this home's devnet. */
export async function fundOnDevnet(home: Home, network: string, address: string): Promise<boolean> {
  const paths = devnetPaths(home.devnetDir);
  const state = await readDevnet(paths);
  if (state === undefined || state.processes.length === 0 || resolve(network) !== resolve(paths.addressBook)) return false;
  const book = await readAddressBookFile(network);
  const rpc = createRpc(book.rpcUrl, book.chainId);
  try {
    // Several homes may ask it at once.
    const faucet = sendingAs(new Wallet(state.faucetKey, rpc));
    const { token } = connectContracts(book, faucet);
    await refusals(async () => {
      if ((await rpc.getBalance(address)) < COIN_WEI) await (await faucet.sendTransaction({ to: address, value: COIN_WEI })).wait();
      await (await token.faucet(address)).wait();
    });
    return true;
  } finally {
    rpc.destroy();
  }
}

export function addWalletCommands(program: Command): void {
  program
    .command("init")
    .description("make a wallet in the home folder, or recover one from its words")
    .option("--mnemonic-file <file>", 'file with the words to recover from; "-" for standard input')
    .option("--application-root <hex>", "the developer's secret, 32 bytes; without it you are your own developer")
    .option("--application-id <id>", "the developer's name for the application", APPLICATION_ID)
    .action((options: InitOptions, command: Command) => runCommand(command, (runtime) => init(runtime, options)));
  program
    .command("wallet")
    .description("address and balances")
    .action((_options: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { wallet, rpc, book }) => {
        const { token, market } = connectContracts(book, rpc);
        const [coinWei, tokenWei, creditWei] = await Promise.all([
          rpc.getBalance(wallet.address),
          token.balanceOf(wallet.address),
          market.creditOf(wallet.address),
        ]);
        const text = [
          `address  ${wallet.address}`,
          `coin     ${formatEther(coinWei)} (for gas)`,
          `tokens   ${formatTokens(tokenWei)}`,
          `credits  ${formatTokens(creditWei)} (in the market; "ppio withdraw" pays them out)`,
        ];
        output.result({ address: wallet.address, coinWei, tokenWei, creditWei }, text.join("\n"));
      }),
    );
  program
    .command("faucet")
    .description("get test tokens, and coin for gas on a devnet of this home")
    .action((_options: unknown, command: Command) =>
      runWithClient(command, async ({ home, output }, { wallet, book }) => {
        const devnet = await fundOnDevnet(home, devnetPaths(home.devnetDir).addressBook, wallet.address);
        const { token } = connectContracts(book, sendingAs(wallet));
        if (!devnet) await refusals(async () => (await token.faucet(wallet.address)).wait());
        const tokenWei = await token.balanceOf(wallet.address);
        output.result({ address: wallet.address, tokenWei }, `${wallet.address} holds ${formatTokens(tokenWei)}.`);
      }),
    );
  program
    .command("withdraw")
    .description("pay out the wallet's credits in the market: refunds, income, compensation")
    .option("--to <address>", "where to; the wallet itself without it", parseAddress("--to"))
    .action((options: { readonly to?: string }, command: Command) =>
      runWithClient(command, async ({ output }, { wallet, book }) => {
        const { market } = connectContracts(book, sendingAs(wallet));
        if ((await market.creditOf(wallet.address)) === 0n)
          throw new PpioError("NOT_FOUND", `${wallet.address} has no credits to withdraw.`);
        const to = options.to ?? wallet.address;
        const receipt = await refusals(async () => (await market.withdraw(to)).wait());
        const amountWei = paidOutWei(receipt);
        output.result({ to, amountWei, hash: receipt?.hash }, `${formatTokens(amountWei)} sent to ${to}.`);
      }),
    );
}

async function init({ home, network, output }: Runtime, options: InitOptions): Promise<void> {
  const mnemonic = options.mnemonicFile === undefined ? undefined : await readWords(options.mnemonicFile);
  const created = await createWallet({
    home,
    network,
    applicationId: options.applicationId,
    ...(mnemonic === undefined ? {} : { mnemonic }),
    ...(options.applicationRoot === undefined ? {} : { applicationRoot: options.applicationRoot }),
  });
  describeWallet(output, created, mnemonic === undefined);
}

function describeWallet(output: Output, created: CreatedWallet, isNew: boolean): void {
  const words = isNew
    ? ["", "Write these words down; they recover wallet and data, and nobody can give them back to you:", "", `  ${created.mnemonic}`]
    : [];
  const lines = [`wallet   ${created.address}`, `file     ${created.walletFile}`];
  if (created.funded) lines.push("funded   from the devnet's faucet");
  const { mnemonic, ...rest } = created;
  output.result(isNew ? { ...rest, mnemonic } : rest, [...lines, ...words].join("\n"));
}

async function readWords(file: string): Promise<string> {
  try {
    return await readFile(file === "-" ? "/dev/stdin" : file, "utf8");
  } catch (cause) {
    throw new PpioError("NOT_FOUND", `The words cannot be read from ${file}.`, { cause });
  }
}
