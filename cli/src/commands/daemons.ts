/** Options of a daemon's table as flags of its command, and running it until it is stopped. */
import { PpioError } from "@ppio/core";
import {
  type ConfigOf,
  createLogger,
  flagName,
  type Lifecycle,
  LOG_LEVELS,
  type Logger,
  type LogLevel,
  type OptionTable,
  resolveConfig,
  runUntilStopped,
} from "@ppio/daemon";
import type { Command } from "commander";
import { createOutput } from "../output.ts";
import { fail } from "./runtime.ts";

/** Adds a flag per option of the table, and `--config FILE`. */
export function addDaemonOptions(command: Command, table: OptionTable): Command {
  for (const [key, { help, default: fallback, secret }] of Object.entries(table)) {
    const shown = fallback === undefined || secret === true ? help : `${help} (default: ${fallback === "" ? "none" : fallback})`;
    command.option(`--${flagName(key)} <value>`, shown);
  }
  return command.option("--config <file>", "JSON file with these settings; flags and PPIO_… variables come first");
}

/** The settings that the command, the environment and the file give. @throws USAGE, CONFIG */
export function readDaemonConfig<const T extends OptionTable>(command: Command, table: T): Promise<ConfigOf<T>> {
  const { config: file, ...flags } = command.optsWithGlobals<Record<string, unknown> & { readonly config?: string }>();
  return resolveConfig(table, { flags, environment: process.env, ...(file === undefined ? {} : { file }) });
}

/** Runs `start` with the resolved settings until a signal comes; the exit status says how it ended. */
export async function runDaemon<const T extends OptionTable>(
  command: Command,
  component: string,
  table: T,
  start: (config: ConfigOf<T>, lifecycle: Lifecycle, log: Logger) => Promise<unknown>,
): Promise<void> {
  let config: ConfigOf<T>;
  let log: Logger;
  try {
    config = await readDaemonConfig(command, table);
    log = createLogger({ component, level: parseLevel((config as Readonly<Record<string, unknown>>)["logLevel"]) });
  } catch (error) {
    fail(error, createOutput(false, process.stdout, process.stderr));
    return;
  }
  await runUntilStopped(log, async (lifecycle) => void (await start(config, lifecycle, log)));
}

function parseLevel(value: unknown): LogLevel {
  const level = LOG_LEVELS.find((candidate) => candidate === value);
  if (level === undefined) throw new PpioError("CONFIG", `"logLevel" is "${value}", but must be one of ${LOG_LEVELS.join(", ")}.`);
  return level;
}
