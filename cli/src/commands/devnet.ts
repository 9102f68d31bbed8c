/** `ppio devnet up|status|down`: a whole network on this machine. */
import type { Command } from "commander";
import { devnetDown } from "../devnet/down.ts";
import { devnetRestart } from "../devnet/restart.ts";
import { devnetPaths } from "../devnet/state.ts";
import { devnetStatus } from "../devnet/status.ts";
import { devnetUp, devnetWipe, PROVIDERS_MAX, VERIFIERS_MAX } from "../devnet/up.ts";
import { table } from "../output.ts";
import { parseWhole } from "./numbers.ts";
import { type Runtime, runCommand } from "./runtime.ts";

interface UpFlags {
  readonly providers: number;
  readonly capacityBytes: number;
  readonly verifiers: number;
  readonly periodSeconds: number;
}

export function addDevnetCommands(program: Command): void {
  const devnet = program.command("devnet").description("a whole network on this machine, for trying and testing");
  devnet
    .command("up")
    .description("start chain, contracts, beacon, oracle and providers; goes on where the last one stopped")
    .option("--providers <count>", "how many", parseWhole("--providers", 2, PROVIDERS_MAX), 10)
    .option("--capacity-bytes <bytes>", "space of each", parseWhole("--capacity-bytes", 1), 107_374_182_400)
    .option("--verifiers <count>", "how many, with canary objects; 0, or 4 and more", parseWhole("--verifiers", 0, VERIFIERS_MAX), 0)
    .option("--period-seconds <seconds>", "length of a period of a new devnet", parseWhole("--period-seconds", 10, 3_600), 10)
    .action((flags: UpFlags, command: Command) => runCommand(command, (runtime) => up(runtime, flags), { endsItself: true }));
  devnet
    .command("status")
    .description("what runs")
    .action((_flags: unknown, command: Command) =>
      runCommand(command, async ({ home, output }) => {
        const status = await devnetStatus(devnetPaths(home.devnetDir));
        const rows = status.processes.map(({ name, pid, running, url }) => [name, String(pid), running ? "running" : "stopped", url]);
        const chain =
          status.chain === undefined ? "the chain does not answer" : `block ${status.chain.block}, period ${status.chain.period}`;
        const list = rows.length === 0 ? "nothing runs" : table(["process", "pid", "state", "address"], rows);
        output.result({ ...status, chain: status.chain ?? null }, `${list}\n\n${chain}`);
      }),
    );
  devnet
    .command("restart")
    .description("start one process anew, also one that was killed")
    .argument("<process>", 'its name in "ppio devnet status"')
    .action((name: string, _flags: unknown, command: Command) =>
      runCommand(command, async ({ home, output }) => {
        const { pid } = await devnetRestart(devnetPaths(home.devnetDir), name);
        output.result({ name, pid }, `${name} runs again as process ${pid}`);
      }),
    );
  devnet
    .command("down")
    .description("stop all of it; the data stays")
    .option("--wipe", "remove the data too")
    .action((flags: { readonly wipe?: boolean }, command: Command) =>
      runCommand(command, async ({ home, output }) => {
        const paths = devnetPaths(home.devnetDir);
        const stopped = await devnetDown(paths);
        if (flags.wipe === true) await devnetWipe(paths);
        output.result(
          { stopped, wiped: flags.wipe === true },
          stopped.length === 0 ? "nothing was running" : `stopped ${stopped.length} processes`,
        );
      }),
    );
}

async function up({ home, output, signal }: Runtime, flags: UpFlags): Promise<void> {
  const paths = devnetPaths(home.devnetDir);
  const { book, state, isNew } = await devnetUp({ paths, ...flags, note: output.note, signal });
  const text = [
    `${isNew ? "new" : "kept"} devnet in ${paths.dir}`,
    `chain      ${book.rpcUrl} (id ${book.chainId})`,
    `beacon     ${book.beaconUrl}`,
    `providers  ${state.providers.length}`,
    ...(state.verifiers.length === 0 ? [] : [`verifiers  ${state.verifiers.length}`]),
    `network    ${paths.addressBook}`,
    "",
    'next: "ppio init" makes a wallet with test money, then "ppio put FILE ppio://bucket/key"',
  ];
  const processes = state.processes.map(({ name, pid }) => ({ name, pid }));
  output.result({ dir: paths.dir, isNew, network: paths.addressBook, book, processes }, text.join("\n"));
}
