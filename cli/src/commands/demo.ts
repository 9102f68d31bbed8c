/** `ppio demo`: what `npm start` shows. */
import type { Command } from "commander";
import { runDemo } from "../demo/demo.ts";
import { runCommand } from "./runtime.ts";

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("store a file on a network of real processes, kill providers, watch the chain, repair, read back")
    .option("--file <path>", "store this file instead of a random one")
    .option("--exit", "end when all is shown; without it the network stays up until Ctrl-C")
    .action((flags: { readonly file?: string; readonly exit?: boolean }, command: Command) =>
      runCommand(
        command,
        (runtime) => runDemo(runtime, { exit: flags.exit === true, ...(flags.file === undefined ? {} : { file: flags.file }) }),
        { endsItself: true },
      ),
    );
}
