/** The chain as daemons see it: a provider that is quiet while the node is away, typed contracts, and retries with a bound. */
import { type AddressBook, PpioError } from "@ppio/core";
import type {
  DrandBeacon,
  PenaltyPolicy,
  PossessionProofs,
  PpioToken,
  ProviderRegistry,
  SlotChallenges,
  SlotRepair,
  StorageMarket,
} from "@ppio/core/contracts";
import { DrandBeacon__factory } from "@ppio/core/contracts/DrandBeacon";
import { PenaltyPolicy__factory } from "@ppio/core/contracts/PenaltyPolicy";
import { PossessionProofs__factory } from "@ppio/core/contracts/PossessionProofs";
import { PpioToken__factory } from "@ppio/core/contracts/PpioToken";
import { ProviderRegistry__factory } from "@ppio/core/contracts/ProviderRegistry";
import { SlotChallenges__factory } from "@ppio/core/contracts/SlotChallenges";
import { SlotRepair__factory } from "@ppio/core/contracts/SlotRepair";
import { StorageMarket__factory } from "@ppio/core/contracts/StorageMarket";
import { type IBandwidthEscrow, IBandwidthEscrow__factory } from "@ppio/core/interfaces";
import { type ContractRunner, type JsonRpcProvider, NonceManager, SigningKey, Wallet } from "ethers";
import { createRpc } from "./rpc.ts";

export interface ChainContracts {
  readonly token: PpioToken;
  readonly registry: ProviderRegistry;
  readonly market: StorageMarket;
  readonly proofs: PossessionProofs;
  readonly policy: PenaltyPolicy;
  readonly beacon: DrandBeacon;
  readonly challenges: SlotChallenges;
  readonly repair: SlotRepair;
  readonly escrow: IBandwidthEscrow;
}

export interface ChainConnection extends ChainContracts {
  readonly book: AddressBook;
  readonly rpc: JsonRpcProvider;
  readonly wallet: Wallet | undefined;
  close(): void;
}

export interface ConnectOptions {
  readonly book: AddressBook;
  readonly privateKey?: string;
}

/** @throws CHAIN_UNREACHABLE, CONFIG when the node is on another chain */
export async function connectChain(options: ConnectOptions): Promise<ChainConnection> {
  const { book } = options;
  const key = options.privateKey === undefined ? undefined : parsePrivateKey(options.privateKey);
  const rpc = createRpc(book.rpcUrl, book.chainId, { sharesNewestBlock: true });
  let chainId: number;
  try {
    chainId = Number(await rpc.send("eth_chainId", []));
  } catch (cause) {
    rpc.destroy();
    throw new PpioError("CHAIN_UNREACHABLE", `The chain at ${book.rpcUrl} does not answer; start it or correct the address book.`, {
      cause,
    });
  }
  if (chainId !== book.chainId) {
    rpc.destroy();
    throw new PpioError("CONFIG", `The chain at ${book.rpcUrl} has id ${chainId}, the address book says ${book.chainId}.`);
  }
  const wallet = key === undefined ? undefined : new Wallet(key, rpc);
  return { book, rpc, wallet, ...connectContracts(book, wallet ?? rpc), close: () => rpc.destroy() };
}

/** The key itself never gets into a message. */
function parsePrivateKey(text: string): SigningKey {
  try {
    return new SigningKey(text.startsWith("0x") ? text : `0x${text}`);
  } catch {
    throw new PpioError("CONFIG", "The private key is not 32 bytes of hex (0x and 64 digits); correct it.");
  }
}

export function connectContracts(book: AddressBook, runner: ContractRunner): ChainContracts {
  return {
    token: PpioToken__factory.connect(book.token, runner),
    registry: ProviderRegistry__factory.connect(book.registry, runner),
    market: StorageMarket__factory.connect(book.market, runner),
    proofs: PossessionProofs__factory.connect(book.proofs, runner),
    policy: PenaltyPolicy__factory.connect(book.policy, runner),
    beacon: DrandBeacon__factory.connect(book.beacon, runner),
    challenges: SlotChallenges__factory.connect(book.challenges, runner),
    repair: SlotRepair__factory.connect(book.repair, runner),
    escrow: IBandwidthEscrow__factory.connect(book.escrow, runner),
  };
}

/** For one-off commands that send several transactions in a row. */
export function managedSigner(wallet: Wallet): NonceManager {
  return new NonceManager(wallet);
}
