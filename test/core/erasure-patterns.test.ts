/** Rows of one deal, each with its own losses, read in part: what is rebuilt is what was coded, whichever kernel has its turn. */
import { randomBytes } from "node:crypto";
import { createErasureCoder, type ErasureCoder, SimdMemory } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";

const UNIT_BYTES = 128;
const UNITS = 37;
/** More than any program codes with tables before it makes something faster. */
const WARM_BYTES = 129 << 20;
const WARM_CELL_BYTES = 1 << 17;

const CODES = [
  [2, 4],
  [10, 16],
  [17, 33],
  [20, 40],
  [29, 80],
  [33, 50],
  [64, 128],
  [100, 128],
] as const;

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** A row's cells as the plain twin codes them. */
function codedRow(k: number, n: number): Uint8Array[] {
  const data = Array.from({ length: k }, () => random(UNITS * UNIT_BYTES));
  const coded = Array.from({ length: n - k }, () => new Uint8Array(UNITS * UNIT_BYTES));
  createErasureCoder({ k, n }, { kernel: "plain" }).encode(data, coded);
  return [...data, ...coded];
}

interface Row {
  /** Lost slots are the first of this order, wanted ones the first of those. */
  readonly order: readonly number[];
  readonly lost: number;
  readonly wanted: number;
  readonly fromUnit: number;
  readonly units: number;
  readonly place: "inside" | "outside" | "odd";
  readonly warm: boolean;
}

const rows: fc.Arbitrary<Row[]> = fc.array(
  fc
    .record({
      order: fc.array(fc.nat(), { minLength: 128, maxLength: 128 }),
      lost: fc.integer({ min: 1, max: 64 }),
      wanted: fc.integer({ min: 1, max: 64 }),
      fromUnit: fc.nat(UNITS - 1),
      units: fc.integer({ min: 1, max: UNITS }),
      place: fc.constantFrom("inside" as const, "outside" as const, "odd" as const),
      warm: fc.boolean(),
    })
    .map((row) => ({ ...row, units: Math.min(row.units, UNITS - row.fromUnit) })),
  { minLength: 1, maxLength: 4 },
);

/** Codes so much with these losses that whatever is faster than tables is in place. */
function warmUp(coder: ErasureCoder, have: Iterable<number>, want: Iterable<number>): void {
  const [source, target] = [random(WARM_CELL_BYTES), new Uint8Array(WARM_CELL_BYTES)];
  const [sources, targets] = [new Map([...have].map((slot) => [slot, source])), new Map([...want].map((slot) => [slot, target]))];
  for (let bytes = 0; bytes < WARM_BYTES; bytes += coder.k * WARM_CELL_BYTES) coder.reconstruct(sources, targets);
}

