import { digestSigner, recoverSigner, useFastKeccak } from "@ppio/provider";
import { expect } from "chai";
import { hexlify, keccak256, recoverAddress, Wallet } from "ethers";
import fc from "fast-check";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe("a provider's signatures and hashes", () => {
  it("signs as ethers does, byte for byte, and recovers whom ethers recovers", () => {
    const key = bytes(32).filter((value) => value.some((byte) => byte !== 0) && (value[0] ?? 0) < 0xff);
    fc.assert(
      fc.property(key, bytes(32), (secret, message) => {
        const wallet = new Wallet(hexlify(secret));
        const digest = hexlify(message);
        const signature = hexlify(digestSigner(wallet.privateKey)(digest));
        expect(signature).to.equal(wallet.signingKey.sign(digest).serialized);
        expect(recoverSigner(digest, signature)).to.equal(wallet.address);
      }),
      { numRuns: 50 },
    );
  });

  it("recovers nobody where ethers does not, and the same stranger where it does", () => {
    const wallet = Wallet.createRandom();
    const digest = hexlify(new Uint8Array(32).fill(7));
    const good = wallet.signingKey.sign(digest);
    const ofEthers = (signature: string): string | undefined => {
      try {
        return recoverAddress(digest, signature);
      } catch {
        return undefined;
      }
    };
    const word = (byte: string): string => byte.repeat(32);
    const spoiled = ["", "0x", "0x12", good.serialized.slice(0, -2), `${good.serialized}00`, good.compactSerialized, "xyz"];
    for (const r of [good.r.slice(2), word("00"), word("ff"), word("11")]) {
      for (const s of [good.s.slice(2), word("00"), word("ff"), word("22")])
        for (const v of ["1b", "1c", "00", "1d", "25"]) spoiled.push(`0x${r}${s}${v}`);
    }
    for (const signature of spoiled) expect(recoverSigner(digest, signature), signature).to.equal(ofEthers(signature));
  });

  it("hashes as ethers does of its own accord", () => {
    const plain = new Map<string, string>();
    const samples = [0, 1, 31, 32, 135, 136, 137, 8_300].map((length) => new Uint8Array(length).fill(length));
    for (const sample of samples) plain.set(hexlify(sample), hexlify(keccak256._(sample)));
    useFastKeccak();
    for (const sample of samples) expect(keccak256(sample)).to.equal(plain.get(hexlify(sample)));
    expect(keccak256("0x")).to.equal("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  });
});
