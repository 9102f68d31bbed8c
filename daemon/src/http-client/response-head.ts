/** The head of an answer (RFC 9112), as far as a client of a provider needs it. */
import { PpioError } from "@ppio/core";
import type { Connection } from "./connection.ts";

const HEAD_BYTES_MAX = 64 << 10;
/** Looked at together: most heads are shorter, and the body behind them shall not become text. */
const PIECE_BYTES = 512;
const END = "\r\n\r\n";

export interface ResponseHead {
  readonly status: number;
  /** By small names; several of one name joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Whether another request may follow on the connection. */
  readonly isKept: boolean;
}

/** How the end of a body is known: by its length, by a last piece of none, or by the end of the connection. */
export type Framing = { readonly kind: "length"; readonly bytes: number } | { readonly kind: "chunked" } | { readonly kind: "end" };

/** @returns nothing when the connection ended before a byte came @throws BAD_FORMAT */
export async function readHead(connection: Connection): Promise<ResponseHead | undefined> {
  for (;;) {
    const text = await readText(connection);
    if (text === undefined) return undefined;
    const head = parseHead(text);
    // 100 Continue and 103 Early Hints go before the answer.
    if (head.status >= 200) return head;
  }
}

async function readText(connection: Connection): Promise<string | undefined> {
  let text = "";
  for (;;) {
    const bytes = (await connection.some())?.subarray(0, PIECE_BYTES);
    if (bytes === undefined) {
      if (text === "") return undefined;
      throw malformed("it ends in its head");
    }
    const before = text.length;
    text += latin1(bytes);
    const at = text.indexOf(END, Math.max(0, before - END.length + 1));
    if (at < 0 && text.length > HEAD_BYTES_MAX) throw malformed("its head is too long");
    const taken = at < 0 ? bytes.length : at + END.length - before;
    connection.skip(taken);
    if (at >= 0) return text.slice(0, at);
  }
}

export function parseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const found = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first);
  if (found === null) throw malformed("it is not HTTP/1.1");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) throw malformed("a header has no name");
    const value = line.slice(colon + 1).trim();
    const known = headers.get(name);
    headers.set(name, known === undefined ? value : `${known}, ${value}`);
  }
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return { status: Number(found[2]), headers, isKept: found[1] === "1" && !/\bclose\b/.test(connection) };
}

/** @throws BAD_FORMAT */
export function framingOf({ status, headers }: ResponseHead): Framing {
  if (status === 204 || status === 304) return { kind: "length", bytes: 0 };
  const encoding = headers.get("transfer-encoding");
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== "chunked") throw malformed(`its transfer encoding is "${encoding}"`);
    return { kind: "chunked" };
  }
  const length = headers.get("content-length");
  if (length === undefined) return { kind: "end" };
  // The same length said twice is one.
  const [bytes = "", ...others] = length.split(/\s*,\s*/);
  if (!/^\d{1,15}$/.test(bytes) || others.some((other) => other !== bytes)) throw malformed(`its length is "${length}"`);
  return { kind: "length", bytes: Number(bytes) };
}

export function malformed(why: string): PpioError {
  return new PpioError("BAD_FORMAT", `The provider's answer is malformed: ${why}.`);
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
