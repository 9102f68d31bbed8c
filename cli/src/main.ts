/** `ppio`: argv to one call. */
import { PpioError } from "@ppio/core";
import { Command, CommanderError } from "commander";
import { fail } from "./commands/runtime.ts";
import { createOutput } from "./output.ts";

const VERSION = "0.1.0";

interface CommandGroup {
  readonly words: readonly string[];
  add(program: Command): Promise<void>;
}

/** In the order of the help. */
const GROUPS: readonly CommandGroup[] = [
  {
    words: ["init", "wallet", "faucet", "withdraw"],
    add: async (program) => (await import("./commands/wallet.ts")).addWalletCommands(program),
  },
  {
    words: ["put", "get", "ls", "stat", "rm", "resume"],
    add: async (program) => (await import("./commands/objects.ts")).addObjectCommands(program),
  },
  { words: ["deal"], add: async (program) => (await import("./commands/deals.ts")).addDealCommands(program) },
  { words: ["bandwidth"], add: async (program) => (await import("./commands/bandwidth.ts")).addBandwidthCommands(program) },
  { words: ["provider"], add: async (program) => (await import("./commands/providers.ts")).addProviderCommands(program) },
  { words: ["repair"], add: async (program) => (await import("./commands/repair.ts")).addRepairCommands(program) },
  { words: ["fraud"], add: async (program) => (await import("./commands/fraud.ts")).addFraudCommands(program) },
  { words: ["oracle"], add: async (program) => (await import("./commands/oracle.ts")).addOracleCommands(program) },
  { words: ["verifier"], add: async (program) => (await import("./commands/verifier.ts")).addVerifierCommands(program) },
  { words: ["devnet"], add: async (program) => (await import("./commands/devnet.ts")).addDevnetCommands(program) },
  { words: ["demo"], add: async (program) => (await import("./commands/demo.ts")).addDemoCommand(program) },
];

/** Groups that a command line can mean; all of them for help. The others are not loaded: together they take as much memory as Node does. */
function groupsFor(args: readonly string[]): readonly CommandGroup[] {
  const named = GROUPS.filter(({ words }) => words.some((word) => args.includes(word)));
  return named.length === 0 || ["help", "--help", "-h"].some((word) => args.includes(word)) ? GROUPS : named;
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("ppio")
    .description("Private, decentralised storage: sealed here, spread over many, proven on the chain.")
    .version(VERSION)
    .option("--home <folder>", "wallet, bucket heads and devnet (PPIO_HOME; default: .ppio here)")
    .option("--network <file>", "address book of the network (PPIO_NETWORK; default: the wallet's)")
    .option("--json", "one JSON document on standard output, nothing else there")
    .option("-v, --verbose", "log to standard error")
    .showHelpAfterError(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  for (const group of groupsFor(args)) await group.add(program);
  return program;
}

/** Help and version are no failures; everything else that commander complains about is wrong usage. */
function toFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) return undefined;
  if (error.code === "commander.help") return new PpioError("USAGE", 'Name a command; "ppio help" shows what there is.', { cause: error });
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\s+/g, " ")
    .replace(/\.?$/, "");
  return new PpioError("USAGE", `${text.charAt(0).toUpperCase()}${text.slice(1)}; "ppio help" shows what there is.`, { cause: error });
}

// A reader that goes away (`ppio … | head -1`) ends the talking, not the work.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const argv = process.argv;
try {
  const program = await createProgram(argv.slice(2));
  await program.parseAsync(argv);
} catch (error) {
  const failure = toFailure(error);
  if (failure !== undefined) fail(failure, createOutput(argv.includes("--json"), process.stdout, process.stderr));
}
