/** What repairers may read of a slot: each vacancy of the deal is worth a reading, and none is a licence for more. */
import { isPpioError } from "@ppio/core";
import { expect } from "chai";
import { ServingBudget } from "../../provider/dist/repair/serving-budget.js";

const SLOT_BYTES = 1 << 20;
const SLACK_BYTES = 64 << 10;
const STEP_BYTES = 1 << 16;
const WINDOW_MS = 120_000;

describe("the budget of what repairers read", () => {
  let nowMs: number;
  let budget: ServingBudget;

  beforeEach(() => {
    nowMs = 1_000_000;
    budget = new ServingBudget(() => nowMs);
  });

  /** One step of a reading; whether it was served. */
  const step = (repairer: string, forSlot: number): boolean => {
    try {
      budget.spend({ uploadId: "source", repairer, forSlot, bytes: STEP_BYTES, slotBytes: SLOT_BYTES, windowMs: WINDOW_MS });
      return true;
    } catch (error) {
      expect(isPpioError(error, "REFUSED")).to.equal(true);
      return false;
    }
  };
  const readWhole = (repairer: string, forSlot: number): boolean => {
    for (let at = 0; at < SLOT_BYTES; at += STEP_BYTES) if (!step(repairer, forSlot)) return false;
    return true;
  };
  /** Bytes that are served until one is refused. */
  const drain = (repairer: string, forSlot: number): number => {
    let bytes = 0;
    while (step(repairer, forSlot)) bytes += STEP_BYTES;
    return bytes;
  };

  it("serves who rebuilds ten slots of a deal, one after the other", () => {
    for (let slot = 0; slot < 10; slot += 1) expect(readWhole("one", slot), `slot ${slot}`).to.equal(true);
  });

  it("serves ten repairers of as many slots, one after the other", () => {
    for (let slot = 0; slot < 10; slot += 1) expect(readWhole(`repairer ${slot}`, slot), `slot ${slot}`).to.equal(true);
  });

  it("serves ten repairers of as many slots at the same time", () => {
    for (let at = 0; at < SLOT_BYTES; at += STEP_BYTES) {
      for (let slot = 0; slot < 10; slot += 1) expect(step(`repairer ${slot}`, slot), `slot ${slot}`).to.equal(true);
    }
  });

  it("serves who comes to a slot after three that gave up, and no more than four slots for one vacancy", () => {
    let bytes = 0;
    for (let tried = 0; tried < 3; tried += 1) expect(readWhole(`repairer ${tried}`, 0)).to.equal(true);
    expect(readWhole("the fourth", 0)).to.equal(true);
    for (let late = 0; late < 5; late += 1) bytes += drain(`late ${late}`, 0);
    expect(bytes).to.be.at.most(SLACK_BYTES);
    expect(readWhole("the fourth", 1), "another vacancy").to.equal(true);
  });

  it("serves one repairer a slot and a half for one vacancy, until the window is over", () => {
    expect(drain("one", 0)).to.be.at.most(1.5 * SLOT_BYTES + SLACK_BYTES);
    nowMs += WINDOW_MS - 1;
    expect(drain("one", 0)).to.equal(0);
    nowMs += 1;
    expect(readWhole("one", 0)).to.equal(true);
  });
});
