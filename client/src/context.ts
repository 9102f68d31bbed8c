/** Everything the library's parts share: what was passed in, and handles made from it. */

import type { BucketIndex, Payer, ProviderApi } from "@ppio/core";
import type { Chain } from "./chain/chain.ts";
import type { DealBook } from "./deals/deal-book.ts";
import type { Clock, Hasher, Log, Random } from "./deps.ts";
import type { LieStore } from "./fraud/lie-store.ts";
import type { ReadableDeal } from "./get/deal-reader.ts";
import type { ReadPace } from "./get/read-pace.ts";
import type { BucketTurns } from "./index/bucket-turns.ts";
import type { HeadStore } from "./index/head-store.ts";
import type { ClientLimits } from "./limits.ts";
import type { ServiceLog } from "./providers/service-log.ts";
import type { Stragglers } from "./providers/stragglers.ts";
import type { AttemptStore } from "./put/attempt-store.ts";
import type { PutJournal } from "./put/journal.ts";
import type { Memory } from "./remember.ts";
import type { WorkerPool } from "./workers/pool.ts";

export interface Context {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: ClientLimits;
  readonly sha256: () => Hasher;
  readonly api: (endpoint: string) => ProviderApi;
  /** Pays for reads; without one, providers that want money are left out. */
  readonly payer: Payer | undefined;
  readonly headStore: HeadStore;
  readonly bucketTurns: BucketTurns;
  readonly journal: PutJournal;
  /** Without one, a put that was cut begins anew. */
  readonly attempts: AttemptStore | undefined;
  readonly lies: LieStore;
  readonly workers: WorkerPool;
  /** How providers have served this client. */
  readonly service: ServiceLog;
  /** Who was late with a read, and who did not say what it is. */
  readonly stragglers: Stragglers;
  readonly silent: Stragglers;
  readonly readPace: ReadPace;
  readonly dealBook: DealBook;
  /** Deals as they were read last, by id. */
  readonly deals: Memory<ReadableDeal>;
  /** Listings by the record of their head, which names one for ever. */
  readonly listings: Memory<BucketIndex>;
  /** The user's; never leaves the machine. */
  readonly masterSecret: Uint8Array;
  /** The developer's secret for this user. */
  readonly applicationSecret: Uint8Array;
}
