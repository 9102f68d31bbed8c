/** The public deal header and the object header (docs/protocol/headers.md). */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { CELLS_MAX } from "../erasure/matrix.ts";
import { type SlotShape, UNIT_BYTES } from "../tree/slot-tree.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

export const DEAL_HEADER_VERSION = 1;
export const DEAL_HEADER_BYTES = 16;
export const CELL_BYTES_MIN = 4096;
export const CELL_BYTES_MAX = 1 << 20;
export const CELL_BYTES_DEFAULT = 65_536;
const ROWS_MAX = 2 ** 40;

/** Public shape of a deal; says nothing about true sizes. Every slot has it. */
export interface DealHeader extends SlotShape {
  readonly k: number;
  readonly n: number;
}

/** version u8 | k u8 | n u8 | log2(cellBytes) u8 | lastCellBytes u32 | rows u64. */
export function encodeDealHeader(header: DealHeader): Uint8Array {
  const bytes = new ByteWriter()
    .u8(DEAL_HEADER_VERSION)
    .u8(header.k)
    .u8(header.n)
    .u8(Math.log2(header.cellBytes))
    .u32(header.lastCellBytes)
    .u64(header.rows)
    .finish();
  decodeDealHeader(bytes);
  return bytes;
}

/** @throws BAD_FORMAT when a field is out of bounds */
export function decodeDealHeader(bytes: Uint8Array): DealHeader {
  const reader = new ByteReader(bytes, "deal header");
  reader.version(DEAL_HEADER_VERSION);
  const k = reader.u8();
  const n = reader.u8();
  const cellBytes = 2 ** reader.u8();
  const lastCellBytes = reader.u32();
  const rows = reader.u64();
  reader.end();
  if (k < 1 || k >= n || n > CELLS_MAX) throw reader.fail("k and n do not satisfy 1 <= k < n <= 128");
  if (cellBytes < CELL_BYTES_MIN || cellBytes > CELL_BYTES_MAX) throw reader.fail("cellBytes is out of bounds");
  if (lastCellBytes < UNIT_BYTES || lastCellBytes > cellBytes || lastCellBytes % UNIT_BYTES !== 0) {
    throw reader.fail("lastCellBytes is out of bounds");
  }
  if (rows < 1 || rows > ROWS_MAX) throw reader.fail("rows is out of bounds");
  return { k, n, cellBytes, lastCellBytes, rows };
}

/** keccak256, 0x hex: what offers sign and the chain stores. */
export function dealHeaderHash(header: DealHeader): string {
  return `0x${bytesToHex(keccak_256(encodeDealHeader(header)))}`;
}

export const OBJECT_HEADER_VERSION = 1;
/** AES-256-GCM frames with STREAM nonces inside, AES-256-CTR outside. */
export const SUITE_GCM_CTR = 1;

/** Fixed before sealing and bound to every frame as associated data. */
export interface ObjectHeader {
  readonly suite: number;
  /** Plaintext bytes of a full frame. */
  readonly frameBytes: number;
}

/** version u8 | suite u8 | frameBytes u32. */
export function encodeObjectHeader(header: ObjectHeader): Uint8Array {
  return new ByteWriter().u8(OBJECT_HEADER_VERSION).u8(header.suite).u32(header.frameBytes).finish();
}

export function readObjectHeader(reader: ByteReader): ObjectHeader {
  reader.version(OBJECT_HEADER_VERSION);
  const suite = reader.u8();
  if (suite !== SUITE_GCM_CTR) throw reader.fail(`cipher suite ${suite} is not known`);
  return { suite, frameBytes: reader.u32() };
}
