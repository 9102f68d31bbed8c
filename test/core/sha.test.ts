import { createHash, randomBytes } from "node:crypto";
import { hashInto } from "@chainsafe/hashtree";
import { createPairHasher, hasSimd, pairKernel } from "@ppio/core";
import { expect } from "chai";
import { getBytes } from "ethers";
import fc from "fast-check";

const simd = createPairHasher();
const plain = createPairHasher({ kernel: "plain" });

/** Into the middle of a larger buffer, whose rest must stay. */
function digests(hash: typeof simd, input: Uint8Array): Uint8Array {
  const around = new Uint8Array(input.length / 2 + 96).fill(0xee);
  hash(input, around.subarray(32, 32 + input.length / 2));
  expect(new Set([...around.subarray(0, 32), ...around.subarray(32 + input.length / 2)])).to.deep.equal(new Set([0xee]));
  return around.slice(32, 32 + input.length / 2);
}

function nodeDigests(input: Uint8Array): Uint8Array {
  const pairs = Array.from({ length: input.length / 64 }, (_, at) => input.subarray(64 * at, 64 * (at + 1)));
  return new Uint8Array(Buffer.concat(pairs.map((pair) => createHash("sha256").update(pair).digest())));
}

/** 64-byte messages whose digests others have published. */
const PUBLISHED = [
  {
    source: "NIST CAVP, SHA256ShortMsg.rsp, Len = 512",
    message:
      "5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8a650547208251f6d4237e661c7bf4c77f335390394c37fa1a9f9be836ac28509",
    digest: "42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa",
  },
  {
    source: "Ethereum consensus specifications, zero_hashes[1]",
    message: "00".repeat(64),
    digest: "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
  },
  {
    source: "Ethereum consensus specifications, zero_hashes[2]",
    message: "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b".repeat(2),
    digest: "db56114e00fdd4c1f85c892bf35ac9a89289aaecb1ebd0a96cde606a748b5d71",
  },
];

describe("SHA-256 of pairs", () => {
  it("uses SIMD here, so that these tests compare two implementations", () => {
    expect(hasSimd()).to.equal(true);
    expect(simd).to.not.equal(plain);
  });

  for (const { source, message, digest } of PUBLISHED) {
    it(`gives the digest of ${source}, in every lane`, () => {
      for (let pairs = 1; pairs <= 5; pairs += 1) {
        const input = getBytes(`0x${message.repeat(pairs)}`);
        for (const hash of [simd, plain]) expect(digests(hash, input)).to.deep.equal(getBytes(`0x${digest.repeat(pairs)}`));
      }
    });
  }

  it("agrees with OpenSSL and with the plain twin, whatever the bytes, their number and their place", () => {
    const inputs = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 15 }));
    fc.assert(
      fc.property(inputs, ([pairs, offset]) => {
        const input = new Uint8Array(randomBytes(64 * pairs + offset)).subarray(offset);
        const expected = nodeDigests(input);
        expect(digests(simd, input)).to.deep.equal(expected);
        expect(digests(plain, input)).to.deep.equal(expected);
      }),
      {
        examples: [[[0, 0]], [[1, 0]], [[4, 1]], [[5, 3]]],
      },
    );
  });

  it("agrees with the native build over more than one window", () => {
    for (const pairs of [2_047, 2_048, 2_049, 5_000]) {
      const input = new Uint8Array(randomBytes(64 * pairs));
      const expected = new Uint8Array(32 * pairs);
      hashInto(input, expected);
      expect(digests(simd, input)).to.deep.equal(expected);
    }
  });

  it("costs a page little: the kernel is smaller than 16 KiB", () => {
    expect(pairKernel().length).to.be.lessThan(16_384);
  });
});
