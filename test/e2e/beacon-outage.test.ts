/** Three oracles, a provider that is away, and a beacon that is away, on real processes. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { withGasMargin } from "@ppio/core";
import { signatureForEvm } from "@ppio/core/drand";
import { expect } from "chai";
import { getBytes, toQuantity, Wallet } from "ethers";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";
import { type ExtraProcess, spendingOf, startBeside } from "../support/e2e/oracles.ts";

/** Of all gas. One oracle alone wastes none, three that waste 2 % on a quiet machine; more when a machine is so busy that turns collide. */
const WASTE_PERCENT_MAX = 33n;

describe("Three oracles on a devnet", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let fromBlock: number;
  const accounts = new Set<string>();
  const bytes = randomBytes(100_000);
  const oracles: ExtraProcess[] = [];

  before(async () => {
    devnet = await Devnet.start(4);
    for (const name of ["oracle-b", "oracle-c"]) oracles.push(await startBeside(devnet, "oracle", name));
    const { oracleKey } = (await devnet.json()) as unknown as { oracleKey: string };
    for (const address of [new Wallet(oracleKey).address, ...oracles.map((oracle) => oracle.address)]) accounts.add(address.toLowerCase());
    fromBlock = await devnet.rpc.getBlockNumber();
    await writeFile(devnet.path("in"), bytes);
    await devnet.ok("put", devnet.path("in"), "ppio://oracles/x", "--code", "2/4", "--periods", "360");
  });
  after(async () => {
    await Promise.all(oracles.map((oracle) => oracle.stop()));
    await devnet.stop();
  });

  const missed = async () => devnet.contracts.proofs.queryFilter(devnet.contracts.proofs.filters.PeriodMissed(), devnet.book.fromBlock);
  const proofsOf = async (period: number) =>
    (await devnet.contracts.proofs.queryFilter(devnet.contracts.proofs.filters.PeriodProven(undefined, period), devnet.book.fromBlock))
      .length;

  it("report a miss once, and spend together about what one would", async () => {
    const [victim] = (await devnet.json()).providers;
    await devnet.until(async () => (await proofsOf((await devnet.period()) - 1)) === 4);
    process.kill(await devnet.pidOf(victim?.name ?? ""), "SIGKILL");
    const away = await devnet.period();
    await devnet.until(async () => (await missed()).some(({ args }) => Number(args.providerId) === victim?.providerId));
    await devnet.ok("devnet", "restart", victim?.name ?? "");
    await devnet.until(async () => (await devnet.period()) >= away + 3);
    const reports = (await missed()).map(({ args }) => `provider ${args.providerId} in period ${args.period}`);
    expect(new Set(reports).size, "no miss twice").to.equal(reports.length);
    const { beacon } = devnet.contracts;
    await devnet.until(async () => (await beacon.queryFilter(beacon.filters.BeaconSubmitted(), fromBlock)).length > 3);
    const { gas, wastedGas, transactions } = await spendingOf(devnet, accounts, fromBlock, await devnet.rpc.getBlockNumber());
    if (process.env["PPIO_PRINT_GAS"] !== undefined) console.log({ gas, wastedGas, transactions });
    expect(wastedGas * 100n <= gas * WASTE_PERCENT_MAX, `${wastedGas} of ${gas} gas in ${transactions} transactions`).to.equal(true);
    const others = new Set([...accounts].slice(1));
    await devnet.until(async () => (await spendingOf(devnet, others, fromBlock, await devnet.rpc.getBlockNumber())).gas > 0n);
  });

  it("void the periods of a beacon that is away, and nobody is punished for them", async () => {
    const before = (await missed()).length;
    const beacon = await devnet.pidOf("beacon");
    const period = await devnet.until(async () => {
      const current = await devnet.period();
      return (await proofsOf(current - 1)) === 4 && current;
    });
    // It takes connections and never answers: the worst way to be away.
    process.kill(beacon, "SIGSTOP");
    await devnet.until(async () => (await devnet.period()) > period + 2);
    await expectReadable(devnet, "ppio://oracles/x", bytes);
    process.kill(beacon, "SIGCONT");
    const { proofs } = devnet.contracts;
    await devnet.until(async () => (await proofs.isVoid(period)) && (await proofs.isVoid(period + 1)));
    const marked = await devnet.until(async () => {
      const events = await proofs.queryFilter(proofs.filters.PeriodVoided(), fromBlock);
      const periods = events.map(({ args }) => Number(args.period));
      return periods.includes(period) && periods.includes(period + 1) && periods;
    });
    expect(new Set(marked).size, "no period twice").to.equal(marked.length);
    // All prove again: on a busy machine not all in the first period, and for what that costs the beacon is not to blame.
    const after = await devnet.period();
    await devnet.until(async () => {
      const ended = (await devnet.period()) - 1;
      return ended >= after && (await proofsOf(ended)) === 4;
    });
    const missedPeriods = [...new Set((await missed()).slice(before).map(({ args }) => Number(args.period)))];
    const areVoid = await Promise.all(missedPeriods.filter((one) => one >= period).map((one) => proofs.isVoid(one)));
    expect(areVoid).not.to.include(true);
    await expectBooksToBalance(devnet);
  });

  it("show a halt of the chain after the beacon came, and nobody is missed for it", async () => {
    const { proofs, beacon } = devnet.contracts;
    const before = (await missed()).length;
    const wallet = new Wallet(Wallet.createRandom().privateKey, devnet.rpc);
    await devnet.rpc.send("hardhat_setBalance", [wallet.address, toQuantity(10n ** 20n)]);
    // Anybody may bring a round: at once here, so that what is left of the time to prove is more than half of it.
    const relay = async (round: bigint): Promise<void> => {
      const { signature } = (await (await fetch(`${devnet.book.beaconUrl}/public/${round}`)).json()) as { signature: string };
      await beacon.connect(withGasMargin(wallet)).submit(round, signatureForEvm(getBytes(`0x${signature}`)));
    };
    const [absent] = (await devnet.json()).providers;
    const [chain, away] = [await devnet.pidOf("chain"), await devnet.pidOf(absent?.name ?? "")];
    const timeOf = async (number: number | "latest"): Promise<number> => (await devnet.rpc.getBlock(number))?.timestamp ?? 0;
    /** A period that could not be proven for more than half of its time; false when the chain stood still too late for that. */
    const halt = async (): Promise<number | false> => {
      const period = await devnet.until(async () => {
        const current = await devnet.period();
        return (await proofs.isProven(absent?.providerId ?? 0, current - 1)) && current;
      });
      // Who is away does not prove it before the chain stops: for a period that everybody has proven nobody looks for a halt.
      process.kill(away, "SIGSTOP");
      try {
        const [open, close] = (await proofs.periodBounds(period + 1)).map(Number) as [number, number];
        const round = await proofs.seedRound(period);
        await devnet.until(async () => {
          if (BigInt(await timeOf("latest")) < (await beacon.timeOfRound(round))) return false;
          // An oracle may be faster.
          if (!(await beacon.isOnTime(round))) await relay(round).catch(() => undefined);
          return (await beacon.isOnTime(round)) || (await timeOf("latest")) >= close;
        });
        let last = await devnet.rpc.getBlockNumber();
        process.kill(chain, "SIGSTOP");
        // On a halted chain nothing can be awaited but time itself.
        await devnet.until(async () => Date.now() > close * 1000 + 500);
        process.kill(chain, "SIGCONT");
        await devnet.until(async () => (await timeOf("latest")) >= close);
        while ((await timeOf(last + 1)) < close) last += 1;
        return close - Math.max(await timeOf(last), open) > (close - open) / 2 && period;
      } finally {
        process.kill(away, "SIGCONT");
      }
    };
    const period = await devnet.until(halt);
    await devnet.until(async () => (await devnet.period()) >= period + 4);
    expect(await proofs.isVoid(period)).to.equal(true);
    expect((await proofs.queryFilter(proofs.filters.PeriodVoided(period), fromBlock)).length).to.equal(1);
    const during = (await missed()).slice(before).filter(({ args }) => Number(args.period) === period);
    expect(during).to.deep.equal([]);
    await expectReadable(devnet, "ppio://oracles/x", bytes);
    await expectBooksToBalance(devnet);
  });
});
