/**
 * What Ignition's journal lacks after an interruption. Ignition writes "about to send" before a transaction and "sent" after it; when a
 * run dies in between it asks for help by hand. Here the chain answers: either the nonce was never used, then the intent is taken back
 * (the same nonce is used again, so at most one of the two can ever be mined), or it was, then the transaction is looked up.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type EIP1193Provider, trackTransaction } from "@nomicfoundation/ignition-core";
import { PpioError } from "@ppio/core";
import { atomicWriteFile } from "@ppio/daemon";

interface Message {
  readonly type: string;
  readonly futureId?: string;
  readonly networkInteractionId?: number;
  readonly nonce?: number;
  readonly from?: string;
  readonly receipt?: { readonly blockNumber: number };
}

interface RpcBlock {
  readonly transactions: readonly { readonly hash: string; readonly from: string; readonly nonce: string }[];
}

/** Blocks searched backwards for a transaction whose hash was lost: an hour or more on any chain. */
const SEARCH_BLOCKS_MAX = 2_000;

const journalOf = (deploymentDir: string): string => join(deploymentDir, "journal.jsonl");

async function readLines(deploymentDir: string): Promise<string[]> {
  const file = journalOf(deploymentDir);
  if (!existsSync(file)) return [];
  return (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
}

function parse(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return undefined;
  }
}

/** Block of the deployment's first transaction; undefined before one is confirmed. */
export async function firstBlockOf(deploymentDir: string): Promise<number | undefined> {
  const blocks = (await readLines(deploymentDir)).map((line) => parse(line)?.receipt?.blockNumber).filter((block) => block !== undefined);
  return blocks.length === 0 ? undefined : Math.min(...blocks);
}

/** Makes an interrupted deployment one that Ignition goes on with. Nothing happens to one that is whole. */
export async function mendJournal(deploymentDir: string, provider: EIP1193Provider, confirmations: number): Promise<void> {
  let lines = await readLines(deploymentDir);
  // The write of the last line may have been cut off.
  const last = lines.at(-1);
  if (last !== undefined && parse(last) === undefined) {
    lines = lines.slice(0, -1);
    await writeLines(deploymentDir, lines);
  }
  for (const { line, message, from } of unfinished(lines)) {
    const nonce = message.nonce ?? 0;
    const count = Number(await provider.request({ method: "eth_getTransactionCount", params: [from, "pending"] }));
    if (count <= nonce) {
      lines = lines.filter((each) => each !== line);
      await writeLines(deploymentDir, lines);
    } else {
      await trackTransaction(deploymentDir, await findTransaction(provider, from, nonce), provider, confirmations);
    }
  }
}

function unfinished(lines: readonly string[]): { line: string; message: Message; from: string }[] {
  const key = ({ futureId, networkInteractionId }: Message): string => `${futureId}#${networkInteractionId}`;
  const senders = new Map<string, string>();
  const open = new Map<string, { line: string; message: Message; from: string }>();
  for (const line of lines) {
    const message = parse(line);
    if (message === undefined) throw new PpioError("CORRUPT", "The deployment's journal is damaged; restore it from a copy.");
    if (message.from !== undefined) senders.set(message.futureId ?? "", message.from);
    if (message.type === "TRANSACTION_PREPARE_SEND") {
      open.set(key(message), { line, message, from: senders.get(message.futureId ?? "") ?? "" });
    }
    if (message.type === "TRANSACTION_SEND") open.delete(key(message));
  }
  return [...open.values()];
}

async function findTransaction(provider: EIP1193Provider, from: string, nonce: number): Promise<string> {
  const newest = Number(await provider.request({ method: "eth_blockNumber" }));
  const tags = [
    "pending",
    ...Array.from({ length: Math.min(newest + 1, SEARCH_BLOCKS_MAX) }, (_, back) => `0x${(newest - back).toString(16)}`),
  ];
  for (const tag of tags) {
    const block = (await provider.request({ method: "eth_getBlockByNumber", params: [tag, true] })) as RpcBlock | null;
    const found = block?.transactions.find((each) => each.from.toLowerCase() === from.toLowerCase() && Number(each.nonce) === nonce);
    if (found !== undefined) return found.hash;
  }
  throw new PpioError(
    "NOT_FOUND",
    `${from} has used nonce ${nonce} for a transaction that the journal does not know; find its hash in a block explorer and give it to "npx hardhat ignition track-tx".`,
  );
}

/** Ignition's journal begins every line with a line feed. */
async function writeLines(deploymentDir: string, lines: readonly string[]): Promise<void> {
  await atomicWriteFile(journalOf(deploymentDir), lines.map((line) => `\n${line}`).join(""));
}
