/** A client for the user whose wallet is in the home folder. */
import { createHash } from "node:crypto";
import { type Client, createClient, deriveApplicationSecret, keysFromMnemonic, type Log } from "@ppio/client";
import type { AddressBook } from "@ppio/core";
import { readAddressBookFile } from "@ppio/daemon/address-book-file";
import { createNodeTransport } from "@ppio/daemon/http-client/transport";
import { createLogger, type LogLevel } from "@ppio/daemon/log";
import { createRpc } from "@ppio/daemon/rpc";
import { getBytes, type HDNodeWallet, type JsonRpcProvider } from "ethers";
import { type Home, readWalletFile } from "../home.ts";
import { createFileAttemptStore } from "./attempts.ts";
import { payStoreOf } from "./pay-store.ts";
import { createFileDealStore, createFileHeadStore, createFileJournal, createFileLieStore, createFileServiceStore } from "./stores.ts";

export interface OpenedClient {
  readonly client: Client;
  readonly book: AddressBook;
  readonly rpc: JsonRpcProvider;
  /** Connected. */
  readonly wallet: HDNodeWallet;
  close(): void;
}

export interface OpenClientOptions {
  readonly home: Home;
  /** Address book; the wallet's without it. */
  readonly network?: string;
  readonly logLevel?: LogLevel;
}

export async function openClient(options: OpenClientOptions): Promise<OpenedClient> {
  const { home } = options;
  const file = await readWalletFile(home);
  const keys = keysFromMnemonic(file.mnemonic);
  const book = await readAddressBookFile(options.network ?? file.network);
  const rpc = createRpc(book.rpcUrl, book.chainId);
  const wallet = keys.wallet.connect(rpc);
  const log: Log = createLogger({ component: "client", level: options.logLevel ?? "error" });
  const transport = createNodeTransport();
  const client = createClient({
    addressBook: book,
    masterSecret: keys.masterSecret,
    applicationSecret: deriveApplicationSecret(getBytes(file.applicationRoot), file.applicationId, wallet.address),
    signer: wallet,
    provider: rpc,
    transport,
    headStore: createFileHeadStore(home.headsDir),
    dealStore: createFileDealStore(home.dealsDir),
    journal: createFileJournal(home.putsDir),
    attempts: createFileAttemptStore(home.attemptsDir),
    lies: createFileLieStore(home.liesDir),
    service: createFileServiceStore(home.serviceDir, book),
    pay: { store: payStoreOf(home, book), hint: 'deposit a reserve with "ppio bandwidth deposit", or look at "ppio bandwidth status"' },
    log,
    sha256: () => {
      const hash = createHash("sha256");
      return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
    },
  });
  return {
    client,
    book,
    rpc,
    wallet,
    close: () => {
      client.close();
      transport.close();
      rpc.destroy();
    },
  };
}
