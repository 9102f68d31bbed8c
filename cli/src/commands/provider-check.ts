/** `ppio provider check`: can customers reach this provider, and what is to be done when they cannot. */
import { ERROR_CODES } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { checkProvider, type Finding, PROVIDER_OPTIONS, problemsOf, type ReachReport } from "@ppio/provider";
import type { Command } from "commander";
import { addDaemonOptions, readDaemonConfig } from "./daemons.ts";
import { runCommand } from "./runtime.ts";

const MARKS: Readonly<Record<Finding["level"], string>> = { ok: "ok     ", hint: "hint   ", problem: "PROBLEM" };

export function addProviderCheck(provider: Command): void {
  const check = provider.command("check").description("whether customers can reach this machine's provider; takes the settings of start");
  addDaemonOptions(check, PROVIDER_OPTIONS).action((_flags: unknown, command: Command) =>
    runCommand(command, async ({ output, signal, logLevel }) => {
      const config = await readDaemonConfig(command, PROVIDER_OPTIONS);
      const report = await checkProvider(config, createLogger({ component: "check", level: logLevel }), signal);
      output.result({ ...report }, describeReport(report));
      // For scripts: what was found is the result, and not well.
      if (problemsOf(report).length > 0) process.exitCode = ERROR_CODES.NETWORK.exit;
    }),
  );
}

function describeReport({ providerId, endpoint, findings }: ReachReport): string {
  const lines = findings.map(({ level, code, message }) => `${MARKS[level]}  ${message} [${code}]`);
  return [`provider ${providerId} at ${endpoint}`, ...lines].join("\n");
}
