/**
 * Every signed message against every way to use it for something else: a second time, on another chain, at another contract, for another
 * deal, slot, owner, payer, and too late. One table; typed-data.md and the table name the same messages.
 */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { networkHelpers } from "../support/contracts/chain.ts";
import { FORMS } from "../support/contracts/signed-forms.ts";
import { deployStage, expectRefused, type Stage } from "../support/contracts/stage.ts";

/** Messages whose attacks stand beside the other tests of their contracts. */
const ELSEWHERE: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  Voucher: [
    ["bandwidth-escrow", "E9: are for one payee, payer, chain and contract, and have one signature"],
    ["bandwidth-escrow", "E2, E4: pay what is new of the cumulative amount, whoever sends them, and nothing twice"],
  ],
  ...Object.fromEntries(
    ["AuthorizeKey", "RevokeKey", "Deposit", "RequestWithdrawal", "CancelWithdrawal", "CompleteWithdrawal"].map((message) => [
      message,
      [
        ["bandwidth-escrow-edges", "do all that a payer and a payee can do, once"],
        ["bandwidth-escrow-edges", "are worth nothing after their deadline"],
      ],
    ]),
  ),
  ...Object.fromEntries(
    [
      "CreateBucket",
      "MoveHead",
      "SetWriter",
      "ClearWriters",
      "OfferOwnership",
      "AcceptOwnership",
      "RevokeTickets",
      "RevokeTicketsBefore",
    ].map((message) => [message, [["bucket-registry", `K6: \${name} counts once, in time, from its signer, here`]]]),
  ),
};

/** What the page says is signed and then checked by a contract. */
function documentedMessages(): Set<string> {
  const page = readFileSync(new URL("../../docs/protocol/typed-data.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `") && !line.includes("off the chain"));
  return new Set(rows.map((row) => row.slice(3, row.indexOf("("))));
}

describe("Signed messages", function () {
  this.timeout(60_000);
  let stage: Stage;
  beforeEach(async () => {
    stage = await networkHelpers.loadFixture(deployStage);
  });

  it("are those of the page, here or in the tests that are named", () => {
    expect(new Set([...FORMS.map(({ message }) => message), ...Object.keys(ELSEWHERE)])).to.deep.equal(documentedMessages());
    for (const [file, title] of Object.values(ELSEWHERE).flat()) {
      expect(readFileSync(new URL(`./${file}.test.ts`, import.meta.url), "utf8"), title).to.include(title);
    }
  });

  for (const { message, use, prepare, foreign, twice, late, otherwise } of FORMS) {
    describe(`${message} ${use}`.trimEnd(), () => {
      const refused = (error: string, call: Promise<unknown>) => expectRefused(stage, error, call);

      it("is for one chain, one contract and of one signer", async () => {
        const { domain, types, signer, value, send } = await prepare(stage);
        for (const change of [{ chainId: 1n }, { verifyingContract: stage.world.reporter.address }, { version: "2" }]) {
          await refused(foreign, send(await signer.signTypedData({ ...domain, ...change }, types, value), value));
        }
        await refused(foreign, send(await stage.world.signer(13).signTypedData(domain, types, value), value));
      });

      for (const [what, error] of Object.entries(otherwise)) {
        it(`is worth nothing for ${what}`, async () => {
          const { domain, types, signer, value, send, others } = await prepare(stage);
          expect(Object.keys(others)).to.have.members(Object.keys(otherwise));
          await refused(error, send(await signer.signTypedData(domain, types, value), { ...value, ...others[what] }));
        });
      }

      if (late !== undefined) {
        it("is worth nothing after its end", async () => {
          const [field, error] = late;
          const { domain, types, signer, value, send } = await prepare(stage);
          const expired = { ...value, [field]: await networkHelpers.time.latest() };
          await refused(error, send(await signer.signTypedData(domain, types, expired), expired));
        });
      }

      it("counts once", async () => {
        const { domain, types, signer, value, send } = await prepare(stage);
        const signature = await signer.signTypedData(domain, types, value);
        await send(signature, value);
        await refused(twice, send(signature, value));
      });
    });
  }
});
