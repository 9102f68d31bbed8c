/** The code as `test/vectors/independent/erasure.py` sees it, which was written from docs/protocol/erasure.md alone. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createErasureCoder, type ErasureOptions } from "@ppio/core";
import { expect } from "chai";

interface Vector {
  readonly k: number;
  readonly n: number;
  readonly seed: number;
  /** Slots from which the others are rebuilt. */
  readonly kept: string;
  readonly firstCoded: string;
  readonly sha256OfCoded: string;
}

const CELL_BYTES = 256;
const KERNELS: readonly ErasureOptions[] = [{ kernel: "auto" }, { kernel: "plain" }];

const path = new URL("../vectors/independent/erasure.json", import.meta.url);
const { codes } = JSON.parse(readFileSync(path, "utf8")) as { readonly codes: readonly Vector[] };

const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();

function bytesOf(label: string, length: number): Uint8Array {
  const blocks = [sha256(label)];
  while (32 * blocks.length < length) blocks.push(sha256(blocks[blocks.length - 1] ?? ""));
  return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
}

describe("independent vectors of the erasure code", () => {
  for (const { k, n, seed, kept, firstCoded, sha256OfCoded } of codes) {
    const data = Array.from({ length: k }, (_, cell) => bytesOf(`independent/erasure/${k}/${n}/${seed}/${cell}`, CELL_BYTES));

    it(`${k}/${n}, seed ${seed}: coded cells, and all others from those kept`, () => {
      for (const options of KERNELS) {
        const coder = createErasureCoder({ k, n }, options);
        const coded = Array.from({ length: n - k }, () => new Uint8Array(CELL_BYTES));
        coder.encode(data, coded);
        expect(`0x${Buffer.from(coded[0] ?? []).toString("hex")}`).to.equal(firstCoded);
        expect(`0x${sha256(Buffer.concat(coded)).toString("hex")}`).to.equal(sha256OfCoded);

        const cells = [...data, ...coded];
        const slots = kept.split(" ").map(Number);
        const have = new Map(slots.map((slot) => [slot, cells[slot] ?? new Uint8Array()]));
        const want = new Map(cells.flatMap((_, slot) => (have.has(slot) ? [] : [[slot, new Uint8Array(CELL_BYTES)] as const])));
        coder.reconstruct(have, want);
        for (const [slot, cell] of want) expect(cell, `slot ${slot}`).to.deep.equal(cells[slot]);
      }
    });
  }
});
