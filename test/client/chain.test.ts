/** Transactions of a wallet that other processes use as well; and records of puts that cannot be read. */
import { PpioError } from "@ppio/core";
import { expect } from "chai";
import { type ContractTransactionResponse, type Provider, Wallet } from "ethers";
import { createChain } from "../../client/dist/chain/chain.js";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { createMemoryJournal } from "../../client/dist/put/journal.js";
import { resumePuts } from "../../client/dist/put/resume-puts.js";

const AT = `0x${"11".repeat(20)}`;
const BOOK = { version: 1, chainId: 1, rpcUrl: "", beaconUrl: "", fromBlock: 0, token: AT, registry: AT, market: AT, proofs: AT } as const;
const HASH = `0x${"22".repeat(32)}`;
const SENT = { hash: HASH } as ContractTransactionResponse;

/** A chain whose receipts have these states, one after the other. */
function chainWith(...statuses: readonly number[]) {
  const left = [...statuses];
  const provider = { getTransactionReceipt: async () => ({ hash: HASH, status: left.shift() }) } as unknown as Provider;
  const signer = Wallet.createRandom(provider);
  const clock = { ...systemClock, sleep: async () => undefined };
  const addressBook = { ...BOOK, policy: AT, beacon: AT, committee: AT } as unknown as Parameters<typeof createChain>[0]["addressBook"];
  return createChain({ addressBook, provider, signer: signer as never, clock, log: silentLog });
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "none",
    (error: { code?: unknown }) => error.code,
  );
}

describe("sending a transaction", () => {
  const spent = new PpioError("NO_FUNDS", "The allowance is spent.", { details: { contractError: "ERC20InsufficientAllowance" } });
  const isOvertaken = ({ details }: PpioError): boolean => details["contractError"] === "ERC20InsufficientAllowance";
  const isDone = async (): Promise<boolean> => false;

  it("tries again when another process of the wallet was faster, and only then", async () => {
    let tries = 0;
    const submit = async (): Promise<ContractTransactionResponse> => {
      tries += 1;
      if (tries < 3) throw spent;
      return SENT;
    };
    expect(await codeOf(chainWith(1).send({ what: "opening", submit, isDone, isOvertaken }))).to.equal("none");
    expect(tries).to.equal(3);
    tries = 0;
    expect(await codeOf(chainWith(1).send({ what: "opening", submit, isDone }))).to.equal("NO_FUNDS");
    expect(tries).to.equal(1);
  });

  it("sends again what was reverted in its block, until an estimate says why", async () => {
    expect(await codeOf(chainWith(0, 1).send({ what: "opening", submit: async () => SENT, isDone }))).to.equal("none");
    let tries = 0;
    const submit = async (): Promise<ContractTransactionResponse> => {
      tries += 1;
      if (tries > 1) throw new PpioError("REFUSED", "The provider was evicted.");
      return SENT;
    };
    expect(await codeOf(chainWith(0).send({ what: "opening", submit, isDone }))).to.equal("REFUSED");
  });
});

describe("resuming puts", () => {
  it("reports a record that cannot be read, and does not stop at it", async () => {
    const journal = createMemoryJournal();
    const id = HASH;
    await journal.save({ id, sealed: new Uint8Array(100) });
    const context = { journal, masterSecret: new Uint8Array(32), applicationSecret: new Uint8Array(32) };
    const results = await resumePuts(context as unknown as Parameters<typeof resumePuts>[0]);
    expect(results).to.have.length(1);
    expect(results[0]).to.include({ id, outcome: "unreadable" });
    expect(await journal.list()).to.have.length(1);
  });
});
