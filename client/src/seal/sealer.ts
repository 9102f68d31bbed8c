/**
 * The two layers around every frame (docs/protocol/seal.md). Inside, AES-256-GCM under the user's content key, with STREAM nonces;
 * outside, AES-256-CTR over the sealed stream under the developer's secret for the user. Both keys come from a salt that is fresh for
 * every upload attempt, so no nonce is used twice under one key.
 */

import { encodeObjectHeader, equalBytes, type Frame, type ObjectHeader, type ObjectPlan, PpioError } from "@ppio/core/data";
import { importAesKey } from "#aes";
import { type Awaitable, all, TAG_BYTES } from "../aes/aes.ts";
import { deriveKey } from "../keys/hkdf.ts";

const SEAL_VERSION = 1;
const NONCE_BYTES = 12;
const PREFIX_BYTES = 7;
const INDEX_AT = 41;
const HEADER_AT = 45;

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
  /**
   * Fills `target`, a whole data cell: the sealed frame, then fill. Without a frame (an empty cell of the last row) all fill. Done
   * when it returns, in Node; elsewhere when its promise is.
   * @param target as long as the cell
   * @param plaintext of the frame; may lie at the start of `target`, and stays as it is until this is done
   */
  sealInto(target: Uint8Array, cell: number, frame: Frame | undefined, plaintext: Uint8Array): Awaitable<void>;
  /** The same into a new cell. */
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
  const inner = importAesKey(deriveKey(contentKey, salt, "ppio/v1/inner"));
  const prefix = deriveKey(contentKey, salt, "ppio/v1/nonce", PREFIX_BYTES);
  const commitment = deriveKey(contentKey, salt, "ppio/v1/commitment");
  const outer = importAesKey(deriveKey(context.applicationSecret, salt, "ppio/v1/outer"));
  const fill = importAesKey(context.fillKey);

  /** prefix 7 | frame index u32 | 1 for the final frame. */
  const nonce = new Uint8Array(NONCE_BYTES);
  const nonceView = new DataView(nonce.buffer);
  nonce.set(prefix);
  const nonceOf = (frame: Frame): Uint8Array => {
    nonceView.setUint32(PREFIX_BYTES, frame.index);
    nonce[NONCE_BYTES - 1] = frame.isFinal ? 1 : 0;
    return nonce;
  };

  /** version u8 | object id 32 | object version u64 | frame index u32 | object header. */
  const header = encodeObjectHeader(context.objectHeader);
  const associated = new Uint8Array(HEADER_AT + header.length);
  const associatedView = new DataView(associated.buffer);
  associated[0] = SEAL_VERSION;
  associated.set(objectId, 1);
  associatedView.setBigUint64(INDEX_AT - 8, BigInt(objectVersion));
  associated.set(header, HEADER_AT);
  const associatedData = (frame: Frame): Uint8Array => {
    associatedView.setUint32(INDEX_AT, frame.index);
    return associated;
  };

  const sealFrame = (target: Uint8Array, frame: Frame, plaintext: Uint8Array): Awaitable<void> =>
    inner.seal(nonceOf(frame), associatedData(frame), plaintext, (piece, at) =>
      outer.stream(frame.streamOffset + at, piece, (sealed) => target.set(sealed, at)),
    );

  /** Fills `target` from `used` on with the keystream of its cell. */
  const fillGap = (target: Uint8Array, cell: number, used: number): Awaitable<void> =>
    fill.stream(cell * cellBytes + used, new Uint8Array(target.length - used), (keystream) => target.set(keystream, used));

  const sealInto: Sealer["sealInto"] = (target, cell, frame, plaintext) => {
    const used = frame === undefined ? 0 : plaintext.length + TAG_BYTES;
    if (used > target.length) throw new PpioError("INTERNAL", `A frame of ${used} sealed bytes does not fit its cell of ${target.length}.`);
    const frameDone = frame === undefined ? undefined : sealFrame(target, frame, plaintext);
    return used === target.length ? frameDone : all([frameDone, fillGap(target, cell, used)]);
  };

  return {
    commitment,
    sealInto,
    sealCell: async (cell, cellLength, frame, plaintext) => {
      const target = new Uint8Array(cellLength);
      await sealInto(target, cell, frame, plaintext);
      return target;
    },
    openFrame: async (frame, bytes) => {
      const cellFrame = bytes.subarray(0, frame.plainLength + TAG_BYTES);
      try {
        return await outer.stream(frame.streamOffset, cellFrame, (sealed) => inner.open(nonceOf(frame), associatedData(frame), sealed));
      } catch (cause) {
        throw new PpioError("CORRUPT", `Frame ${frame.index} does not open: the data is damaged or belongs to another key.`, { cause });
      }
    },
  };
}
