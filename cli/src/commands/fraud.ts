/** `ppio fraud …`: lies that providers signed, met while reading, and what they cost. */
import type { Command } from "commander";
import { table } from "../output.ts";
import { runWithClient } from "./runtime.ts";

export function addFraudCommands(program: Command): void {
  const fraud = program.command("fraud").description("signed lies of providers that reads have met");
  fraud
    .command("ls")
    .description("list the proofs that are kept here")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { client }) => {
        const lies = await client.lies();
        const rows = lies.map(({ id, providerId, evidence }) => [
          id,
          String(providerId),
          evidence.answer.dealId,
          String(evidence.answer.slotIndex),
          new Date(evidence.answer.servedAt).toISOString(),
        ]);
        output.result({ lies }, rows.length === 0 ? "no lies" : table(["proof", "provider", "deal", "slot", "served"], rows));
      }),
    );
  fraud
    .command("prove")
    .description("take all proofs to the chain: each provider loses its collateral, this wallet earns the finder's part")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const convictions = [];
        for (const lie of await client.lies()) {
          const conviction = await client.convict(lie, signal);
          const { isNew, transactionHash } = conviction;
          convictions.push({ proof: lie.id, providerId: lie.providerId, isNew, transactionHash });
        }
        const said = convictions.map(({ providerId, isNew }) =>
          isNew
            ? `provider ${providerId} lost its collateral and is evicted`
            : `provider ${providerId} was evicted already; the proof is dropped`,
        );
        output.result({ convictions }, said.length === 0 ? "no lies" : said.join("\n"));
      }),
    );
}
