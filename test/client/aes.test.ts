import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { getBytes } from "ethers";
import fc from "fast-check";
import { importAesKey as importNode } from "../../client/src/aes/aes.node.ts";
import { importAesKey as importPlain } from "../../client/src/aes/aes.plain.ts";
import type { AesKey, ImportAesKey } from "../../client/src/aes/aes.ts";
import { importAesKey as importWeb } from "../../client/src/aes/aes.web.ts";

const BACKENDS: Readonly<Record<string, ImportAesKey>> = { node: importNode, WebCrypto: importWeb, "plain JavaScript": importPlain };
const bytes = (hex: string): Uint8Array => getBytes(`0x${hex}`);
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

async function seal(key: AesKey, nonce: Uint8Array, associatedData: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
  const sealed = new Uint8Array(plaintext.length + 16);
  await key.seal(nonce, associatedData, plaintext, (piece, at) => sealed.set(piece, at));
  return sealed;
}

async function stream(key: AesKey, offset: number, input: Uint8Array): Promise<Uint8Array> {
  return key.stream(offset, input, (output) => new Uint8Array(output));
}

async function isRefused(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return false;
  } catch {
    return true;
  }
}

/** McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test case 16. */
const GCM = {
  key: bytes("feffe9928665731c6d6a8f9467308308".repeat(2)),
  nonce: bytes("cafebabefacedbaddecaf888"),
  associatedData: bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
  plaintext: bytes(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
  ),
  sealed: bytes(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
  ),
};
/** Blocks 0, 1 and 2 under the zero key: H and T of test case 13, C of test case 14 there. */
const KEYSTREAM = bytes("dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738bcea7403d4d606b6e074ec5d3baf39d18");

describe("AES-256 backends", () => {
  for (const [name, importAesKey] of Object.entries(BACKENDS)) {
    it(`${name}: refuses a changed tag, ciphertext, nonce, associated data, and what is too short`, async () => {
      const key = importAesKey(GCM.key);
      for (const at of [0, 30, 59, 60, 75]) {
        const bent = GCM.sealed.slice();
        bent[at] = (bent[at] ?? 0) ^ 1;
        expect(await isRefused(() => key.open(GCM.nonce, GCM.associatedData, bent)), `byte ${at}`).to.equal(true);
      }
      expect(await isRefused(() => key.open(random(12), GCM.associatedData, GCM.sealed))).to.equal(true);
      expect(await isRefused(() => key.open(GCM.nonce, random(20), GCM.sealed))).to.equal(true);
      for (const length of [0, 4, 15, 16, 75])
        expect(await isRefused(() => key.open(GCM.nonce, GCM.associatedData, GCM.sealed.subarray(0, length))), `${length}`).to.equal(true);
      expect(await key.open(GCM.nonce, GCM.associatedData, GCM.sealed)).to.deep.equal(GCM.plaintext);
    });

    it(`${name}: gives the published bytes`, async () => {
      expect(await seal(importAesKey(GCM.key), GCM.nonce, GCM.associatedData, GCM.plaintext)).to.deep.equal(GCM.sealed);
      expect(await stream(importAesKey(new Uint8Array(32)), 0, new Uint8Array(48))).to.deep.equal(KEYSTREAM);
    });

    it(`${name}: reads its keystream from any byte, in any order`, async () => {
      const key = importAesKey(new Uint8Array(32));
      for (const [from, to] of [
        [16, 48],
        [47, 48],
        [1, 20],
        [20, 40],
        [40, 40],
        [0, 48],
        [15, 17],
      ] as const) {
        expect(await stream(key, from, new Uint8Array(to - from)), `${from} to ${to}`).to.deep.equal(KEYSTREAM.slice(from, to));
      }
    });
  }

  it("agree on random keys, lengths and offsets, and open each other's", async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 0, max: 2 ** 45 }),
      async (length, associatedLength, offset) => {
        const [raw, nonce, associatedData, plaintext] = [random(32), random(12), random(associatedLength), random(length)];
        const keys = Object.values(BACKENDS).map((importAesKey) => importAesKey(raw));
        const sealed = await Promise.all(keys.map((key) => seal(key, nonce, associatedData, plaintext)));
        const streamed = await Promise.all(keys.map((key) => stream(key, offset, plaintext)));
        for (const [at, key] of keys.entries()) {
          expect(sealed[at]).to.deep.equal(sealed[0]);
          expect(streamed[at]).to.deep.equal(streamed[0]);
          expect(await key.open(nonce, associatedData, sealed[0] ?? plaintext)).to.deep.equal(plaintext);
          expect(await stream(key, offset, streamed[0] ?? plaintext)).to.deep.equal(plaintext);
        }
      },
    );
    await fc.assert(property, {
      numRuns: 40,
      examples: [
        [0, 0, 0],
        [16, 0, 15],
        [4_080, 51, 2 ** 38 - 16],
      ],
    });
  });

  it("are synchronous in Node, so that a worker seals without turns of its event loop", () => {
    const key = importNode(random(32));
    expect(key.stream(0, random(16), (output) => output.length)).to.equal(16);
    const nonce = random(12);
    const sealed = new Uint8Array(20);
    expect(key.seal(nonce, random(0), random(4), (piece, at) => sealed.set(piece, at))).to.equal(undefined);
    expect(key.open(nonce, random(0), sealed)).to.be.instanceOf(Uint8Array);
  });

  it("keep no memory in Node: 256 MiB sealed and streamed leave less than a frame's worth per hundred frames", () => {
    const key = importNode(random(32));
    const [plaintext, target, nonce] = [random(65_520), new Uint8Array(65_536), random(12)];
    const before = process.memoryUsage().arrayBuffers;
    for (let frame = 0; frame < 4_096; frame += 1)
      key.seal(nonce, nonce, plaintext, (piece, at) => key.stream(at, piece, (output) => target.set(output, at)));
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan((4_096 * 65_536) / 100);
  });
});