describe("erasure patterns", function () {
  this.timeout(120_000);

  it("that change from row to row, in parts of cells, are rebuilt as they were coded", () => {
    fc.assert(
      fc.property(fc.constantFrom(...CODES), rows, ([k, n], losses) => {
        const memory = new SimdMemory(2 * n * UNITS * UNIT_BYTES * losses.length);
        // Two coders of one memory take turns: what one has loaded must not serve the other.
        const coders = [createErasureCoder({ k, n }, { memory }), createErasureCoder({ k, n }, { memory })];
        const cells = codedRow(k, n);
        losses.forEach(({ order, lost, wanted, fromUnit, units, place, warm }, turn) => {
          const coder = coders[turn % 2] ?? createErasureCoder({ k, n });
          const shuffled = cells.map((_, slot) => slot).sort((a, b) => (order[a] ?? 0) - (order[b] ?? 0));
          const gone = shuffled.slice(0, Math.min(lost, n - k));
          const length = units * UNIT_BYTES;
          const cellOf = (bytes: Uint8Array): Uint8Array => {
            const cell =
              place === "inside"
                ? memory.allocate(length)
                : place === "odd"
                  ? new Uint8Array(length + 1).subarray(1)
                  : new Uint8Array(length);
            cell.set(bytes);
            return cell;
          };
          const part = (slot: number): Uint8Array => (cells[slot] ?? new Uint8Array()).subarray(fromUnit * UNIT_BYTES).subarray(0, length);
          const have = new Map(shuffled.slice(gone.length).map((slot) => [slot, cellOf(part(slot))]));
          const want = new Map(gone.slice(0, wanted).map((slot) => [slot, cellOf(random(length))]));
          if (warm) warmUp(coder, have.keys(), want.keys());
          coder.reconstruct(have, want);
          for (const [slot, cell] of want) expect(Buffer.from(cell), `slot ${slot}, row ${turn}`).to.deep.equal(Buffer.from(part(slot)));
        });
      }),
      // Shrinking would warm up kernels for minutes.
      { numRuns: 40, endOnFailure: true },
    );
  });

  it("of the worst kind are rebuilt: all data lost, or as much as can be", () => {
    for (const [k, n] of CODES) {
      const cells = codedRow(k, n);
      const numbered = cells.map((cell, slot) => [slot, cell] as const);
      for (const warm of [false, true]) {
        const coder = createErasureCoder({ k, n }, { memory: new SimdMemory() });
        const lost = Math.min(k, n - k);
        const have = new Map(numbered.slice(lost));
        const want = new Map(numbered.slice(0, lost).map(([slot, cell]) => [slot, random(cell.length)]));
        if (warm) warmUp(coder, have.keys(), want.keys());
        coder.reconstruct(have, want);
        for (const [slot, cell] of want) expect(Buffer.from(cell), `${k}/${n}, slot ${slot}`).to.deep.equal(Buffer.from(cells[slot] ?? []));
      }
    }
  });

  it("are kept within a bound: a coder that sees hundreds of them still rebuilds, also the first one again", () => {
    const [k, n] = [10, 20];
    const cells = codedRow(k, n);
    const coder = createErasureCoder({ k, n });
    for (const shift of [...Array.from({ length: 300 }, (_, turn) => turn), 0]) {
      const lost = [shift % n, (shift * 7 + 3) % n, (shift * 11 + 5) % n];
      const have = new Map(cells.map((cell, slot) => [slot, cell] as const).filter(([slot]) => !lost.includes(slot)));
      const want = new Map(lost.map((slot) => [slot, new Uint8Array(UNITS * UNIT_BYTES)]));
      coder.reconstruct(have, want);
      for (const [slot, cell] of want) expect(Buffer.from(cell)).to.deep.equal(Buffer.from(cells[slot] ?? []));
    }
  });

  it("may ask for one lost cell, then for another, of the same ones that are left", () => {
    const [k, n] = [10, 20];
    const cells = codedRow(k, n);
    const coder = createErasureCoder({ k, n });
    const have = new Map(cells.map((cell, slot) => [slot, cell] as const).slice(3));
    for (const slot of [0, 1, 2, 1]) {
      const cell = new Uint8Array(UNITS * UNIT_BYTES);
      coder.reconstruct(have, new Map([[slot, cell]]));
      expect(Buffer.from(cell), `slot ${slot}`).to.deep.equal(Buffer.from(cells[slot] ?? []));
    }
  });

  it("may ask for cells that are known: those are copied", () => {
    const [k, n] = [10, 20];
    const cells = codedRow(k, n);
    const have = new Map(cells.map((cell, slot) => [slot, cell] as const).slice(5));
    const want = new Map([12, 3, 7].map((slot) => [slot, new Uint8Array(UNITS * UNIT_BYTES)]));
    for (const kernel of ["auto", "plain"] as const) {
      for (const cell of want.values()) cell.fill(0);
      createErasureCoder({ k, n }, { kernel }).reconstruct(have, want);
      for (const [slot, cell] of want) expect(Buffer.from(cell), `slot ${slot}`).to.deep.equal(Buffer.from(cells[slot] ?? []));
    }
  });
});
