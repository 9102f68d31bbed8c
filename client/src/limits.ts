/** Named bounds of the client library (docs/limits.md). All can be lowered or raised when a client is made. */
export interface ClientLimits {
  /** Slot bytes of a put that are held in memory at once, all slots together. */
  readonly putBufferBytes: number;
  /** Plain and coded bytes of a get or a repair that are held in memory at once. */
  readonly getBufferBytes: number;
  /** Most bytes of a slot that one read asks for; they are taken as they are wanted. */
  readonly readBytesMax: number;
  /** Most bytes in one request to a provider. */
  readonly requestBytesMax: number;
  /** Tries of one request whose connection failed, the first one included. */
  readonly triesMax: number;
  /** Pause before the second try; doubles. */
  readonly pauseMs: number;
  /** Deadline of a small request. */
  readonly requestMs: number;
  /** Slower than this is stalled; a transfer's deadline is `requestMs` plus its bytes at this rate. */
  readonly bytesPerSecondMin: number;
  /** Until enough answers were timed, a read is raced by a spare after this long. */
  readonly hedgeMs: number;
  /** A provider of a put that makes no progress for so long may be late; a spare begins when it promises to be faster. */
  readonly lateMs: number;
  /** A deal that is kept is read by what is kept when the chain has not answered by then. */
  readonly chainMs: number;
  /** Rounds of putting slots whose provider failed on spare providers. */
  readonly passesMax: number;
  /** Offers must be usable for this long. */
  readonly offerSeconds: number;
  /** Upload requests and read tickets are valid for this long. */
  readonly authoritySeconds: number;
  /** Times that a moved bucket head is read again before `CONFLICT`. */
  readonly headTriesMax: number;
  /** Deals whose slots, providers and ticket are remembered between reads, and for how long. */
  readonly dealsKeptMax: number;
  readonly dealKeptSeconds: number;
  /** Listings that are remembered, decoded. */
  readonly listingsKeptMax: number;
}

export const LIMITS_DEFAULT: ClientLimits = {
  // Three batches of seven rows at 10/16, of three at 20/40, with cells of 64 KiB.
  putBufferBytes: 45 << 19,
  getBufferBytes: 16 << 20,
  readBytesMax: 16 << 20,
  requestBytesMax: 1 << 20,
  triesMax: 5,
  pauseMs: 250,
  requestMs: 10_000,
  bytesPerSecondMin: 64 << 10,
  hedgeMs: 1_500,
  lateMs: 1_500,
  chainMs: 5_000,
  passesMax: 8,
  offerSeconds: 900,
  authoritySeconds: 6 * 3600,
  headTriesMax: 5,
  dealsKeptMax: 64,
  dealKeptSeconds: 60,
  listingsKeptMax: 4,
};

/** Deadline for moving `bytes` in one request. */
export function transferMs(limits: ClientLimits, bytes: number): number {
  return limits.requestMs + Math.ceil((bytes * 1000) / limits.bytesPerSecondMin);
}
