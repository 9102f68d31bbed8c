/** What every command shares: global options, one way to end well, one way to fail. */
import { ERROR_CODES, explainRevert, toPpioError } from "@ppio/core";
import type { LogLevel } from "@ppio/daemon/log";
import { onStopSignals } from "@ppio/daemon/stop-signals";
import type { Command } from "commander";
import type { OpenedClient } from "../client/open-client.ts";
import { type Home, openHome } from "../home.ts";
import { createOutput, type Output } from "../output.ts";
import { createProgressBar, type ProgressBar } from "../progress.ts";

export interface GlobalOptions {
  readonly home?: string;
  readonly network?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export interface Runtime {
  readonly home: Home;
  readonly network: string | undefined;
  readonly output: Output;
  readonly logLevel: LogLevel;
  /** Aborted by Ctrl-C, by a polite end, and when the terminal goes away. */
  readonly signal: AbortSignal;
  progress(): ProgressBar;
}

export interface RunOptions {
  /** A second signal does not end the command: it has started processes, and ends only when they have. */
  readonly endsItself?: boolean;
}

/** Runs a command's body; a failure is one sentence on standard error and the code's exit status. */
export async function runCommand(
  command: Command,
  body: (runtime: Runtime) => Promise<void>,
  { endsItself = false }: RunOptions = {},
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const output = createOutput(options.json === true, process.stdout, process.stderr);
  const controller = new AbortController();
  const stopListening = onStopSignals({
    onFirst: () => controller.abort(),
    onAgain: () => {
      if (!endsItself) process.exit(ERROR_CODES.CANCELLED.exit);
      output.note("still stopping; nothing is left behind when this ends by itself");
    },
  });
  try {
    await body({
      home: openHome(options.home),
      network: options.network ?? process.env["PPIO_NETWORK"],
      output,
      logLevel: options.verbose === true ? "debug" : "error",
      signal: controller.signal,
      progress: () => createProgressBar(process.stderr, !output.json),
    });
  } catch (error) {
    fail(error, output);
  } finally {
    stopListening();
  }
}

/** Says what went wrong and sets the exit status. */
export function fail(error: unknown, output: Output): void {
  const { code, message, details } = toPpioError(error);
  output.failure(message, { error: { code, message, details } });
  process.exitCode = ERROR_CODES[code].exit;
}

/** `runCommand` with a client that is closed afterwards. */
export function runWithClient(command: Command, body: (runtime: Runtime, opened: OpenedClient) => Promise<void>): Promise<void> {
  return runCommand(command, async (runtime) => {
    const { home, network, logLevel } = runtime;
    // Daemons share this file and need no client.
    const { openClient } = await import("../client/open-client.ts");
    const opened = await openClient({ home, logLevel, ...(network === undefined ? {} : { network }) });
    try {
      await body(runtime, opened);
    } finally {
      opened.close();
    }
  });
}

/** Sends or reads on the chain; a contract's refusal becomes its sentence. */
export async function refusals<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explainRevert(error) ?? error;
  }
}
