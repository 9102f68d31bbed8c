/** Formats under random and hostile input: round trips, every truncation, any changed byte; placement's arithmetic. */
import {
  compareKeys,
  decodeDealHeader,
  decodeHead,
  decodeIndex,
  decodeManifest,
  encodeDealHeader,
  encodeHead,
  encodeIndex,
  encodeManifest,
  isPpioError,
  planObject,
  planRecord,
} from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { bytesOf, MANIFEST } from "../support/vectors.ts";

const code = fc.integer({ min: 2, max: 128 }).chain((n) => fc.record({ n: fc.constant(n), k: fc.integer({ min: 1, max: n - 1 }) }));
const cellBytes = fc.constantFrom(4_096, 65_536);
const header = fc
  .record({ code, cellBytes, last: fc.double({ min: 0, max: 1, noNaN: true }), rows: fc.integer({ min: 1, max: 2 ** 40 }) })
  .map(({ code: { k, n }, cellBytes: cell, last, rows }) => ({
    k,
    n,
    cellBytes: cell,
    lastCellBytes: 128 * Math.max(1, Math.ceil((last * cell) / 128)),
    rows,
  }));
const INDEX = {
  bucket: "b",
  entries: [{ key: "k", modifiedAt: 1, content: { kind: "inline", contentType: "t", bytes: bytesOf("x", 9) } }],
} as const;
const HEAD = { bucketId: bytesOf("b", 32), seq: 1, dealId: bytesOf("d", 32), offset: 0, length: 7, hash: bytesOf("h", 32) };

const FORMATS: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  ["deal header", encodeDealHeader({ k: 4, n: 8, cellBytes: 65_536, lastCellBytes: 128, rows: 9 }), decodeDealHeader],
  ["manifest", encodeManifest(MANIFEST), decodeManifest],
  ["index", encodeIndex(INDEX), decodeIndex],
  ["head", encodeHead(HEAD), decodeHead],
];

describe("formats", () => {
  it("deal headers come back as they were", () => {
    fc.assert(fc.property(header, (value) => void expect(decodeDealHeader(encodeDealHeader(value))).to.deep.equal(value)));
  });

  for (const [name, bytes, decode] of FORMATS) {
    it(`${name}: refuses every truncation, longer bytes and another version`, () => {
      for (let length = 0; length < bytes.length; length += 1)
        expect(() => decode(bytes.subarray(0, length)))
          .to.throw()
          .with.property("code", "BAD_FORMAT");
      expect(() => decode(new Uint8Array([...bytes, 0])))
        .to.throw()
        .with.property("code", "BAD_FORMAT");
      expect(() => decode(new Uint8Array([2, ...bytes.subarray(1)])))
        .to.throw()
        .with.property("code", "BAD_FORMAT");
    });

    it(`${name}: any changed byte is refused or means something else, and never more than that`, () => {
      fc.assert(
        fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
          const changed = bytes.slice();
          changed[at] = (changed[at] ?? 0) ^ mask;
          try {
            expect(decode(changed)).to.not.deep.equal(decode(bytes));
          } catch (error) {
            expect(isPpioError(error, "BAD_FORMAT"), String(error)).to.equal(true);
          }
        }),
      );
    });

    it(`${name}: random bytes are refused`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
          try {
            decode(noise);
          } catch (error) {
            expect(isPpioError(error, "BAD_FORMAT"), String(error)).to.equal(true);
          }
        }),
      );
    });
  }

  it("orders keys by their UTF-8 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        const expected = Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
        expect(Math.sign(compareKeys(a, b))).to.equal(expected);
      }),
    );
  });
});

describe("placement", () => {
  it("puts every byte into exactly one frame, frames into cells of their own, in order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_000_000 }), code, (sizeBytes, { k, n }) => {
        const plan = planObject({ sizeBytes, k, n, cellBytes: 4_096 });
        const { rows, lastCellBytes } = plan.header;
        expect(lastCellBytes % 128).to.equal(0);
        expect(plan.frameCount).to.be.lessThanOrEqual(rows * k);
        let plain = 0;
        let stream = 0;
        for (let index = 0; index < plan.frameCount; index += 1) {
          const frame = plan.frame(index);
          const cellLength = Math.floor(frame.cell / k) === rows - 1 ? lastCellBytes : 4_096;
          expect([frame.plainOffset, frame.streamOffset, frame.cell]).to.deep.equal([plain, stream, index]);
          expect(frame.plainLength + 16).to.be.lessThanOrEqual(cellLength);
          expect(frame.isFinal).to.equal(index === plan.frameCount - 1);
          if (frame.plainLength > 0) {
            expect(plan.frameAt(frame.plainOffset)).to.equal(index);
            expect(plan.frameAt(frame.plainOffset + frame.plainLength - 1)).to.equal(index);
          }
          plain += frame.plainLength;
          stream += cellLength;
        }
        expect(plain).to.equal(sizeBytes);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses cells that a header cannot name", () => {
    for (const plan of [planObject, planRecord]) {
      for (const wrong of [0, 2_048, 5_000, 2 ** 21, 65_536.5, Number.NaN]) {
        let code: unknown;
        try {
          plan({ sizeBytes: 10_000, k: 2, n: 4, cellBytes: wrong });
        } catch (error) {
          code = isPpioError(error) ? error.code : error;
        }
        expect(code, String(wrong)).to.equal("USAGE");
      }
    }
  });

  it("wastes less than a unit per cell of the last row", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000 }), code, (sizeBytes, { k, n }) => {
        const { header: shape, streamBytes } = planRecord({ sizeBytes, k, n, cellBytes: 4_096 });
        expect(streamBytes).to.be.greaterThanOrEqual(sizeBytes);
        expect(streamBytes - sizeBytes).to.be.lessThan(128 * k);
        expect(streamBytes).to.equal((shape.rows - 1) * k * 4_096 + k * shape.lastCellBytes);
      }),
    );
  });
});
