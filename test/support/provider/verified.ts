/** A read's answer as a client takes it. */
import {
  answerRootsHash,
  cellLength,
  readAnswerHead,
  readAnswerMessage,
  readCellSiblings,
  verifyCellPart,
  verifyCellRun,
} from "@ppio/core";
import { expect } from "chai";
import { concat, getBytes, hexlify } from "ethers";
import { DOMAIN, type Upload, type World } from "./world.ts";

/** What a client does with an answer: everything is verified before it counts. */
export async function verified(world: World, upload: Upload, bytes: Uint8Array, offset: number, length: number): Promise<Uint8Array> {
  let at = 0;
  const take = async (count: number): Promise<Uint8Array> => {
    if (at + count > bytes.length) throw new Error("the answer is too short");
    at += count;
    return bytes.slice(at - count, at);
  };
  const { header } = upload;
  const first = Math.floor(offset / header.cellBytes);
  const count = Math.floor((offset + length - 1) / header.cellBytes) - first + 1;
  const head = await readAnswerHead(take, count);
  verifyCellRun(header, getBytes(upload.root), first, getBytes(concat([...head.cellRoots])), head.siblings);
  const rootsHash = answerRootsHash(head.cellRoots, head.siblings);
  const signed = { dealId: upload.dealId, slotIndex: upload.slotIndex, firstCell: first, rootsHash, servedAt: head.servedAt };
  expect(readAnswerMessage.recover(DOMAIN, signed, hexlify(head.signature))).to.equal(world.operator.address);
  const parts: Uint8Array[] = [];
  for (const [index, root] of head.cellRoots.entries()) {
    const row = first + index;
    const start = row * header.cellBytes;
    const from = Math.max(offset - start, 0);
    const siblings = await readCellSiblings(take);
    const part = await take(Math.min(offset + length - start, cellLength(header, row)) - from);
    verifyCellPart(header, row, root, from, part, siblings);
    parts.push(part);
  }
  expect(at).to.equal(bytes.length);
  return new Uint8Array(Buffer.concat(parts));
}
