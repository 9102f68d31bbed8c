/**
 * What do both layers of the seal cost over their ciphers? GB/s of plaintext, one thread, frames that fill a cell, beside bare
 * node:crypto: AES-256-GCM of the same frames, and AES-256-CTR of what it gives, timed together and with nothing else.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { createSealer } from "@ppio/client";
import { cellLength, planObject } from "@ppio/core";
import { compare, rateOf, rateOfAsync } from "./support/interleave.ts";
import { sealContext } from "./support/pipeline.ts";

const CELLS = 64;
const TAG_BYTES = 16;
const TURNS = 201;
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const gcmKey = createSecretKey(random(32));
const ctrKey = createSecretKey(random(32));
const nonce = random(12);
const associatedData = random(51);
const counter = new Uint8Array(16);

function barePair(plaintext: Uint8Array): void {
  const inner = createCipheriv("aes-256-gcm", gcmKey, nonce);
  inner.setAAD(associatedData);
  const sealed = inner.update(plaintext);
  inner.final();
  const tag = inner.getAuthTag();
  const outer = createCipheriv("aes-256-ctr", ctrKey, counter);
  outer.update(sealed);
  outer.update(tag);
}

function bareOpen(body: Uint8Array, tag: Uint8Array): void {
  const outer = createCipheriv("aes-256-ctr", ctrKey, counter);
  outer.update(body);
  outer.update(tag);
  const inner = createDecipheriv("aes-256-gcm", gcmKey, nonce);
  inner.setAAD(associatedData);
  inner.setAuthTag(tag);
  inner.update(body);
  inner.final();
}

/** What `bareOpen` opens without an error: the inner layer alone. */
function bareSealed(plaintext: Uint8Array): [body: Uint8Array, tag: Uint8Array] {
  const cipher = createCipheriv("aes-256-gcm", gcmKey, nonce);
  cipher.setAAD(associatedData);
  const body = cipher.update(plaintext);
  cipher.final();
  return [body, cipher.getAuthTag()];
}

for (const cellBytes of [16_384, 65_536, 1 << 20]) {
  const frameBytes = cellBytes - TAG_BYTES;
  const plan = planObject({ sizeBytes: CELLS * frameBytes, k: 4, n: 8, cellBytes });
  const sealer = createSealer(sealContext(plan.frameBytes), cellBytes);
  const plaintext = random(frameBytes);
  const target = new Uint8Array(cellBytes);
  const [body, tag] = bareSealed(plaintext);
  if (cellLength(plan.header, 0) !== cellBytes) throw new Error("The frames do not fill their cells.");
  let next = 0;
  const frame = () => plan.frame(next++ % (CELLS - 1));

  await compare({
    name: `seal frames of ${cellBytes / 1024} KiB, node:crypto`,
    ours: () =>
      rateOf(() => {
        const at = frame();
        sealer.sealInto(target, at.cell, at, plaintext);
      }, frameBytes),
    peer: () => rateOf(() => barePair(plaintext), frameBytes),
    target: 0.9,
    turns: TURNS,
  });

  const cells = Array.from({ length: CELLS - 1 }, (_, index) => {
    const cell = new Uint8Array(cellBytes);
    sealer.sealInto(cell, plan.frame(index).cell, plan.frame(index), plaintext);
    return cell;
  });
  await compare({
    name: `open frames of ${cellBytes / 1024} KiB, node:crypto`,
    ours: () =>
      rateOfAsync(() => {
        const at = frame();
        return sealer.openFrame(at, cells[at.index] ?? target);
      }, frameBytes),
    peer: () => rateOf(() => bareOpen(body, tag), frameBytes),
    target: 0.9,
    turns: TURNS,
  });
}
