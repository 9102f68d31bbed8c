/** A provider's whole life on real processes: set up, started, killed while it leaves, gone with all of its collateral. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { parseEther } from "ethers";
import { Devnet, LAUNCHER } from "../support/e2e/devnet.ts";
import { expectBooksToBalance } from "../support/e2e/kept.ts";
import { freePort } from "../support/ports.ts";

const ACTIVE = 1n;
const COLLATERAL_WEI = parseEther("500");

interface InitJson {
  readonly providerId: number;
  readonly operator: string;
  readonly file: string;
}

interface StatusJson {
  readonly slots: number;
  readonly provenPeriods: number;
  readonly missedPeriods: number;
  readonly earnedWei: string;
  readonly slashedWei: string;
  readonly exit: { readonly moved: number; readonly remaining: number | null };
}

describe("A provider that comes and leaves", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  const running: ChildProcess[] = [];
  const objects = ["a", "b", "c"].map((name) => ({ name, bytes: randomBytes(700_000) }));
  let leaver: InitJson;
  /** Period whose proof was due when the leaver was killed. */
  let dueAtKill: number;

  before(async () => {
    devnet = await Devnet.start(3);
  });
  after(async () => {
    const alive = running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = alive.map((child) => once(child, "exit"));
    for (const child of alive) child.kill("SIGKILL");
    await Promise.all(ended);
    await devnet.stop();
  });

  async function init(folder: string): Promise<InitJson> {
    const port = await freePort();
    const args = [
      "--endpoint",
      `http://127.0.0.1:${port}`,
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--capacity-bytes",
      "1000000000",
    ];
    return devnet.ok<InitJson>("provider", "init", "--data-dir", devnet.path(folder), ...args, "--collateral", "500");
  }

  /** Runs `ppio provider start` until it answers. */
  async function start({ file }: InitJson): Promise<ChildProcess> {
    const child = spawn(process.execPath, [LAUNCHER, "provider", "start", "--config", file], { stdio: "ignore" });
    running.push(child);
    const { port } = JSON.parse(await readFile(file, "utf8")) as { port: number };
    await devnet.until(async () => (await fetch(`http://127.0.0.1:${port}/v1/ready`).catch(() => undefined))?.ok);
    return child;
  }

  /** The provider answers though it is not ready: it takes nothing while it leaves. */
  async function restart({ file }: InitJson): Promise<void> {
    running.push(spawn(process.execPath, [LAUNCHER, "provider", "start", "--config", file], { stdio: "ignore" }));
    const { port } = JSON.parse(await readFile(file, "utf8")) as { port: number };
    await devnet.until(async () => (await fetch(`http://127.0.0.1:${port}/v1/health`).catch(() => undefined))?.ok);
    expect((await fetch(`http://127.0.0.1:${port}/v1/ready`)).status).to.equal(503);
  }

  const status = (folder: string): Promise<StatusJson> => devnet.ok<StatusJson>("provider", "status", "--data-dir", devnet.path(folder));
  const handedOver = async (): Promise<number> => {
    const { market } = devnet.contracts;
    return (await market.queryFilter(market.filters.SlotHandedOver(undefined, undefined, leaver.providerId), devnet.book.fromBlock)).length;
  };

  async function readAll(): Promise<void> {
    for (const { name, bytes } of objects) {
      await devnet.ok("get", `ppio://stay/${name}`, devnet.path("out"), "--force");
      expect((await readFile(devnet.path("out"))).equals(bytes), name).to.equal(true);
    }
  }

  it("is set up by one command, which goes on where it was interrupted, and keeps the key to itself", async () => {
    leaver = await init("leaver");
    expect((await stat(leaver.file)).mode & 0o777).to.equal(0o600);
    const again = await init("leaver");
    expect([again.providerId, again.operator]).to.deep.equal([leaver.providerId, leaver.operator]);
    const record = await devnet.contracts.registry.getProvider(leaver.providerId);
    expect([record.operator, record.collateralWei]).to.deep.equal([leaver.operator, COLLATERAL_WEI]);
  });

  it("takes slots and proves them, and says so to its operator alone", async () => {
    const { port } = JSON.parse(await readFile(leaver.file, "utf8")) as { port: number };
    expect(port).to.be.greaterThan(0);
    await start(leaver);
    for (const { name, bytes } of objects) {
      await writeFile(devnet.path("in"), bytes);
      await devnet.ok("put", devnet.path("in"), `ppio://stay/${name}`, "--code", "2/4", "--periods", "300");
    }
    await devnet.until(async () => (await status("leaver")).provenPeriods > 0);
    const { url, token } = JSON.parse(await readFile(devnet.path("leaver", "control.json"), "utf8")) as { url: string; token: string };
    expect((await fetch(url)).status).to.equal(401);
    const page = await fetch(url, { headers: { authorization: `Basic ${Buffer.from(`me:${token}`).toString("base64")}` } });
    expect(page.headers.get("content-security-policy")).to.include("default-src 'none'");
    expect(await page.text()).to.include(`<h1>Provider ${leaver.providerId}</h1>`);
    const foreign = await fetch(`${url}/exit`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
    expect(foreign.status, "a command without its header").to.equal(403);
  });

  it("moves its slots to others, also when it is killed on the way, while every object stays readable", async () => {
    const held = (await status("leaver")).slots;
    expect(held).to.be.greaterThan(objects.length - 1);
    const taker = await init("taker");
    const tight = await devnet.run("provider", "exit", "--data-dir", devnet.path("leaver"), "--deadline", "1");
    expect(tight.status, "a deadline ends the waiting").to.equal(20);
    await start(taker);
    await devnet.until(async () => (await handedOver()) > 0);
    const child = running[0];
    if (child === undefined) throw new Error("the leaver does not run");
    dueAtKill = (await devnet.period()) - 1;
    child.kill("SIGKILL");
    await once(child, "exit");
    await restart(leaver);
    await readAll();
    await devnet.until(async () => (await status("leaver")).exit.remaining === 0);
    await readAll();
    expect(await handedOver()).to.be.at.least(objects.length);
    const { market } = devnet.contracts;
    for (const { args } of await market.queryFilter(market.filters.DealOpened(), devnet.book.fromBlock)) {
      if ((await market.deal(args.dealId)).status !== ACTIVE) continue;
      const holders = (await market.slots(args.dealId)).map((slot) => Number(slot.providerId));
      expect(holders).to.not.include(leaver.providerId);
    }
  });

  it("has lost nothing, was paid through its last period, and gets all of its collateral back", async () => {
    const { registry, token, market, proofs } = devnet.contracts;
    await devnet.until(async () => (await registry.getProvider(leaver.providerId)).lockedWei === 0n);
    const misses = await proofs.queryFilter(proofs.filters.PeriodMissed(leaver.providerId), devnet.book.fromBlock);
    // On a busy machine it may have been late before as well: the first one costs nothing, and no other costs more than its share.
    const afterKill = misses.filter(({ args }) => Number(args.period) >= dueAtKill);
    expect(afterKill.length, "the kill may have cost a period").to.be.at.most(1);
    expect(misses[0]?.args.slashedWei ?? 0n).to.equal(0n);
    const lostWei = misses.reduce((sum, { args }) => sum + args.slashedWei, 0n);
    const { earnedWei, slashedWei } = await status("leaver");
    expect([BigInt(earnedWei) > 0n, slashedWei]).to.deep.equal([true, String(lostWei)]);
    const { owner } = await registry.getProvider(leaver.providerId);
    const first = await devnet.run("provider", "exit", "--data-dir", devnet.path("leaver"), "--deadline", "2");
    expect([first.status, first.stderr]).to.satisfy(([code, text]: [number, string]) => code === 20 && text.includes("may be taken from"));
    // It owns the deals too: what others miss may be refunded to it at any time.
    const paidOut = await market.queryFilter(market.filters.Withdrawn(owner), devnet.book.fromBlock);
    expect(paidOut.reduce((sum, { args }) => sum + args.amountWei, 0n) >= BigInt(earnedWei), "what was earned is paid out").to.equal(true);
    const before = await token.balanceOf(owner);
    await devnet.rpc.send("evm_increaseTime", [600]);
    const left = await devnet.ok<{ collateralWei: string; payWei: string }>("provider", "exit", "--data-dir", devnet.path("leaver"));
    expect(left.collateralWei).to.equal(String(COLLATERAL_WEI - lostWei));
    expect((await registry.getProvider(leaver.providerId)).collateralWei).to.equal(0n);
    expect((await token.balanceOf(owner)) - before).to.equal(COLLATERAL_WEI - lostWei + BigInt(left.payWei));
    await expectBooksToBalance(devnet);
  });
});
