/** What is read of the market without its ABI is what the ABI reads, and nothing else is taken for it. */
import { StorageMarket__factory } from "@ppio/core/contracts";
import type { ChainConnection } from "@ppio/daemon";
import { expect } from "chai";
import { hexlify, randomBytes } from "ethers";
import { filledLogs } from "../../provider/dist/prover/filled-logs.js";
import { readSlot } from "../../provider/dist/read-slot.js";
import { codeOf } from "../support/code-of.ts";
import { BOOK } from "../support/provider/world.ts";

const MARKET = StorageMarket__factory.createInterface();
const PROVIDER_ID = 0xfedcba98;
const DEAL_ID = hexlify(randomBytes(32));

describe("lean reads of the market", () => {
  let asked: { method: string; params: readonly unknown[] }[];
  const chainOf = (answer: unknown): ChainConnection =>
    ({
      book: BOOK,
      market: { interface: MARKET },
      rpc: {
        send: async (method: string, params: readonly unknown[]) => {
          asked.push({ method, params });
          return answer;
        },
      },
    }) as unknown as ChainConnection;

  beforeEach(() => {
    asked = [];
  });

  const slot = {
    ...{ root: hexlify(randomBytes(32)), providerId: PROVIDER_ID, startGwei: 3n, payGwei: 4n, collateralGwei: 5n, leafCount: 6n },
    ...{ fromPeriod: 7, settledTo: 0x01020304, liveUntil: 0xfffffffe, status: 4n },
  };

  it("ask for a slot as the ABI does, and read its answer", async () => {
    const state = await readSlot(chainOf(MARKET.encodeFunctionResult("slot", [slot])), DEAL_ID, 200);
    expect(state).to.deep.equal({ providerId: PROVIDER_ID, settledTo: 0x01020304, liveUntil: 0xfffffffe, status: 4n });
    const data = MARKET.encodeFunctionData("slot", [DEAL_ID, 200]);
    expect(asked).to.deep.equal([{ method: "eth_call", params: [{ to: BOOK.market, data }, "latest"] }]);
  });

  it("take no other answer for a slot", async () => {
    const whole = MARKET.encodeFunctionResult("slot", [slot]);
    for (const answer of ["0x", whole.slice(0, -64), `${whole}${"0".repeat(64)}`]) {
      expect(await codeOf(readSlot(chainOf(answer), DEAL_ID, 1))).to.equal("BAD_FORMAT");
    }
  });

  const values = [DEAL_ID, 200, PROVIDER_ID, hexlify(randomBytes(32)), 2n ** 63n, 5n, 2n ** 47n, 9];
  const log = { ...MARKET.encodeEventLog("SlotFilled", values), blockNumber: "0x10", logIndex: "0x2" };

  it("ask for a provider's fillings as the ABI does, and read them", async () => {
    const found = await filledLogs(chainOf([log]), PROVIDER_ID, 5, 300);
    const interval = { dealId: DEAL_ID, slotIndex: 200, startGwei: 2n ** 47n, endGwei: 2n ** 47n + 2n ** 63n };
    expect(found).to.deep.equal([{ blockNumber: 16, index: 2, interval }]);
    const topics = MARKET.encodeFilterTopics("SlotFilled", [null, null, PROVIDER_ID]);
    const [{ method, params } = { method: "", params: [] }] = asked;
    expect([method, params]).to.deep.equal(["eth_getLogs", [{ address: BOOK.market, topics, fromBlock: "0x5", toBlock: "0x12c" }]]);
  });

  it("take no other event for a filling", async () => {
    for (const bad of [
      { ...log, data: "0x" },
      { ...log, data: log.data.slice(0, -64) },
      { ...log, topics: log.topics.slice(0, 1) },
    ]) {
      expect(await codeOf(filledLogs(chainOf([bad]), PROVIDER_ID, 5, 300))).to.equal("BAD_FORMAT");
    }
  });
});
