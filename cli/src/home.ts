/**
 * The user's home folder (`--home`, `PPIO_HOME`, or `.ppio` here): the wallet, the application root, heads of buckets, and puts
 * that are under way: attempts until they are paid for, then the journal; what reading deals takes while the chain is away; proofs of
 * providers' lies, how providers served, and what pays for reads. Everything in it that is secret has mode 0600.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PpioError } from "@ppio/core";
import { atomicWriteFile, readJsonFile } from "@ppio/daemon/files";

export interface Home {
  readonly dir: string;
  readonly walletFile: string;
  readonly headsDir: string;
  readonly putsDir: string;
  readonly attemptsDir: string;
  /** What reading deals takes while the chain is away. */
  readonly dealsDir: string;
  readonly liesDir: string;
  /** How providers served this user. */
  readonly serviceDir: string;
  /** What pays for reads, a folder for each network. */
  readonly payDir: string;
  readonly devnetDir: string;
}

/** What `ppio init` writes. */
export interface WalletFile {
  readonly version: 1;
  /** BIP-39; recovers wallet and all keys. */
  readonly mnemonic: string;
  /** The developer's application root, 0x hex, 32 bytes. */
  readonly applicationRoot: string;
  readonly applicationId: string;
  /** Path of the address book, as given at `init`. */
  readonly network: string;
}

export function openHome(dir: string | undefined): Home {
  const path = resolve(dir ?? process.env["PPIO_HOME"] ?? ".ppio");
  return {
    dir: path,
    walletFile: join(path, "wallet.json"),
    headsDir: join(path, "heads"),
    putsDir: join(path, "puts"),
    attemptsDir: join(path, "attempts"),
    dealsDir: join(path, "deals"),
    liesDir: join(path, "lies"),
    serviceDir: join(path, "service"),
    payDir: join(path, "pay"),
    devnetDir: join(path, "devnet"),
  };
}

export async function readWalletFile(home: Home): Promise<WalletFile> {
  const value = await readJsonFile<Partial<WalletFile> | null>(home.walletFile);
  if (value === undefined) {
    throw new PpioError("CONFIG", `There is no wallet in ${home.dir}; run "ppio init" first or point --home to one.`);
  }
  if (value?.version !== 1 || !value.mnemonic || !value.applicationRoot || !value.applicationId || !value.network) {
    throw new PpioError(
      "CONFIG",
      `${home.walletFile} is damaged; restore it or run "ppio init --mnemonic-file" with your words in a new home.`,
    );
  }
  return value as WalletFile;
}

/** Writes the wallet; refuses to replace one, because it may be the only copy of the keys. */
export async function writeWalletFile(home: Home, wallet: WalletFile): Promise<void> {
  if (existsSync(home.walletFile)) {
    throw new PpioError("ALREADY_EXISTS", `${home.walletFile} exists already; move it away or choose another --home.`);
  }
  await mkdir(home.dir, { recursive: true, mode: 0o700 });
  await atomicWriteFile(home.walletFile, `${JSON.stringify(wallet, null, 2)}\n`, { mode: 0o600 });
}
