/** `ppio oracle start|beacon|status`. */
import { PpioError } from "@ppio/core";
import { connectContracts, createRpc, readAddressBookFile } from "@ppio/daemon";
import { BEACON_OPTIONS, ORACLE_OPTIONS, startBeacon, startOracle } from "@ppio/oracle";
import type { Command } from "commander";
import { devnetPaths } from "../devnet/state.ts";
import { addDaemonOptions, runDaemon } from "./daemons.ts";
import { parseWhole } from "./numbers.ts";
import { runCommand } from "./runtime.ts";

export function addOracleCommands(program: Command): void {
  const oracle = program.command("oracle").description("relay the beacon, report misses, settle");
  addDaemonOptions(oracle.command("start").description("run an oracle until it is stopped"), ORACLE_OPTIONS).action(
    (_flags: unknown, command: Command) => runDaemon(command, "oracle", ORACLE_OPTIONS, startOracle),
  );
  addDaemonOptions(
    oracle.command("beacon").description("run a local drand-compatible beacon; public networks use drand itself"),
    BEACON_OPTIONS,
  ).action((_flags: unknown, command: Command) => runDaemon(command, "beacon", BEACON_OPTIONS, startBeacon));
  oracle
    .command("status")
    .description("beacon and misses of the newest periods")
    .option("--periods <count>", "how many periods", parseWhole("--periods", 1, 1000), 10)
    .action((flags: { readonly periods: number }, command: Command) =>
      runCommand(command, async ({ home, network, output }) => {
        const book = await readAddressBookFile(network ?? devnetPaths(home.devnetDir).addressBook);
        const rpc = createRpc(book.rpcUrl, book.chainId);
        try {
          const { proofs, beacon } = connectContracts(book, rpc);
          const current = Number(await proofs.currentPeriod());
          const periods: { period: number; round: bigint; beacon: string }[] = [];
          for (let period = Math.max(1, current - flags.periods); period < current; period += 1) {
            const round = await proofs.seedRound(period);
            const state = (await proofs.isVoid(period)) ? "void" : (await beacon.isOnTime(round)) ? "on time" : "awaited";
            periods.push({ period, round, beacon: state });
          }
          const misses = await proofs.queryFilter(proofs.filters.PeriodMissed(), book.fromBlock);
          const recent = misses.filter(({ args }) => Number(args.period) >= current - flags.periods);
          const lines = periods.map(({ period, round, beacon: state }) => `period ${period}  round ${round}  ${state}`);
          const missed = recent.map(({ args }) => ({
            providerId: Number(args.providerId),
            period: Number(args.period),
            tier: Number(args.tier),
            slashedWei: args.slashedWei,
          }));
          const text = [...lines, `${recent.length} misses reported in these periods`].join("\n");
          output.result({ currentPeriod: current, periods, misses: missed }, text);
        } catch (error) {
          throw error instanceof PpioError
            ? error
            : new PpioError("CHAIN_UNREACHABLE", `The chain at ${book.rpcUrl} does not answer; start it first.`, { cause: error });
        } finally {
          rpc.destroy();
        }
      }),
    );
}
