/** Reading a slot's data file: one cell, or all of them in order through one buffer of a fixed size. */
import { type DealHeader, NODE_BYTES, PpioError, SlotTreeBuilder, slotBytes } from "@ppio/core";
import { hexlify } from "ethers";
import type { StoreFile } from "./file-layer.ts";

/** A multiple of every cell size, both being powers of two. */
const BATCH_BYTES = 1 << 20;

/** Fills `into` from `position` on. @throws CORRUPT when the file ends before */
export async function readFully(file: StoreFile, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const bytesRead = await file.read(into.subarray(done), position + done);
    if (bytesRead === 0) throw new PpioError("CORRUPT", "The slot's data is cut short on disk.");
    done += bytesRead;
  }
}

export interface SlotRoots {
  /** 32 bytes per cell. */
  readonly roots: Uint8Array;
  /** 0x hex. */
  readonly root: string;
}

/** The tree that the bytes on disk have. @throws CORRUPT when there are too few */
export async function computeRoots(file: StoreFile, header: DealHeader): Promise<SlotRoots> {
  const total = slotBytes(header);
  const buffer = new Uint8Array(Math.min(BATCH_BYTES, total));
  const builder = new SlotTreeBuilder(header);
  const roots = new Uint8Array(header.rows * NODE_BYTES);
  for (let at = 0; at < total; at += buffer.length) {
    const batch = buffer.subarray(0, Math.min(buffer.length, total - at));
    await readFully(file, batch, at);
    roots.set(builder.push(batch), (at / header.cellBytes) * NODE_BYTES);
  }
  return { roots, root: hexlify(builder.finish().root) };
}
