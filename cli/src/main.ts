/** `ppio`: argv to one call. */
import { PpioError } from "@ppio/core";
import { Command, CommanderError } from "commander";
import { addDealCommands } from "./commands/deals.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDevnetCommands } from "./commands/devnet.ts";
import { addObjectCommands } from "./commands/objects.ts";
import { addOracleCommands } from "./commands/oracle.ts";
import { addProviderCommands } from "./commands/providers.ts";
import { addRepairCommands } from "./commands/repair.ts";
import { fail } from "./commands/runtime.ts";
import { addVerifierCommands } from "./commands/verifier.ts";
import { addWalletCommands } from "./commands/wallet.ts";
import { createOutput } from "./output.ts";

const VERSION = "0.1.0";

function createProgram(): Command {
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
  addWalletCommands(program);
  addObjectCommands(program);
  addDealCommands(program);
  addProviderCommands(program);
  addRepairCommands(program);
  addOracleCommands(program);
  addVerifierCommands(program);
  addDevnetCommands(program);
  addDemoCommand(program);
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
  await createProgram().parseAsync(argv);
} catch (error) {
  const failure = toFailure(error);
  if (failure !== undefined) fail(failure, createOutput(argv.includes("--json"), process.stdout, process.stderr));
}
