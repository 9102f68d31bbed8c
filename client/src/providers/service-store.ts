/** Where a client keeps what it has seen of providers; the format of it. */
import type { FailureKind, ServiceRecord } from "./service-record.ts";
import { isStale } from "./service-record.ts";

export interface ServiceStore {
  load(): Promise<Uint8Array | undefined>;
  /** Replaces what is stored by what `change` makes of it, at once and as a whole; nobody else changes it meanwhile. */
  change(change: (stored: Uint8Array | undefined) => Uint8Array): Promise<void>;
}

/** Forgets with the process. */
export function createMemoryServiceStore(): ServiceStore {
  let stored: Uint8Array | undefined;
  return {
    load: async () => stored,
    async change(change) {
      stored = change(stored);
    },
  };
}

/** By provider. */
export type ServiceRecords = ReadonlyMap<number, ServiceRecord>;

const VERSION = 1;
/** Records that are kept, those seen last. */
export const RECORDS_MAX = 2048;
const KINDS: readonly string[] = ["refused", "stalled", "vanished", "lied"] satisfies FailureKind[];

export function encodeRecords(records: ServiceRecords, nowMs: number): Uint8Array {
  const kept = [...records]
    .filter(([, record]) => !isStale(record, nowMs))
    .sort(([, a], [, b]) => b.seenAtMs - a.seenAtMs)
    .slice(0, RECORDS_MAX);
  return new TextEncoder().encode(JSON.stringify({ version: VERSION, providers: Object.fromEntries(kept) }));
}

/** Nothing for what is not of this format: it is only experience, and is made anew. */
export function decodeRecords(bytes: Uint8Array, nowMs: number): ServiceRecords | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (!isObject(value) || value["version"] !== VERSION || !isObject(value["providers"])) return undefined;
  const records = Object.entries(value["providers"]).map(([id, record]) => [Number(id), record] as const);
  if (records.length > RECORDS_MAX) return undefined;
  return new Map(
    records.flatMap(([id, record]) =>
      Number.isSafeInteger(id) && isRecord(record) && !isStale(record, nowMs) ? [[id, record] as const] : [],
    ),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isFigure(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isRecord(value: unknown): value is ServiceRecord {
  if (!isObject(value) || !["seenAtMs", "failures", "lies"].every((key) => isFigure(value[key]))) return false;
  const measured = ["latencyMs", "sentBytesPerSecond", "readBytesPerSecond"].every(
    (key) => value[key] === undefined || isFigure(value[key]),
  );
  const { failure } = value;
  const isFailure = failure === undefined || (isObject(failure) && isFigure(failure["atMs"]) && isFigure(failure["untilMs"]));
  return measured && isFailure && (failure === undefined || KINDS.includes(String((failure as Record<string, unknown>)["kind"])));
}
