/** `ppio repair …`: what nobody holds, and how it heals. */
import { connectContracts } from "@ppio/daemon";
import type { Command } from "commander";
import { formatTokens, table } from "../output.ts";
import { type RepairStatus, readRepairStatus } from "../repair/status.ts";
import { refusals, runWithClient } from "./runtime.ts";

export function addRepairCommands(program: Command): void {
  const repair = program.command("repair").description("slots that nobody holds, and how the network heals");
  repair
    .command("status")
    .description("vacant slots of all deals, who repairs them, what was repaired")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { book, rpc }) => {
        const latest = await refusals(() => rpc.getBlockNumber());
        const status = await refusals(() => readRepairStatus(connectContracts(book, rpc), book.fromBlock, latest));
        output.result(status, describeRepairs(status));
      }),
    );
}

function describeRepairs({ vacant, repairedSlots, premiumsWei, repairFundWei }: RepairStatus): string {
  const rows = vacant.map((slot) => [
    slot.dealId,
    String(slot.slotIndex),
    `${slot.held} of ${slot.n}, ${slot.k} needed`,
    String(slot.lastProviderId),
    slot.repairer === "" ? "nobody yet" : `${slot.repairer} until ${new Date(slot.reservedUntil * 1000).toISOString()}`,
  ]);
  const head = ["deal", "slot", "held", "last provider", "repaired by"];
  const fund = `${repairedSlots} slots repaired so far for ${formatTokens(premiumsWei)}; the repair fund holds ${formatTokens(repairFundWei)}`;
  return `${rows.length === 0 ? "every slot is held" : table(head, rows)}\n\n${fund}`;
}
