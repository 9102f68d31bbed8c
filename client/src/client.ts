/** The library's door: one object with a method per thing a developer wants to do. Everything it uses is passed in or has a default. */
import { sha256 } from "@noble/hashes/sha2.js";
import { type AddressBook, createFetchTransport, createProviderApi, type Transport } from "@ppio/core";
import type { Provider, Signer } from "ethers";
import { parallelism, startWorker } from "#workers";
import { createChain } from "./chain/chain.ts";
import { type DealView, loadDeal } from "./chain/deal-view.ts";
import { createOwnRpc } from "./chain/own-rpc.ts";
import type { Context } from "./context.ts";
import { createDealBook } from "./deals/deal-book.ts";
import { createMemoryDealStore, type DealStore } from "./deals/deal-store.ts";
import { type DealSummary, listDeals } from "./deals/list-deals.ts";
import { terminateDeal } from "./deals/terminate.ts";
import { type Clock, type Hasher, type Log, type Random, silentLog, systemClock, systemRandom } from "./deps.ts";
import { type Conviction, convictLiar } from "./fraud/convict.ts";
import { createMemoryLieStore, type Lie, type LieStore } from "./fraud/lie-store.ts";
import type { ByteRange } from "./get/read-object.ts";
import { createReadPace } from "./get/read-pace.ts";
import { listBucketNames } from "./index/bucket-names.ts";
import { createBucketTurns } from "./index/bucket-turns.ts";
import { createMemoryHeadStore, type HeadStore } from "./index/head-store.ts";
import { type ClientLimits, LIMITS_DEFAULT } from "./limits.ts";
import type { ObjectInfo } from "./objects/object-info.ts";
import {
  type DeletedObject,
  deleteObject,
  listObjects,
  type ObjectName,
  type ObjectReader,
  openObject,
  statObject,
} from "./objects/objects.ts";
import { createClientPayer, type PayOptions } from "./pay/client-payer.ts";
import { type ProviderStanding, providerStanding } from "./providers/history.ts";
import { listProviders, type ProviderView } from "./providers/list.ts";
import { createServiceLog } from "./providers/service-log.ts";
import { createMemoryServiceStore, type ServiceStore } from "./providers/service-store.ts";
import { createStragglers } from "./providers/stragglers.ts";
import type { AttemptStore } from "./put/attempt-store.ts";
import { createMemoryJournal, type PutJournal } from "./put/journal.ts";
import { type PutOptions, type PutResult, putObject } from "./put/put-object.ts";
import { type ResumedPut, resumePuts } from "./put/resume-puts.ts";
import { createMemory } from "./remember.ts";
import { type RepairOptions, type RepairResult, repairDeal } from "./repair/repair-deal.ts";
import { type DealVerification, type VerifyOptions, verifyDeal } from "./verify/verify-deal.ts";
import { createInlinePool, createWorkerPool } from "./workers/pool.ts";

/** More are of no use before the network is the limit. */
const WORKERS_MAX = 4;

export interface ClientOptions {
  readonly addressBook: AddressBook;
  /** The user's, 32 bytes (`keysFromMnemonic`). */
  readonly masterSecret: Uint8Array;
  /** The developer's for this user, 32 bytes (`deriveApplicationSecret`). */
  readonly applicationSecret: Uint8Array;
  /** Pays, and signs uploads and tickets. */
  readonly signer: Signer;
  /** An ethers provider; one for the address book's RPC address by default. */
  readonly provider?: Provider;
  /** Where bucket heads live. Without one they are forgotten with the client. */
  readonly headStore?: HeadStore;
  /** Where it is kept what reading a deal takes, for when the chain is away. Without one it is forgotten with the client. */
  readonly dealStore?: DealStore;
  /** Where puts that are under way are noted, so that a crash between paying and listing loses nothing. */
  readonly journal?: PutJournal;
  /** Where large objects on their way are noted, so that a put that is repeated after a cut sends only what is missing. */
  readonly attempts?: AttemptStore;
  /** Where proofs of providers' lies are kept until they are taken to the chain. Without one they are forgotten with the client. */
  readonly lies?: LieStore;
  /** Where it is kept how providers served: who was fast, who failed. Without one it is forgotten with the client. */
  readonly service?: ServiceStore;
  /** Pays providers that want money for reads. Without it they are left out. */
  readonly pay?: PayOptions;
  readonly transport?: Transport;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly limits?: Partial<ClientLimits>;
  /** Threads that seal, code and hash large objects; one less than the machine runs at once by default, 4 at most. 0 for none. */
  readonly workers?: number;
  /** A faster incremental SHA-256, such as node:crypto's. */
  readonly sha256?: () => Hasher;
}

