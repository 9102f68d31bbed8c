/**
 * The one error family. Every expected failure anywhere in the system is a `PpioError` with a closed `code`; the code
 * decides the process exit status (docs/errors.md) and, for daemons, the HTTP status.
 */

export type Retry = "never" | "later" | "now";

interface CodeInfo {
  /** Exit status of the CLI. */
  readonly exit: number;
  /** Status of an HTTP answer. */
  readonly http: number;
  readonly retry: Retry;
}

/** One table: code -> what a process, a server and a caller do with it. */
export const ERROR_CODES = {
  INTERNAL: { exit: 1, http: 500, retry: "never" },
  USAGE: { exit: 2, http: 400, retry: "never" },
  CONFIG: { exit: 3, http: 500, retry: "never" },
  NOT_FOUND: { exit: 4, http: 404, retry: "never" },
  ALREADY_EXISTS: { exit: 5, http: 409, retry: "never" },
  CONFLICT: { exit: 6, http: 409, retry: "now" },
  UNAUTHORIZED: { exit: 7, http: 403, retry: "never" },
  WRONG_KEY: { exit: 8, http: 403, retry: "never" },
  CORRUPT: { exit: 9, http: 422, retry: "never" },
  NO_FUNDS: { exit: 10, http: 402, retry: "later" },
  NETWORK: { exit: 11, http: 502, retry: "later" },
  CHAIN_UNREACHABLE: { exit: 12, http: 503, retry: "later" },
  CHAIN_REVERT: { exit: 13, http: 409, retry: "never" },
  NOT_ENOUGH_PROVIDERS: { exit: 14, http: 503, retry: "later" },
  UNRECOVERABLE: { exit: 15, http: 410, retry: "never" },
  NO_SPACE: { exit: 16, http: 507, retry: "later" },
  IO: { exit: 17, http: 500, retry: "later" },
  REFUSED: { exit: 18, http: 403, retry: "later" },
  TOO_LARGE: { exit: 19, http: 413, retry: "never" },
  TIMEOUT: { exit: 20, http: 504, retry: "later" },
  TRUNCATED: { exit: 21, http: 400, retry: "now" },
  BAD_FORMAT: { exit: 22, http: 400, retry: "never" },
  PAYMENT_REQUIRED: { exit: 23, http: 402, retry: "later" },
  CANCELLED: { exit: 130, http: 499, retry: "never" },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface PpioErrorOptions {
  readonly retry?: Retry;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An expected failure: one clear sentence that says what to do, and a code. */
export class PpioError extends Error {
  override readonly name = "PpioError";
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: PpioErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? ERROR_CODES[code].retry;
    this.details = options.details ?? {};
  }
}

export function isPpioError(error: unknown, code?: ErrorCode): error is PpioError {
  return error instanceof PpioError && (code === undefined || error.code === code);
}

/** ethers puts whole transactions into its messages, and a sentence beside them. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { shortMessage } = error as { readonly shortMessage?: unknown };
  return typeof shortMessage === "string" ? shortMessage : error.message;
}

/** Wraps what is not ours already, so that every failure that leaves a package has a code. */
export function toPpioError(error: unknown, fallback: ErrorCode = "INTERNAL"): PpioError {
  if (error instanceof PpioError) return error;
  return new PpioError(fallback, messageOf(error), { cause: error });
}
