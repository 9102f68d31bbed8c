/** The golden vectors: what the code makes of fixed inputs today is what the files say. A difference is a change of the protocol. */
import { readFile } from "node:fs/promises";
import { decodeHead, decodeIndex, decodeManifest, encodeHead, encodeIndex, encodeManifest } from "@ppio/core";
import { expect } from "chai";
import { getBytes, hexlify } from "ethers";
import { MANIFEST, vectors } from "../support/vectors.ts";

async function readVector(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")) as Record<string, unknown>;
}

describe("golden vectors", () => {
  for (const [name, make] of Object.entries(vectors)) {
    it(`${name}: unchanged`, async () => {
      expect(JSON.parse(JSON.stringify(await make()))).to.deep.equal(await readVector(name));
    });
  }

  it("manifest, index and head come back from their bytes as they were", async () => {
    const bytes = async (name: string): Promise<Uint8Array> => getBytes(String((await readVector(name))["encoded"]));
    expect(decodeManifest(await bytes("manifest"))).to.deep.equal(MANIFEST);
    expect(hexlify(encodeManifest(decodeManifest(await bytes("manifest"))))).to.equal(hexlify(await bytes("manifest")));
    expect(hexlify(encodeIndex(decodeIndex(await bytes("index"))))).to.equal(hexlify(await bytes("index")));
    expect(hexlify(encodeHead(decodeHead(await bytes("head"))))).to.equal(hexlify(await bytes("head")));
  });
});
