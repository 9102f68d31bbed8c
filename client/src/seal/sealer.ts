/**
 * The two layers around every frame (docs/protocol/seal.md). Inside, AES-256-GCM under the user's content key, with STREAM nonces;
 * outside, AES-256-CTR over the sealed stream under the developer's secret for the user. Both keys come from a salt that is fresh for
 * every upload attempt, so no nonce is used twice under one key.
 */

import { ctr, gcm } from "@noble/ciphers/webcrypto.js";
import { encodeObjectHeader, equalBytes, type Frame, type ObjectHeader, type ObjectPlan, PpioError } from "@ppio/core";
import { deriveKey } from "../keys/derive.ts";

const SEAL_VERSION = 1;
const PREFIX_BYTES = 7;
const BLOCK_BYTES = 16;

export interface SealContext {
  /** 32 bytes, random per object version. */
  readonly contentKey: Uint8Array;
  /** The developer's secret for this user, 32 bytes. */
  readonly applicationSecret: Uint8Array;
  /** 32 bytes, fresh per upload attempt. */
  readonly salt: Uint8Array;
  /** 32 bytes: keystream of the gaps. */
  readonly fillKey: Uint8Array;
  readonly objectId: Uint8Array;
  readonly objectVersion: number;
  readonly objectHeader: ObjectHeader;
}

export interface Sealer {
  /** Kept in the manifest; shows that a content key is the right one. */
  readonly commitment: Uint8Array;
  /** A whole data cell: the sealed frame, then fill. Without a frame (an empty cell of the last row) all fill. */
  sealCell(cell: number, cellLength: number, frame: Frame | undefined, plaintext: Uint8Array): Promise<Uint8Array>;
  /** Opens the frame at the start of a cell. @throws CORRUPT */
  openFrame(frame: Frame, cellBytes: Uint8Array): Promise<Uint8Array>;
}

/** Checks the commitment before anything is opened. @throws WRONG_KEY */
export function checkCommitment(sealer: Sealer, commitment: Uint8Array): void {
  if (!equalBytes(sealer.commitment, commitment)) {
    throw new PpioError("WRONG_KEY", "The content key does not fit the stored data; use the mnemonic that stored it.");
  }
}

/** The frame in data cell `cell`, if the plan has one there. */
export function frameOfCell(plan: ObjectPlan, cell: number): Frame | undefined {
  return cell < plan.frameCount ? plan.frame(cell) : undefined;
}

export function createSealer(context: SealContext, cellBytes: number): Sealer {
  const { contentKey, salt, objectId, objectVersion } = context;
  const innerKey = deriveKey(contentKey, salt, "ppio/v1/inner");
  const prefix = deriveKey(contentKey, salt, "ppio/v1/nonce", PREFIX_BYTES);
  const commitment = deriveKey(contentKey, salt, "ppio/v1/commitment");
  const outerKey = deriveKey(context.applicationSecret, salt, "ppio/v1/outer");
  const header = encodeObjectHeader(context.objectHeader);

  /** prefix 7 | frame index u32 | 1 for the final frame. */
  const nonceOf = (frame: Frame): Uint8Array => {
    const nonce = new Uint8Array(12);
    nonce.set(prefix);
    new DataView(nonce.buffer).setUint32(PREFIX_BYTES, frame.index);
    nonce[11] = frame.isFinal ? 1 : 0;
    return nonce;
  };

  /** version u8 | object id 32 | object version u64 | frame index u32 | object header. */
  const associatedData = (frame: Frame): Uint8Array => {
    const data = new Uint8Array(1 + 32 + 8 + 4 + header.length);
    const view = new DataView(data.buffer);
    data[0] = SEAL_VERSION;
    data.set(objectId, 1);
    view.setBigUint64(33, BigInt(objectVersion));
    view.setUint32(41, frame.index);
    data.set(header, 45);
    return data;
  };

  const outer = (frame: Frame, bytes: Uint8Array): Promise<Uint8Array> => ctr(outerKey, counterAt(frame.streamOffset)).encrypt(bytes);

  return {
    commitment,
    sealCell: async (cell, cellLength, frame, plaintext) => {
      const out = new Uint8Array(cellLength);
      let used = 0;
      if (frame !== undefined) {
        const inner = await gcm(innerKey, nonceOf(frame), associatedData(frame)).encrypt(plaintext);
        out.set(await outer(frame, inner));
        used = inner.length;
      }
      if (used < cellLength) out.set(await fill(context.fillKey, cell * cellBytes, used, cellLength), used);
      return out;
    },
    openFrame: async (frame, bytes) => {
      const sealed = await outer(frame, bytes.subarray(0, frame.plainLength + BLOCK_BYTES));
      try {
        return await gcm(innerKey, nonceOf(frame), associatedData(frame)).decrypt(sealed);
      } catch (cause) {
        throw new PpioError("CORRUPT", `Frame ${frame.index} does not open: the data is damaged or belongs to another key.`, { cause });
      }
    },
  };
}

/** Counter block for a byte offset that is a multiple of 16: the block number, big endian. */
function counterAt(offset: number): Uint8Array {
  const counter = new Uint8Array(BLOCK_BYTES);
  new DataView(counter.buffer).setBigUint64(8, BigInt(offset / BLOCK_BYTES));
  return counter;
}

/** Bytes [from, to) of the keystream of a cell that starts at `base`. */
async function fill(fillKey: Uint8Array, base: number, from: number, to: number): Promise<Uint8Array> {
  const aligned = from - (from % BLOCK_BYTES);
  const stream = await ctr(fillKey, counterAt(base + aligned)).encrypt(new Uint8Array(to - aligned));
  return stream.subarray(from - aligned);
}
