/**
 * How requests travel. The default uses `fetch`, which Node and browsers have; a host may pass a faster one with the same
 * interface. A transport never retries and never follows what an answer says; callers decide.
 */
import { PpioError } from "../errors.ts";

export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent whole; must not be changed before the answer is there. */
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

/** A body as it arrives, each piece lent until the next one is asked for. Ending the iteration early closes the connection. */
export interface ResponseBody extends AsyncIterable<Uint8Array> {
  /**
   * Takes the next bytes without pieces in between, where the transport can; not beside an iteration.
   * @returns bytes that were put into the targets, one after the other; fewer than they hold only at the body's end
   */
  fill?(targets: readonly Uint8Array[]): Promise<number>;
  /** Gives up what was not taken by `fill`. */
  close?(): Promise<void>;
}

export interface TransportResponse {
  readonly status: number;
  readonly body: ResponseBody;
}

/** A request whose body goes on while its answer comes. */
export interface RequestStream {
  /** Rejects as `Transport.request` does; the signal ends it at any time. */
  readonly response: Promise<TransportResponse>;
  /** Resolves once the bytes have left this process, and may be changed; never when the request fails before. */
  write(bytes: Uint8Array): Promise<void>;
  /** The body is whole. */
  end(): void;
}

/** Rejects with `NETWORK` when there is no answer, `details.refused` saying that nothing listens there. */
export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Left out where answers come after bodies only, as with `fetch`. */
  stream?(request: Omit<TransportRequest, "body">): RequestStream;
}

async function* streamChunks(body: ReadableStream<Uint8Array> | null, url: string): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    ended = true;
  } catch (cause) {
    ended = true;
    throw networkError(url, cause);
  } finally {
    if (!ended) await reader.cancel().catch(() => {});
  }
}

/** Innermost `code` of a chain of causes, as Node puts it there. */
function causeCode(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === "string") return code;
    current = current.cause;
  }
  return undefined;
}

function networkError(url: string, cause: unknown): PpioError {
  if (cause instanceof PpioError) return cause;
  const code = causeCode(cause);
  const refused = code === "ECONNREFUSED";
  const why = refused ? "nothing listens there" : (code ?? (cause instanceof Error ? cause.message : String(cause)));
  return new PpioError("NETWORK", `No answer from ${new URL(url).origin}: ${why}.`, { cause, details: { refused, code } });
}

export function createFetchTransport(fetchFunction: typeof fetch = fetch): Transport {
  return {
    async request({ method, url, headers, body, signal }) {
      let response: Response;
      try {
        // What workers have filled is shared memory, which fetch refuses.
        const sent = body === undefined || body.buffer instanceof ArrayBuffer ? body : new Uint8Array(body);
        response = await fetchFunction(url, {
          method,
          redirect: "error",
          ...(headers === undefined ? {} : { headers }),
          ...(sent === undefined ? {} : { body: sent as BodyInit }),
          ...(signal === undefined ? {} : { signal }),
        });
      } catch (cause) {
        if (signal?.aborted && signal.reason instanceof PpioError) throw signal.reason;
        throw networkError(url, cause);
      }
      return { status: response.status, body: streamChunks(response.body, url) };
    },
  };
}
