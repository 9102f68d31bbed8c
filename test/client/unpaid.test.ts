/** Providers that want money which is not there: others are asked, nobody is blamed, and the user is told what it takes. */
import { isPpioError, PpioError, planRecord } from "@ppio/core";
import { expect } from "chai";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { createReadPace } from "../../client/dist/get/read-pace.js";
import { createRoom } from "../../client/dist/get/room.js";
import { createRowReader } from "../../client/dist/get/row-reader.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { failureKindOf } from "../../client/dist/providers/service-record.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";

const { header } = planRecord({ sizeBytes: 9_000, k: 2, n: 4, cellBytes: 4096 });
const unpaid = new PpioError("PAYMENT_REQUIRED", "Provider 9 wants to be paid for reads: there is no reserve.", {
  details: { unpaid: "no-account" },
});

describe("a read of providers that want to be paid", () => {
  const readerWith = (readCells: (slotIndex: number) => Promise<Uint8Array>) => {
    const asked: number[] = [];
    const reader = createRowReader({
      ...{ dealId: "0x", header, slots: [0, 1, 2, 3], providerOf: (slotIndex: number) => slotIndex + 1 },
      ...{ room: createRoom(), limits: LIMITS_DEFAULT, clock: systemClock, log: silentLog },
      pace: createReadPace(LIMITS_DEFAULT),
      stragglers: createStragglers(systemClock),
      readCells: (slotIndex) => {
        asked.push(slotIndex);
        return readCells(slotIndex);
      },
    });
    return { reader, asked };
  };
  const cell = async (): Promise<Uint8Array> => new Uint8Array(header.rows === 1 ? header.lastCellBytes : header.cellBytes);

  it("is served by the others of the deal, without a second try at those", async () => {
    const { reader, asked } = readerWith((slotIndex) => (slotIndex < 2 ? Promise.reject(unpaid) : cell()));
    expect([...(await reader.readRows(0, 1, [0, 1])).keys()].sort()).to.deep.equal([2, 3]);
    expect(asked.sort()).to.deep.equal([0, 1, 2, 3]);
  });

  it("ends with what it takes when too few are free, and with what is lost when money would not help", async () => {
    const failed = async (work: Promise<unknown>): Promise<PpioError> => {
      const error = await work.catch((caught) => caught);
      if (!isPpioError(error)) throw new Error("it was read");
      return error;
    };
    const paid = await failed(readerWith((slotIndex) => (slotIndex < 3 ? Promise.reject(unpaid) : cell())).reader.readRows(0, 1, [0, 1]));
    expect([paid.code, paid.details["unpaid"]]).to.deep.equal(["PAYMENT_REQUIRED", "no-account"]);
    expect(paid.message).to.equal(
      "Only 1 of the 2 slots that are needed can be read without paying, and 3 more for money. " +
        "Provider 9 wants to be paid for reads: there is no reserve.",
    );
    const gone = new PpioError("NOT_FOUND", "no such slot");
    const lost = await failed(readerWith((slotIndex) => Promise.reject(slotIndex === 0 ? unpaid : gone)).reader.readRows(0, 1, [0, 1]));
    expect(lost.code).to.equal("UNRECOVERABLE");
  });

  it("holds nothing against a provider that was not paid", () => {
    expect(failureKindOf(unpaid)).to.equal(undefined);
    const said = new PpioError("PAYMENT_REQUIRED", "pay", { details: { said: "pay", status: 402 } });
    expect(failureKindOf(said)).to.equal(undefined);
  });
});
