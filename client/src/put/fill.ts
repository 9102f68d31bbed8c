/**
 * Plaintext to slots: reads a batch of rows, seals every frame into its data cell and codes the rest. The first pass remembers a hash
 * of every batch; a later pass seals a batch only when its bytes are the same, because the salt is: other bytes under the same
 * nonces would give both away.
 */
import { cellLength, createErasureCoder, equalBytes, type ObjectPlan, PpioError } from "@ppio/core";
import type { Hasher } from "../deps.ts";
import { frameOfCell, type Sealer } from "../seal/index.ts";
import { type ObjectSource, readFully } from "./source.ts";
import type { Batch } from "./spread.ts";

export interface Filler {
  /** Fills the batch's n slots. @throws CONFLICT when the source is not what it was in the first pass */
  fill(batch: Batch, slots: readonly Uint8Array[]): Promise<void>;
  /** SHA-256 of the source, once the first pass has read all of it. */
  digest(): Uint8Array;
}

export function createFiller(plan: ObjectPlan, source: ObjectSource, sealer: Sealer, hasher: Hasher): Filler {
  const { header } = plan;
  const coder = createErasureCoder(header);
  const seen = new Map<number, Uint8Array>();
  let hashed = 0;
  let digest: Uint8Array | undefined;

  const readBatch = async (batch: Batch): Promise<{ readonly base: number; readonly plaintext: Uint8Array }> => {
    const first = plan.rowPlain(batch.firstRow);
    const last = plan.rowPlain(batch.firstRow + batch.rowCount - 1);
    const plaintext = await readFully(source, first.offset, last.offset + last.length - first.offset);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", plaintext as BufferSource));
    const before = seen.get(batch.firstRow);
    if (before === undefined) seen.set(batch.firstRow, hash);
    else if (!equalBytes(before, hash)) throw new PpioError("CONFLICT", "The source changed while it was stored; store it again.");
    if (first.offset === hashed && digest === undefined) {
      hasher.update(plaintext);
      hashed += plaintext.length;
    }
    return { base: first.offset, plaintext };
  };

  return {
    async fill(batch, slots) {
      const { base, plaintext } = await readBatch(batch);
      const sealing: (void | Promise<void>)[] = [];
      for (let at = 0; at < batch.rowCount * header.k; at += 1) {
        const cell = batch.firstRow * header.k + at;
        const row = Math.floor(cell / header.k);
        const length = cellLength(header, row);
        const frame = frameOfCell(plan, cell);
        const start = frame === undefined ? 0 : frame.plainOffset - base;
        const bytes = plaintext.subarray(start, start + (frame?.plainLength ?? 0));
        const offset = (row - batch.firstRow) * header.cellBytes;
        const place = slots[cell % header.k]?.subarray(offset, offset + length);
        if (place !== undefined) sealing.push(sealer.sealInto(place, cell, frame, bytes));
      }
      await Promise.all(sealing);
      coder.encode(slots.slice(0, header.k), slots.slice(header.k));
    },
    digest() {
      if (hashed !== source.sizeBytes) throw new PpioError("INTERNAL", "The source was not read to its end.");
      digest ??= hasher.digest();
      return digest;
    },
  };
}
