import { type DealHeader, encodeDealHeader, slotBytes } from "@ppio/core";
import { type SlotMeta, SlotTable, uploadIdOf } from "@ppio/provider";
import { expect } from "chai";
import { hexlify, toBeHex } from "ethers";
import fc from "fast-check";

const SMALL: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 128, rows: 1 };
const LARGE: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 4096, rows: 3 };

function metaOf(at: number): SlotMeta {
  const dealId = toBeHex(at + 1, 32);
  return {
    ...{ version: 1, uploadId: uploadIdOf(dealId, at % 4), dealId, dealSalt: toBeHex(at * 7 + 1, 32), slotIndex: at % 4 },
    ...{ owner: `owner ${at % 3}`, payer: `payer ${at % 5}`, header: hexlify(encodeDealHeader(at % 2 === 0 ? SMALL : LARGE)) },
    ...{ state: "receiving", root: null, createdAt: 1_700_000_000_000 + at, offeredUntil: 0 },
  } as SlotMeta;
}

interface Known {
  meta: SlotMeta;
  received: number;
  isDealt: boolean;
}

describe("the table of slots", () => {
  it("knows the same as a map of objects after any additions, changes and removals", () => {
    const step = fc.record({ at: fc.nat(999), what: fc.constantFrom("add", "add", "add", "remove", "seal", "receive", "deal") });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_000, size: "max" }), (steps) => {
        const table = new SlotTable();
        const known = new Map<string, Known>();
        for (const { at, what } of steps) apply(table, known, at, what);
        compare(table, known);
      }),
      { numRuns: 5 },
    );
  });

  it("finds every slot of many, and none that is not there or no id", () => {
    const table = new SlotTable();
    for (let at = 0; at < 4_000; at += 1) table.add(metaOf(at), 0, 0);
    for (let at = 0; at < 4_000; at += 3) table.remove(table.placeOf(metaOf(at).uploadId));
    for (let at = 0; at < 4_000; at += 1) {
      const place = table.placeOf(metaOf(at).uploadId);
      if (at % 3 === 0) expect(place).to.equal(-1);
      else expect(table.uploadId(place)).to.equal(metaOf(at).uploadId);
    }
    for (const id of ["", "..", "F".repeat(64), "0".repeat(63), "0".repeat(64), "0".repeat(65)]) expect(table.placeOf(id)).to.equal(-1);
  });

  function apply(table: SlotTable, known: Map<string, Known>, at: number, what: string): void {
    const meta = metaOf(at);
    const { uploadId } = meta;
    const old = known.get(uploadId);
    const place = table.placeOf(uploadId);
    if (old === undefined) {
      expect(place).to.equal(-1);
      if (what !== "add") return;
      table.add(meta, 0, at);
      known.set(uploadId, { meta, received: 0, isDealt: false });
    } else if (what === "remove") {
      table.remove(place);
      known.delete(uploadId);
    } else if (what === "seal") {
      old.meta = { ...old.meta, state: "sealed", root: toBeHex(at + 5, 32), offeredUntil: at };
      table.update(place, old.meta);
    } else if (what === "receive") {
      old.received = 100;
      table.setReceivedBytes(place, 100);
    } else if (what === "deal") {
      old.isDealt = !old.isDealt;
      table.setFlag(place, "dealt", old.isDealt);
    }
  }

  function compare(table: SlotTable, known: ReadonlyMap<string, Known>): void {
    const all = [...known.values()];
    expect(table.count).to.equal(known.size);
    expect([...table.places()].length).to.equal(known.size);
    expect(table.countOf("dealt")).to.equal(all.filter(({ isDealt }) => isDealt).length);
    let missing = 0;
    for (const [uploadId, { meta, received, isDealt }] of known) {
      const place = table.placeOf(uploadId);
      expect(table.meta(place)).to.deep.equal(meta);
      expect(JSON.stringify(table.meta(place)), "in the order of the file").to.equal(JSON.stringify(meta));
      expect([table.receivedBytes(place), table.has(place, "dealt")]).to.deep.equal([received, isDealt]);
      missing += slotBytes(table.header(place)) - received;
    }
    expect(table.missingBytes).to.equal(missing);
    const isFirst = table.payerFilter("payer 0");
    expect([...table.places()].filter(isFirst).length).to.equal(all.filter(({ meta }) => meta.payer === "payer 0").length);
  }
});
