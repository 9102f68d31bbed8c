/**
 * Notes how providers serve while operations run, and takes it into their records at each operation's end. Nothing of it may disturb an
 * operation: what cannot be kept is told to the log and lost.
 */
import type { Clock, Log } from "../deps.ts";
import { type FailureKind, failureKindOf, type Noted, type ServiceRecord, withNoted } from "./service-record.ts";
import { decodeRecords, encodeRecords, RECORDS_MAX, type ServiceStore } from "./service-store.ts";

export interface ServiceLog {
  /** Reads what earlier processes have seen; once. */
  ready(): Promise<void>;
  recordOf(providerId: number): ServiceRecord | undefined;
  /** An answer began. */
  answered(providerId: number, ms: number): void;
  sent(providerId: number, bytes: number, ms: number): void;
  /** Verified bytes. */
  read(providerId: number, bytes: number, ms: number): void;
  failed(providerId: number, error: unknown): void;
  /** It made others wait, and was left. */
  late(providerId: number): void;
  /** An operation is over. Never rejects. */
  settle(): Promise<void>;
  /** Writes what is left. Never rejects. */
  flush(): Promise<void>;
}

/** Measurements alone are written so often at most; failures at once. */
const WRITE_EVERY_MS = 10_000;
const SEVERITY: readonly FailureKind[] = ["refused", "stalled", "vanished", "lied"];

export function createServiceLog(options: { readonly store: ServiceStore; readonly clock: Clock; readonly log: Log }): ServiceLog {
  const { store, clock, log } = options;
  let records: Map<number, ServiceRecord> = new Map();
  let noted = new Map<number, Noted>();
  /** Taken into `records` and not written yet. */
  let unwritten = new Map<number, Noted>();
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let writing: Promise<void> = Promise.resolve();

  const noteOf = (providerId: number): Noted => {
    const known = noted.get(providerId);
    if (known !== undefined) return known;
    const fresh: Noted = { sentBytes: 0, sentMs: 0, readBytes: 0, readMs: 0, servedAtMs: 0 };
    noted.set(providerId, fresh);
    return fresh;
  };

  const fail = (providerId: number, kind: FailureKind): void => {
    const note = noteOf(providerId);
    if (note.failure !== undefined && SEVERITY.indexOf(note.failure.kind) >= SEVERITY.indexOf(kind)) return;
    note.failure = { kind, atMs: clock.nowMs() };
  };

  const load = async (): Promise<void> => {
    try {
      const stored = await store.load();
      const decoded = stored === undefined ? undefined : decodeRecords(stored, clock.nowMs());
      if (stored !== undefined && decoded === undefined) log.warn("what was seen of providers cannot be read; it is begun anew");
      records = new Map([...(decoded ?? []), ...records]);
    } catch (error) {
      log.warn("what was seen of providers cannot be read", { error: String(error) });
    }
  };

  /** Onto what others have written meanwhile. */
  const write = async (): Promise<void> => {
    const news = unwritten;
    if (news.size === 0) return;
    unwritten = new Map();
    writtenAtMs = clock.nowMs();
    try {
      await store.change((stored) => {
        const nowMs = clock.nowMs();
        const merged = new Map(stored === undefined ? undefined : decodeRecords(stored, nowMs));
        take(merged, news, nowMs);
        return encodeRecords(merged, nowMs);
      });
    } catch (error) {
      log.warn("what was seen of providers could not be kept", { error: String(error) });
    }
  };

  return {
    ready: () => {
      loading ??= load();
      return loading;
    },
    recordOf: (providerId) => records.get(providerId),
    answered(providerId, ms) {
      const note = noteOf(providerId);
      note.latencyMs = Math.min(ms, note.latencyMs ?? ms);
    },
    sent(providerId, bytes, ms) {
      const note = noteOf(providerId);
      note.sentBytes += bytes;
      note.sentMs += ms;
      note.servedAtMs = clock.nowMs();
    },
    read(providerId, bytes, ms) {
      const note = noteOf(providerId);
      note.readBytes += bytes;
      note.readMs += ms;
      note.servedAtMs = clock.nowMs();
    },
    failed(providerId, error) {
      const kind = failureKindOf(error);
      if (kind !== undefined) fail(providerId, kind);
    },
    late: (providerId) => fail(providerId, "stalled"),
    settle() {
      const news = [...blameless(noted)];
      noted = new Map();
      take(records, news, clock.nowMs());
      for (const [providerId, note] of news) unwritten.set(providerId, together(unwritten.get(providerId), note));
      const isUrgent = news.some(([, { failure }]) => failure !== undefined);
      if (isUrgent || clock.nowMs() - writtenAtMs >= WRITE_EVERY_MS) writing = writing.then(write);
      return writing;
    },
    flush() {
      writing = writing.then(write);
      return writing;
    },
  };
}

/** Those seen last are the last ones of the map, and stay when it is full. */
function take(records: Map<number, ServiceRecord>, news: Iterable<readonly [number, Noted]>, nowMs: number): void {
  for (const [providerId, noted] of news) {
    const record = withNoted(records.get(providerId), noted, nowMs);
    records.delete(providerId);
    records.set(providerId, record);
  }
  for (const providerId of records.keys()) {
    if (records.size <= RECORDS_MAX) return;
    records.delete(providerId);
  }
}

/** Two operations as one. */
function together(a: Noted | undefined, b: Noted): Noted {
  if (a === undefined) return b;
  const latencyMs = b.latencyMs ?? a.latencyMs;
  const failure = b.failure ?? a.failure;
  return {
    ...(latencyMs === undefined ? {} : { latencyMs }),
    sentBytes: a.sentBytes + b.sentBytes,
    sentMs: a.sentMs + b.sentMs,
    readBytes: a.readBytes + b.readBytes,
    readMs: a.readMs + b.readMs,
    servedAtMs: Math.max(a.servedAtMs, b.servedAtMs),
    ...(failure === undefined ? {} : { failure }),
  };
}

/**
 * Without the failures that may be our own: when nobody served any more after providers had vanished or stalled, it was our network that
 * was gone.
 */
function* blameless(noted: ReadonlyMap<number, Noted>): Generator<readonly [number, Noted]> {
  for (const [providerId, note] of noted) {
    const { failure, ...rest } = note;
    const isOfTheWire = failure?.kind === "vanished" || failure?.kind === "stalled";
    const othersServed = [...noted].some(([other, { servedAtMs }]) => other !== providerId && servedAtMs >= (failure?.atMs ?? 0));
    yield [providerId, isOfTheWire && !othersServed ? rest : note];
  }
}