export interface Client {
  put(options: PutOptions): Promise<PutResult>;
  /** Opens an object for reading; nothing is fetched before the first byte is asked for. */
  get(options: ObjectName & { readonly range?: ByteRange; readonly signal?: AbortSignal }): Promise<ObjectReader>;
  stat(name: ObjectName, signal?: AbortSignal): Promise<ObjectInfo>;
  list(bucket: string, prefix?: string, signal?: AbortSignal): Promise<ObjectInfo[]>;
  listBuckets(): Promise<readonly string[]>;
  delete(name: ObjectName, signal?: AbortSignal): Promise<DeletedObject>;
  /** Finishes puts that a crash interrupted. */
  resume(signal?: AbortSignal): Promise<ResumedPut[]>;
  deal(dealId: string, signal?: AbortSignal): Promise<DealView>;
  listDeals(owner?: string, signal?: AbortSignal): Promise<DealSummary[]>;
  verifyDeal(options: VerifyOptions): Promise<DealVerification>;
  repairDeal(options: RepairOptions): Promise<RepairResult>;
  /** Ends a deal early; false when it had ended already. */
  terminateDeal(dealId: string, signal?: AbortSignal): Promise<boolean>;
  /** All providers of the registry: what the chain, they themselves and this client's experience say of them. */
  listProviders(signal?: AbortSignal): Promise<ProviderView[]>;
  /** Proofs that a provider signed a lie, met while reading and not yet taken to the chain. */
  lies(): Promise<readonly Lie[]>;
  /** Takes a lie to the chain: the provider loses its collateral, the caller gets the finder's part as a credit in the market. */
  convict(lie: Lie, signal?: AbortSignal): Promise<Conviction>;
  /** All that is known of one provider since it registered. Reads the chain's events, so it takes its time. */
  providerStanding(providerId: number, signal?: AbortSignal): Promise<ProviderStanding>;
  /** Whether the chain did not answer when it was asked last, and something was read by what is kept of its deal. */
  isChainAway(): boolean;
  /** Ends its threads, keeps what it has seen of providers, and lets go of the chain connection that the client made itself. */
  close(): void;
}

export function createClient(options: ClientOptions): Client {
  const { addressBook, masterSecret, applicationSecret } = options;
  const { provider, close: closeRpc } =
    options.provider === undefined ? createOwnRpc(addressBook) : { provider: options.provider, close: () => {} };
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLog;
  const transport = options.transport ?? createFetchTransport();
  const threads = options.workers ?? Math.min(WORKERS_MAX, parallelism() - 1);
  const limits = { ...LIMITS_DEFAULT, ...options.limits };
  const chain = createChain({ addressBook, provider, signer: options.signer, clock, log });
  const random = options.random ?? systemRandom;
  const dealBook = createDealBook({
    ...{ chain, clock, random, log },
    store: options.dealStore ?? createMemoryDealStore(),
    keptBy: { masterSecret, applicationSecret },
    chainMs: limits.chainMs,
    awayMs: limits.dealKeptSeconds * 1_000,
  });
  const context: Context = {
    chain,
    clock,
    random,
    log,
    limits,
    sha256: options.sha256 ?? (() => sha256.create()),
    api: (endpoint) => createProviderApi(endpoint, transport),
    payer: createClientPayer(chain, clock, options.pay),
    headStore: options.headStore ?? createMemoryHeadStore(),
    bucketTurns: createBucketTurns(),
    journal: options.journal ?? createMemoryJournal(),
    attempts: options.attempts,
    lies: options.lies ?? createMemoryLieStore(),
    service: createServiceLog({ store: options.service ?? createMemoryServiceStore(), clock, log }),
    stragglers: createStragglers(clock),
    silent: createStragglers(clock),
    readPace: createReadPace(limits),
    dealBook,
    deals: createMemory({ clock, entriesMax: limits.dealsKeptMax, seconds: limits.dealKeptSeconds }),
    listings: createMemory({ clock, entriesMax: limits.listingsKeptMax }),
    workers: threads > 0 ? createWorkerPool(startWorker, threads) : createInlinePool(),
    masterSecret,
    applicationSecret,
  };
  return {
    put: (put) => putObject(context, put),
    get: (get) => openObject(context, get),
    stat: (name, signal) => statObject(context, name, signal),
    list: (bucket, prefix, signal) => listObjects(context, bucket, prefix, signal),
    listBuckets: () => listBucketNames(context),
    delete: (name, signal) => deleteObject(context, name, signal),
    resume: (signal) => resumePuts(context, signal),
    deal: (dealId, signal) => loadDeal(context.chain, dealId, signal),
    listDeals: (owner, signal) => listDeals(context, owner, signal),
    verifyDeal: (verify) => verifyDeal(context, verify),
    repairDeal: (repair) => repairDeal(context, repair),
    terminateDeal: (dealId, signal) => terminateDeal(context, dealId, { signal }),
    listProviders: (signal) => listProviders(context, signal),
    lies: () => context.lies.list(),
    convict: (lie, signal) => convictLiar(context, lie, signal),
    providerStanding: (providerId, signal) => providerStanding(context, providerId, signal),
    isChainAway: () => dealBook.isChainAway(),
    close: () => {
      context.workers.close();
      void context.service.flush();
      context.payer?.flush().catch((error) => log.warn("what is owed for reads could not be written", { error: String(error) }));
      closeRpc();
    },
  };
}
