import { useFastKeccak } from "@ppio/provider";
import { expect } from "chai";
import { hexlify, keccak256 } from "ethers";

describe("a provider's keccak", () => {
  it("hashes as ethers does of its own accord", () => {
    const plain = new Map<string, string>();
    const samples = [0, 1, 31, 32, 135, 136, 137, 8_300].map((length) => new Uint8Array(length).fill(length));
    for (const sample of samples) plain.set(hexlify(sample), hexlify(keccak256._(sample)));
    useFastKeccak();
    for (const sample of samples) expect(keccak256(sample)).to.equal(plain.get(hexlify(sample)));
    expect(keccak256("0x")).to.equal("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  });
});
