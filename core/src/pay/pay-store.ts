/** What a payer must not lose: its session key, and up to where it may have signed in each stream. The host keeps it anywhere durable and private. */
import type { StreamState } from "./reader-stream.ts";

/** A key that signs vouchers on a payer's reserve. */
export interface PayKey {
  /** 0x hex; secret. */
  readonly privateKey: string;
  readonly address: string;
  /** Unix seconds; payees stop then. */
  readonly expiry: number;
}

/** A stream of this payer: under which key, to whom. */
export interface StoredStream extends StreamState {
  readonly key: string;
  readonly payee: string;
}

export interface PayRecord {
  readonly payer: string;
  /** The one that signs now. */
  readonly key: PayKey;
  /** Dearer reads are not paid. */
  readonly maxPricePerGibWei: bigint;
  /** Under this key and under earlier ones. */
  readonly streams: readonly StoredStream[];
}

export interface PayStore {
  /** Nothing when no account was made. */
  read(): Promise<PayRecord | undefined>;
  /** Replaces the record, atomically with the reading before it and durably. What `change` throws leaves it as it is. */
  change(change: (record: PayRecord | undefined) => PayRecord): Promise<PayRecord>;
}

/** For tests and for hosts that accept the loss: the escrow pays for what was signed before, and the next key begins anew. */
export function createMemoryPayStore(record?: PayRecord): PayStore {
  let current = record;
  return {
    read: async () => current,
    change: async (change) => {
      current = change(current);
      return current;
    },
  };
}

/** A record as text; amounts are decimal strings. */
export function encodePayRecord(record: PayRecord): string {
  return `${JSON.stringify({ version: 1, ...record }, (_key, value) => (typeof value === "bigint" ? String(value) : value), 2)}\n`;
}

/** Undefined when it is no record of this version. */
export function decodePayRecord(value: unknown): PayRecord | undefined {
  const { version, payer, key, maxPricePerGibWei, streams } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const { privateKey, address, expiry } = (key ?? {}) as Readonly<Record<string, unknown>>;
  const texts = [payer, privateKey, address, maxPricePerGibWei];
  if (version !== 1 || !texts.every((text) => typeof text === "string") || typeof expiry !== "number" || !Array.isArray(streams))
    return undefined;
  try {
    return {
      payer: String(payer),
      key: { privateKey: String(privateKey), address: String(address), expiry },
      maxPricePerGibWei: BigInt(String(maxPricePerGibWei)),
      streams: (streams as Readonly<Record<string, string>>[]).map((stream) => ({
        key: String(stream["key"]),
        payee: String(stream["payee"]),
        limitWei: BigInt(stream["limitWei"] ?? ""),
        owedWei: BigInt(stream["owedWei"] ?? ""),
        lostWei: BigInt(stream["lostWei"] ?? ""),
      })),
    };
  } catch {
    return undefined;
  }
}
