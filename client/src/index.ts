/** @ppio/client: store, read, check and repair on the network; runs in Node and in browsers. */

export {
  createFetchTransport,
  createMemoryPayStore,
  type PayRecord,
  type PayStore,
  type RequestStream,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from "@ppio/core";
export type { DealStatus, DealView, SlotProvider, SlotStatus, SlotView } from "./chain/deal-view.ts";
export { type Client, type ClientOptions, createClient } from "./client.ts";
export { createMemoryDealStore, type DealStore } from "./deals/deal-store.ts";
export type { DealSummary } from "./deals/list-deals.ts";
export type { Clock, Hasher, Log, Random } from "./deps.ts";
export type { Conviction } from "./fraud/convict.ts";
export { createMemoryLieStore, type Lie, type LieStore } from "./fraud/lie-store.ts";
export type { ByteRange } from "./get/read-object.ts";
export { createMemoryHeadStore, type HeadStore } from "./index/head-store.ts";
export * from "./keys/index.ts";
export type { ClientLimits } from "./limits.ts";
export type { ObjectInfo, ObjectPart } from "./objects/object-info.ts";
export type { DeletedObject, ObjectName, ObjectReader } from "./objects/objects.ts";
export type { PayOptions } from "./pay/client-payer.ts";
export { reasonAgainst } from "./providers/fit.ts";
export type { ProviderStanding, Slash, SlashReason } from "./providers/history.ts";
export type { ProviderView } from "./providers/list.ts";
export { type FailureKind, isHeld, type ServiceRecord } from "./providers/service-record.ts";
export { createMemoryServiceStore, type ServiceStore } from "./providers/service-store.ts";
export { isVetted, type ServiceScore, type Standing, VETTED_PERIODS, VETTED_PERIODS_SCORED } from "./providers/standing.ts";
export { type AttemptStore, createMemoryAttemptStore, MARK_BYTES, type StoredAttempt } from "./put/attempt-store.ts";
export type { PutStage } from "./put/commit.ts";
export { createMemoryJournal, type JournalRecord, type PutJournal } from "./put/journal.ts";
export type { PutOptions, PutProgress, PutResult } from "./put/put-object.ts";
export type { ResumedPut } from "./put/resume-puts.ts";
export { blobSource, bytesSource, type ObjectSource } from "./put/source.ts";
export type { RepairedSlot, RepairOptions, RepairResult } from "./repair/repair-deal.ts";
export * from "./seal/index.ts";
export type { DealVerification, PeriodState, SlotVerification, VerifyOptions } from "./verify/verify-deal.ts";
