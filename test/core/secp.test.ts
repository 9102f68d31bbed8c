/** Signatures in Node and in browsers: the same bytes, and those of ethers. */
import { digestSigner, recoverSigner } from "@ppio/core";
import { expect } from "chai";
import { hexlify, recoverAddress, Wallet } from "ethers";
import fc from "fast-check";
import * as ofBrowsers from "../../core/dist/core/src/secp/secp.browser.js";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

for (const [where, secp] of [
  ["Node", { digestSigner, recoverSigner }],
  ["browsers", ofBrowsers],
] as const) {
  describe(`signatures in ${where}`, () => {
    it("are those of ethers, byte for byte, and recover whom ethers recovers", () => {
      const key = bytes(32).filter((value) => value.some((byte) => byte !== 0) && (value[0] ?? 0) < 0xff);
      fc.assert(
        fc.property(key, bytes(32), (secret, message) => {
          const wallet = new Wallet(hexlify(secret));
          const digest = hexlify(message);
          const signature = hexlify(secp.digestSigner(wallet.privateKey)(digest));
          expect(signature).to.equal(wallet.signingKey.sign(digest).serialized);
          expect(secp.recoverSigner(digest, signature)).to.equal(wallet.address);
        }),
        { numRuns: 50 },
      );
    });

    it("recover nobody where ethers does not, and the same stranger where it does", () => {
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
      for (const signature of spoiled) expect(secp.recoverSigner(digest, signature), signature).to.equal(ofEthers(signature));
    });
  });
}
