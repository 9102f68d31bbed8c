/**
 * Every state of every machine of docs/protocol/state-machines.md against every call: what the page says is refused is refused with that error,
 * what it says goes through leads to that state. The page is the list; a row without a case, or a case without a row, fails.
 */
import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { bucket } from "../support/contracts/machines/bucket.ts";
import { challenge } from "../support/contracts/machines/challenge.ts";
import { deal } from "../support/contracts/machines/deal.ts";
import type { Machine } from "../support/contracts/machines/machine.ts";
import { operator } from "../support/contracts/machines/operator.ts";
import { readPage } from "../support/contracts/machines/page.ts";
import { period } from "../support/contracts/machines/period.ts";
import { policyChange } from "../support/contracts/machines/policy-change.ts";
import { provider } from "../support/contracts/machines/provider.ts";
import { reservation } from "../support/contracts/machines/reservation.ts";
import { sessionKey } from "../support/contracts/machines/session-key.ts";
import { slot } from "../support/contracts/machines/slot.ts";
import { sponsorship } from "../support/contracts/machines/sponsorship.ts";
import { term } from "../support/contracts/machines/term.ts";
import { verifier } from "../support/contracts/machines/verifier.ts";
import { withdrawal } from "../support/contracts/machines/withdrawal.ts";
import { deployStage, expectRefused, type Stage } from "../support/contracts/stage.ts";

const MACHINES: Readonly<Record<string, Machine>> = {
  Deal: deal,
  Slot: slot,
  Challenge: challenge,
  Reservation: reservation,
  Provider: provider,
  Operator: operator,
  Period: period,
  Verifier: verifier,
  Term: term,
  "Session key": sessionKey,
  Withdrawal: withdrawal,
  Bucket: bucket,
  Sponsorship: sponsorship,
  "Policy change": policyChange,
};
const GOES_THROUGH = "→ ";

const page = readPage();

describe("State machines", function () {
  this.timeout(120_000);
  let stage: Stage;
  beforeEach(async () => {
    stage = await networkHelpers.loadFixture(deployStage);
  });

  for (const [name, machine] of Object.entries(MACHINES)) {
    describe(name, () => {
      const section = page[name] ?? { matrix: [], calls: [], also: [] };

      it("has the states, calls and refusals of the page", () => {
        expect(section.matrix.map(({ state }) => state)).to.have.members([...machine.states]);
        expect(section.calls).to.have.members([...machine.calls]);
        expect(section.also.map(([row]) => row)).to.have.members([...machine.also]);
      });

      for (const { state, cells } of section.matrix) {
        it(`${state}: takes the edges of the page and no other`, async () => {
          const entered = await machine.enter(stage, state);
          expect(await entered.state()).to.equal(state);
          const snapshot = await networkHelpers.takeSnapshot();
          for (const [call, outcome] of Object.entries(cells)) {
            const send = await entered.call(call);
            if (outcome.startsWith(GOES_THROUGH)) {
              await send();
              expect(await entered.state(), call).to.equal(outcome.slice(GOES_THROUGH.length));
            } else {
              await expectRefused(stage, outcome, send(), call);
              expect(await entered.state(), call).to.equal(state);
            }
            await snapshot.restore();
          }
        });
      }

      for (const [row, error] of section.also) {
        it(`${row}: ${error}`, async () => {
          const entered = await machine.enter(stage, row.slice(0, row.indexOf(":")));
          await expectRefused(stage, error, (await entered.also(row))(), row);
        });
      }
    });
  }

  it("are those of the page", () => {
    expect(Object.keys(page)).to.have.members(Object.keys(MACHINES));
  });
});
