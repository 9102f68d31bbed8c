/** Deploying: whole, interrupted at any transaction and gone on with, and twice. */
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AddressBook, parseAddressBook } from "@ppio/core";
import { expect } from "chai";
import { checkBook } from "../../cli/dist/deploy/check-book.js";
import { deployContracts } from "../../cli/dist/deploy/deploy.js";
import { publicNetwork } from "../../cli/dist/deploy/networks.js";
import { codeOf, messageOf } from "../support/code-of.ts";
import { type Break, DeployChain } from "../support/deploy-chain.ts";

const CHAIN_ID = 31_337;
const { deployment, beaconUrl } = publicNetwork("base-sepolia");
/** Contracts, two libraries, the deployer, and the two calls that create market and proofs. */
const TRANSACTIONS = 17;

async function deployed(dir: string): Promise<Record<string, string>> {
  const file = join(dir, "deployed_addresses.json");
  return existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as Record<string, string>) : {};
}

describe("deployment", () => {
  let chain: DeployChain;
  let dir: string;

  beforeEach(async () => {
    chain = await DeployChain.start();
    dir = await mkdtemp(join(tmpdir(), "ppio-deploy-"));
  });

  afterEach(async () => {
    await chain.close();
    await rm(dir, { recursive: true, force: true });
  });

  const deploy = (change: Partial<Parameters<typeof deployContracts>[0]> = {}): Promise<AddressBook> =>
    deployContracts({
      ...{ provider: chain.provider, chainId: CHAIN_ID, rpcUrl: "http://127.0.0.1:1", beaconUrl, deployment },
      ...{ isPublic: true, confirmations: 1, deploymentDir: dir, pollingMs: 1, ...change },
    });

  it("puts every contract on the chain with public parameters, each knowing the others, for less than 60 million gas", async () => {
    const book = await deploy();
    expect(parseAddressBook(JSON.stringify(book))).to.deep.equal(book);
    expect(chain.sent).to.equal(TRANSACTIONS);
    expect(chain.gasUsed < 60_000_000n, String(chain.gasUsed)).to.equal(true);
    if (process.env["PPIO_PRINT_GAS"] !== undefined) console.log(`      deployment: ${chain.gasUsed} gas`);
    expect(book.fromBlock).to.equal(1);
  });

  it("sends nothing the second time, and says the same", async () => {
    const first = await deploy();
    chain.reconnect();
    expect(await deploy()).to.deep.equal(first);
    expect(chain.sent).to.equal(0);
  });

  for (const how of ["before", "unheard", "after"] as const satisfies readonly Break[]) {
    it(`goes on after the connection was lost ${how} a transaction: nothing is deployed twice, nothing moves`, async () => {
      let total = 0;
      const known: Record<string, string> = {};
      for (const breakAt of [1, 4, 2, 5, 1, 1]) {
        chain.reconnect();
        [chain.breakAt, chain.breakHow] = [breakAt, how];
        expect(await codeOf(deploy()), `broken at ${breakAt}`).not.to.equal("accepted");
        total += how === "before" ? chain.sent - 1 : chain.sent;
        Object.assign(known, await deployed(dir));
      }
      expect(Object.keys(known).length).to.be.within(5, TRANSACTIONS - 1);
      chain.reconnect();
      const book = await deploy();
      expect(total + chain.sent).to.equal(TRANSACTIONS);
      const final = await deployed(dir);
      for (const [id, address] of Object.entries(known)) expect(final[id], id).to.equal(address);
      expect(final["Ppio#StorageMarket"]).to.equal(book.market);
      expect(final["Ppio#PossessionProofs"]).to.equal(book.proofs);
      expect(book.fromBlock).to.equal(1);
      chain.reconnect();
      expect(await deploy()).to.deep.equal(book);
      expect(chain.sent).to.equal(0);
    });
  }

  it("goes on when the last line of the journal was cut off", async () => {
    [chain.breakAt, chain.breakHow] = [6, "after"];
    expect(await codeOf(deploy())).not.to.equal("accepted");
    await appendFile(join(dir, "journal.jsonl"), '\n{"futureId":"Ppio#Book');
    chain.reconnect();
    await deploy();
    const lines = (await readFile(join(dir, "journal.jsonl"), "utf8")).split("\n").filter((line) => line !== "");
    for (const line of lines) expect(() => JSON.parse(line)).not.to.throw();
  });

  it("works whatever else the deploying account sends meanwhile", async () => {
    const [account] = (await chain.provider.request({ method: "eth_accounts" })) as [string];
    const other = (): Promise<unknown> =>
      chain.provider.request({ method: "eth_sendTransaction", params: [{ from: account, to: account, value: "0x1" }] });
    await other();
    chain.breakAt = 6;
    expect(await codeOf(deploy())).not.to.equal("accepted");
    chain.reconnect();
    await other();
    await deploy();
  });

  it("refuses other parameters in the same folder instead of mixing two deployments", async () => {
    await deploy();
    chain.reconnect();
    const parameters = { ...deployment.parameters, unbondingSeconds: 9 * 86_400 };
    expect(await codeOf(deploy({ deployment: { ...deployment, parameters } }))).to.equal("CHAIN_REVERT");
    expect(chain.sent).to.equal(0);
  });

  it("refuses a node on another chain before it sends anything", async () => {
    expect(await codeOf(deploy({ chainId: 11_155_111 }))).to.equal("CONFIG");
    expect(chain.sent).to.equal(0);
  });

  it("refuses an address book that names a wrong contract, an empty address, or other terms", async () => {
    const book = await deploy();
    const check = (change: Partial<AddressBook>): Promise<string> =>
      messageOf(checkBook({ ...book, ...change }, deployment, chain.provider));
    expect(await check({})).to.equal("accepted");
    expect(await check({ registry: `0x${"11".repeat(20)}` })).to.match(/^There is no contract at registry/);
    expect(await check({ repair: book.challenges })).to.match(/^challenges and repair are one contract/);
    expect(await check({ repair: book.challenges, challenges: book.repair })).to.match(
      /^The contract at challenges does not know registry/,
    );
    expect(await check({ buckets: book.token, token: book.buckets })).to.match(/does not know token/);
    expect(await check({ buckets: book.beacon, beacon: book.buckets })).to.match(/does not know beacon/);
    const parameters = { ...deployment.parameters, periodSeconds: 60 };
    expect(await messageOf(checkBook(book, { ...deployment, parameters }, chain.provider))).to.match(
      /^proofs\.periodSeconds\(\) is 3600 instead of 60/,
    );
  });
});
