/** A slot as a client makes it: random cells, their tree, and the record that a provider keeps. */
import { randomBytes } from "node:crypto";
import { type DealHeader, encodeDealHeader, SlotTreeBuilder, slotBytes } from "@ppio/core";
import type { ByteSource } from "@ppio/daemon";
import { type SlotMeta, uploadIdOf } from "@ppio/provider";
import { hexlify } from "ethers";

export interface TestSlot {
  readonly header: DealHeader;
  readonly data: Uint8Array;
  readonly root: string;
  readonly meta: SlotMeta;
}

export const HEADER: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 1152, rows: 5 };

export function rootOfData(header: DealHeader, data: Uint8Array): string {
  const builder = new SlotTreeBuilder(header);
  for (let at = 0; at < data.length; at += header.cellBytes) builder.push(data.subarray(at, at + header.cellBytes));
  return hexlify(builder.finish().root);
}

/** @param bytes by chance, unless a test draws them from a seed of its own */
export function makeSlot(header: DealHeader = HEADER, slotIndex = 1, bytes: (length: number) => Uint8Array = randomBytes): TestSlot {
  const data = new Uint8Array(bytes(slotBytes(header)));
  const dealId = hexlify(bytes(32));
  const meta: SlotMeta = {
    version: 1,
    uploadId: uploadIdOf(dealId, slotIndex),
    dealId,
    dealSalt: hexlify(bytes(32)),
    slotIndex,
    owner: `0x${"01".repeat(20)}`,
    payer: `0x${"02".repeat(20)}`,
    header: hexlify(encodeDealHeader(header)),
    state: "receiving",
    root: null,
    createdAt: 1_700_000_000_000,
    offeredUntil: 0,
  };
  return { header, data, root: rootOfData(header, data), meta };
}

/** Bytes as a body that arrives in pieces. */
export function pieces(bytes: Uint8Array, pieceBytes = 1_000): ByteSource {
  return sourceOf(
    (async function* () {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    })(),
  );
}

/** What comes piece by piece, as a body; what it throws comes after what it gave. */
export function sourceOf(coming: AsyncIterator<Uint8Array>): ByteSource {
  let rest: Uint8Array = new Uint8Array();
  let failed: Promise<never> | undefined;
  const more = async (): Promise<boolean> => {
    await failed;
    if (rest.length === 0) rest = ((await coming.next()).value as Uint8Array | undefined) ?? rest;
    return rest.length > 0;
  };
  return {
    more,
    async fill(target) {
      let filled = 0;
      try {
        while (filled < target.length && (await more())) {
          const part = rest.subarray(0, target.length - filled);
          target.set(part, filled);
          filled += part.length;
          rest = rest.subarray(part.length);
        }
      } catch (error) {
        if (filled === 0) throw error;
        failed = Promise.reject(error);
        failed.catch(() => undefined);
      }
      return filled;
    },
  };
}
