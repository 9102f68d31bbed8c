/** `npm start`: the whole story on a real network of processes. */
import { resolve } from "node:path";
import { PpioError } from "@ppio/core";
import { pause } from "@ppio/daemon";
import { openSource } from "../client/files.ts";
import { describeDeal, describeVerification } from "../commands/deals.ts";
import type { Runtime } from "../commands/runtime.ts";
import { openHome } from "../home.ts";
import { formatBytes, formatTokens, table } from "../output.ts";
import {
  killProviders,
  makeSampleFile,
  type Penalties,
  readBack,
  type Stage,
  type StoredFile,
  storeFile,
  waitForProofs,
  watchHealing,
  watchPenalties,
} from "./acts.ts";
import { type Audit, auditMarket } from "./audit.ts";
import { type DemoNetwork, startDemoNetwork, stopDemoNetwork } from "./network.ts";

const KILLED = 2;
const PERIODS_WATCHED = 2;

export interface DemoOptions {
  readonly file?: string;
  /** End when the story is told, instead of leaving the network up until Ctrl-C. */
  readonly exit: boolean;
}

export interface DemoSummary {
  readonly file: string;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly dealId: string;
  readonly putSeconds: number;
  readonly getSeconds: number;
  readonly provenPeriods: readonly number[];
  readonly penalties: Penalties;
  readonly repairedSlots: number;
  readonly sha256: string;
  readonly hashesMatch: boolean;
  readonly audit: Audit;
  readonly seconds: number;
}

export async function runDemo(runtime: Runtime, options: DemoOptions): Promise<void> {
  const { output, signal } = runtime;
  // A folder of its own: the user's devnet and wallet are not touched.
  const home = openHome(resolve(runtime.home.dir, "demo"));
  const say = output.note;
  const started = Date.now();
  // Told before anything is started.
  if (options.file !== undefined) await (await openSource(options.file)).close();
  say("1. A network on this machine: chain, contracts, beacon, oracle, 10 providers");
  const network = await startDemoNetwork(home, (line) => say(`  ${line}`), signal);
  try {
    const summary = await tell({ network, say, signal }, options, started);
    output.result(summary, describeSummary(summary));
    if (!summary.hashesMatch || summary.audit.differenceWei !== 0n)
      throw new PpioError("CORRUPT", "The demonstration failed: see the summary.");
    if (!options.exit) await stayUp(runtime, network);
  } finally {
    network.opened.close();
    say("stopping the network");
    await stopDemoNetwork(home);
  }
}

async function tell(stage: Stage, options: DemoOptions, started: number): Promise<DemoSummary> {
  const { network, say } = stage;
  const { client } = network.opened;
  const path = options.file ?? (await makeSampleFile(network.home.dir));

  say(`\n2. Store ${path} at 4/8: sealed here, coded, spread, dealt`);
  const putAt = Date.now();
  const stored = await storeFile(stage, path);
  const putSeconds = (Date.now() - putAt) / 1000;
  const { key } = stored;
  say(`  ${formatBytes(stored.sizeBytes)} in ${putSeconds.toFixed(1)} s, escrow ${formatTokens(stored.escrowWei)}\n`);
  say(describeDeal(await client.deal(stored.dealId)));

  say(`\n3. Wait for the proofs of ${PERIODS_WATCHED} periods, then check them again from the chain`);
  const provenPeriods = await waitForProofs(stage, stored.dealId, PERIODS_WATCHED);
  say(describeVerification(await client.verifyDeal({ dealId: stored.dealId })));

  const killedAt = await network.opened.rpc.getBlockNumber();
  say(`\n4. Kill ${KILLED} providers and watch what it costs them`);
  const killed = await killProviders(stage, stored.dealId, KILLED);
  const without = await readBack(stage, key);
  say(`  read back without them: ${without === stored.sha256 ? "the same bytes" : "OTHER BYTES"}`);
  const penalties = await watchPenalties(stage, stored.dealId, killed);

  say("\n5. Watch the other providers rebuild the lost slots, with no one asking them to");
  const repairedSlots = await watchHealing(stage, killedAt);

  say("\n6. Read the file back and compare");
  const getAt = Date.now();
  const sha256 = await readBack(stage, key);
  const getSeconds = (Date.now() - getAt) / 1000;
  say(`  ${sha256 === stored.sha256 ? "the same bytes" : "OTHER BYTES"} in ${getSeconds.toFixed(1)} s`);

  say("\n7. Wait for the first proof in which the new holders take part");
  await waitForProofs(stage, stored.dealId, 1);
  return summarise(stage, { path, stored, putSeconds, getSeconds, provenPeriods, penalties, without, sha256, started, repairedSlots });
}

async function summarise(
  { network }: Stage,
  told: {
    readonly path: string;
    readonly stored: StoredFile;
    readonly putSeconds: number;
    readonly getSeconds: number;
    readonly provenPeriods: readonly number[];
    readonly penalties: Penalties;
    readonly without: string;
    readonly sha256: string;
    readonly started: number;
    readonly repairedSlots: number;
  },
): Promise<DemoSummary> {
  const { stored } = told;
  return {
    file: told.path,
    sizeBytes: stored.sizeBytes,
    storedBytes: stored.storedBytes,
    dealId: stored.dealId,
    putSeconds: told.putSeconds,
    getSeconds: told.getSeconds,
    provenPeriods: told.provenPeriods,
    penalties: told.penalties,
    repairedSlots: told.repairedSlots,
    sha256: told.sha256,
    hashesMatch: told.sha256 === stored.sha256 && told.without === stored.sha256,
    audit: await auditMarket(network.contracts, network.book),
    seconds: (Date.now() - told.started) / 1000,
  };
}

function describeSummary(summary: DemoSummary): string {
  const { audit, penalties } = summary;
  const rows = [
    ["file", `${summary.file}, ${formatBytes(summary.sizeBytes)}`],
    ["on providers", `${formatBytes(summary.storedBytes)}${describeOverhead(summary)}`],
    ["deal", summary.dealId],
    ["put, get", `${summary.putSeconds.toFixed(1)} s, ${summary.getSeconds.toFixed(1)} s`],
    ["proven by all", `periods ${summary.provenPeriods.join(", ")}`],
    [
      "providers killed",
      `${KILLED}: ${penalties.misses} misses, ${penalties.warnings} warnings, ${penalties.slashes} slashes, ${formatTokens(penalties.slashedWei)} taken`,
    ],
    ["slots rebuilt", String(summary.repairedSlots)],
    ["read back", summary.hashesMatch ? "the same bytes, with two providers gone and after the repair" : "OTHER BYTES"],
    ["sha256", summary.sha256.slice(2)],
    ["market's books", `${formatTokens(audit.balanceWei)} held, ${audit.differenceWei} wei more than owed`],
    ["time", `${summary.seconds.toFixed(0)} s`],
  ];
  return `\n${table(["what", "result"], rows)}`;
}

function describeOverhead({ storedBytes, sizeBytes }: DemoSummary): string {
  return sizeBytes === 0 ? "" : `, ${(storedBytes / sizeBytes).toFixed(2)} bytes per byte`;
}

async function stayUp({ output, signal, home }: Runtime, network: DemoNetwork): Promise<void> {
  const dir = resolve(home.dir, "demo");
  output.note(
    `\nThe network stays up until Ctrl-C. Try, in another shell:\n  npx ppio --home ${dir} ls ppio://demo\n  npx ppio --home ${dir} devnet status`,
  );
  output.note(`Chain: ${network.book.rpcUrl}, addresses: ${network.paths.addressBook}`);
  while (!signal.aborted) await pause(60_000, signal);
}
