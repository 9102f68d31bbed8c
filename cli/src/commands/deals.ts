/** `ppio deal ls|show|verify|repair|end`: what the chain knows about storage. */
import type { DealVerification, DealView, SlotVerification } from "@ppio/client";
import { PpioError, slotBytes } from "@ppio/core";
import type { Command } from "commander";
import { isHexString } from "ethers";
import type { OpenedClient } from "../client/open-client.ts";
import { formatBytes, formatTokens, table } from "../output.ts";
import { parseAddress, parseWhole } from "./numbers.ts";
import { type Runtime, runWithClient } from "./runtime.ts";

function parseDealId(text: string): string {
  if (isHexString(text, 32)) return text.toLowerCase();
  throw new PpioError("USAGE", `"${text}" is no deal id; it has 0x and 64 hex digits ("ppio deal ls" lists them).`);
}

export function addDealCommands(program: Command): void {
  const deal = program.command("deal").description("deals on the chain");
  deal
    .command("ls")
    .description("list deals")
    .option("--owner <address>", "whose; yours without it", parseAddress("--owner"))
    .option("--all", "ended ones too")
    .action((flags: { readonly owner?: string; readonly all?: boolean }, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const every = await client.listDeals(flags.owner, signal);
        const deals = flags.all === true ? every : every.filter(({ status }) => status === "Active");
        const rows = deals.map((d) => [
          d.dealId,
          d.status,
          `${d.k}/${d.n}`,
          String(d.openSlots),
          `${d.start}-${d.end}`,
          formatTokens(d.escrowWei),
        ]);
        const text = rows.length === 0 ? "no deals" : table(["deal", "status", "code", "slots", "periods", "escrow"], rows);
        output.result({ deals }, text);
      }),
    );
  deal
    .command("show")
    .description("a deal, its slots and who holds them")
    .argument("<deal>", "deal id")
    .action((id: string, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const view = await client.deal(parseDealId(id), signal);
        output.result(jsonDeal(view), describeDeal(view));
      }),
    );
  deal
    .command("verify")
    .description("check the proofs of a deal's slots again, from what is on the chain")
    .argument("<deal>", "deal id")
    .option("--periods <count>", "how many of the newest periods", parseWhole("--periods", 1, 100_000), 30)
    .action((id: string, flags: { readonly periods: number }, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const verification = await client.verifyDeal({ dealId: parseDealId(id), periodsMax: flags.periods, signal });
        output.result(verification, describeVerification(verification));
        const problem = verification.slots.flatMap(({ problems }) => problems)[0];
        if (problem !== undefined) throw new PpioError("CORRUPT", `The chain accepted a proof that does not hold: ${problem}.`);
      }),
    );
  deal
    .command("repair")
    .description("rebuild lost slots on other providers")
    .argument("<deal>", "deal id")
    .action((id: string, _flags: unknown, command: Command) =>
      runWithClient(command, (runtime, opened) => repair(runtime, opened, parseDealId(id))),
    );
  deal
    .command("end")
    .description("end a deal early; what it has not used goes back to the payer")
    .argument("<deal>", "deal id")
    .action((id: string, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const ended = await client.terminateDeal(parseDealId(id), signal);
        output.result({ dealId: id, ended }, ended ? `ended ${id}` : `${id} had ended already`);
      }),
    );
}

async function repair({ output, signal, progress }: Runtime, { client }: OpenedClient, dealId: string): Promise<void> {
  const bar = progress();
  try {
    const result = await client.repairDeal({ dealId, onProgress: (sent, total) => bar.update(sent, total, "repairing"), signal });
    bar.end();
    const rows = result.repaired.map((slot) => [String(slot.slotIndex), String(slot.fromProviderId), String(slot.toProviderId)]);
    const text = rows.length === 0 ? "nothing to repair" : table(["slot", "from provider", "to provider"], rows);
    output.result(result, text);
  } finally {
    bar.end();
  }
}

/** Bytes as hex, for JSON. */
function jsonDeal(view: DealView): unknown {
  return { ...view, slots: view.slots.map((slot) => ({ ...slot, root: `0x${Buffer.from(slot.root).toString("hex")}` })) };
}

export function describeDeal(view: DealView): string {
  const { header, slots } = view;
  const lines = [
    `deal      ${view.dealId}`,
    `status    ${view.status}, periods ${view.start} to ${view.end}`,
    `owner     ${view.owner}${view.payer === view.owner ? "" : `, paid by ${view.payer}`}`,
    `code      ${view.k}/${view.n}, ${header.rows} rows of ${formatBytes(header.cellBytes)} cells, ${formatBytes(slotBytes(header))} per slot`,
    "",
  ];
  const rows = slots.map((slot) => [
    String(slot.slotIndex),
    slot.status,
    String(slot.provider.providerId),
    formatTokens(slot.payPerPeriodWei),
    formatTokens(slot.collateralWei),
    String(slot.fromPeriod),
    `${Buffer.from(slot.root).toString("hex").slice(0, 16)}…`,
  ]);
  return lines.join("\n") + table(["slot", "status", "provider", "pay per period", "collateral", "from", "root"], rows);
}

export function describeVerification(verification: DealVerification): string {
  const rows = verification.slots.map((slot: SlotVerification) => [
    String(slot.slotIndex),
    slot.status,
    String(slot.providerId),
    String(slot.proven),
    String(slot.missed),
    String(slot.void),
    String(slot.samplesVerified),
    slot.lossUnseenProbability.toExponential(1),
  ]);
  const head = ["slot", "status", "provider", "proven", "missed", "void", "samples", "loss unseen"];
  const { healthySlots, n, k, currentPeriod } = verification;
  return `${table(head, rows)}\n\n${healthySlots} of ${n} slots are healthy in period ${currentPeriod}; any ${k} recover the data.`;
}
