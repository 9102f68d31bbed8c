/** `ppio verifier start|status|canary|leave|withdraw`: measure providers for the committee. */
import { resolve } from "node:path";
import { PpioError } from "@ppio/core";
import { VerifierCommittee__factory } from "@ppio/core/contracts/VerifierCommittee";
import { type ConfigOf, connectChain, connectContracts, defineOptions, readAddressBookFile, resolveConfig } from "@ppio/daemon";
import { startVerifier, VERIFIER_OPTIONS } from "@ppio/oracle";
import type { Command } from "commander";
import { formatTokens, table } from "../output.ts";
import { readCommittee } from "../providers/committee.ts";
import { paidOutWei, sendingAs } from "../sending.ts";
import { addDaemonOptions, runDaemon } from "./daemons.ts";
import { parseAddress, parseWhole } from "./numbers.ts";
import { refusals, runCommand, runWithClient } from "./runtime.ts";

const HOURS_MAX = 1_000;
const HOUR_SECONDS = 3_600;
const WEEK_HOURS = 7 * 24;
/** Status of IVerifierCommittee. */
const ACTIVE = 1n;

/** Who acts: the verifier's own key, not the wallet of the home folder. */
const ACCOUNT_OPTIONS = defineOptions({
  network: VERIFIER_OPTIONS.network,
  privateKey: VERIFIER_OPTIONS.privateKey,
});

interface CanaryFlags {
  readonly out: string;
  readonly verifiers: number;
  readonly hours: number;
}

export function addVerifierCommands(program: Command): void {
  const verifier = program.command("verifier").description("measure providers as a customer would, for the committee");
  addDaemonOptions(
    verifier.command("start").description("run a verifier until it is stopped; it joins by itself"),
    VERIFIER_OPTIONS,
  ).action((_flags: unknown, command: Command) => runDaemon(command, "verifier", VERIFIER_OPTIONS, startVerifier));
  verifier
    .command("canary")
    .description("put canary objects with this wallet, and write grants to read them for verifiers")
    .requiredOption("--out <folder>", "where the grants go, a folder for each verifier in it")
    .option("--verifiers <count>", "how many verifiers get grants", parseWhole("--verifiers", 1, 100), 1)
    .option("--hours <count>", "how long objects and grants last", parseWhole("--hours", 1, HOURS_MAX), WEEK_HOURS)
    .action((flags: CanaryFlags, command: Command) => canary(command, flags));
  verifier
    .command("status")
    .description("the running term: committee, reports, and the newest scores")
    .action((_flags: unknown, command: Command) => status(command));
  addDaemonOptions(
    verifier.command("leave").description("leave the list of verifiers from the next term on; duties of this one stay"),
    ACCOUNT_OPTIONS,
  ).action((_flags: unknown, command: Command) => leave(command));
  addDaemonOptions(
    verifier
      .command("withdraw")
      .description("pay out rewards, and the stake once it is free")
      .option("--to <address>", "where to; the verifier itself without it", parseAddress("--to")),
    ACCOUNT_OPTIONS,
  ).action((flags: { readonly to?: string }, command: Command) => withdraw(command, flags.to));
}

function canary(command: Command, flags: CanaryFlags): Promise<void> {
  return runWithClient(command, async ({ output, signal }, opened) => {
    // Only here: a verifier that runs needs nothing of it.
    const { makeCanaries, writeGrants } = await import("../canary/make.ts");
    const { proofs } = connectContracts(opened.book, opened.rpc);
    const periods = Math.ceil((flags.hours * HOUR_SECONDS) / Number(await proofs.periodSeconds()));
    const { dealIds, covered, uncovered } = await makeCanaries({ opened, periods, note: output.note, signal });
    const folders = Array.from({ length: flags.verifiers }, (_, at) => resolve(flags.out, `verifier-${at + 1}`));
    await writeGrants({ opened, dealIds, folders, hours: flags.hours });
    const missing = uncovered.length === 0 ? "" : `; providers ${uncovered.join(", ")} took none`;
    const text = `${dealIds.length} canary objects on ${covered.length} providers${missing}\ngrants in ${folders.join(", ")}`;
    output.result({ dealIds, covered, uncovered, folders }, text);
  });
}

function status(command: Command): Promise<void> {
  return runWithClient(command, async ({ output }, { book, rpc }) => {
    const view = await refusals(() => readCommittee(book, rpc));
    const rows = view.scores.map(({ providerId, score, term }) => [String(providerId), String(score), String(term)]);
    const seats = view.terms.map(
      ({ term, members, committed, revealed, scored }) =>
        `term ${term}  ${members.length} seats, ${committed} committed, ${revealed} revealed, ${scored} providers scored`,
    );
    const scores = rows.length === 0 ? "no provider was scored yet" : table(["provider", "score", "term"], rows);
    const head = `term ${view.currentTerm}, ${view.listed} verifiers listed`;
    output.result(view, [head, ...seats, "", scores].join("\n"));
  });
}

type Account = ConfigOf<typeof ACCOUNT_OPTIONS>;

/** Runs with the committee connected to the verifier's key. */
function withAccount(
  command: Command,
  body: (account: {
    readonly committee: ReturnType<typeof VerifierCommittee__factory.connect>;
    readonly address: string;
  }) => Promise<{ readonly data: unknown; readonly text: string }>,
): Promise<void> {
  return runCommand(command, async ({ output }) => {
    const { config: file, ...flags } = command.optsWithGlobals<Record<string, unknown> & { readonly config?: string }>();
    const sources = { flags, environment: process.env, ...(file === undefined ? {} : { file }) };
    const config: Account = await resolveConfig(ACCOUNT_OPTIONS, sources);
    const book = await readAddressBookFile(config.network);
    const chain = await connectChain({ book, privateKey: config.privateKey });
    try {
      if (chain.wallet === undefined) throw new PpioError("CONFIG", "The verifier's key is missing.");
      const committee = VerifierCommittee__factory.connect(book.committee, sendingAs(chain.wallet));
      const { data, text } = await refusals(() => body({ committee, address: chain.wallet?.address ?? "" }));
      output.result(data, text);
    } finally {
      chain.close();
    }
  });
}

function leave(command: Command): Promise<void> {
  return withAccount(command, async ({ committee, address }) => {
    const { status } = await committee.verifierOf(address);
    if (status !== ACTIVE) throw new PpioError("NOT_FOUND", `${address} is not on the list of verifiers; "ppio verifier start" joins.`);
    await (await committee.leave()).wait();
    const { freeFromTerm } = await committee.verifierOf(address);
    const text = `${address} leaves; its stake is free from term ${freeFromTerm} on. Let the verifier run until its last term is settled.`;
    return { data: { address, freeFromTerm }, text };
  });
}

function withdraw(command: Command, to: string | undefined): Promise<void> {
  return withAccount(command, async ({ committee, address }) => {
    const target = to ?? address;
    const hasCredit = (await committee.creditOf(address)) > 0n;
    const creditWei = hasCredit ? paidOutWei(await (await committee.withdrawCredit(target)).wait()) : 0n;
    const { freeFromTerm, stakeWei } = await committee.verifierOf(address);
    const isFree = freeFromTerm !== 0n && stakeWei > 0n && (await committee.currentTerm()) >= freeFromTerm;
    const paidWei = isFree ? paidOutWei(await (await committee.withdrawStake(target)).wait()) : 0n;
    if (!hasCredit && !isFree) throw new PpioError("NOT_FOUND", `${address} has no rewards, and no stake that is free.`);
    const text = `${formatTokens(creditWei)} of rewards and ${formatTokens(paidWei)} of stake sent to ${target}.`;
    return { data: { to: target, creditWei, stakeWei: paidWei }, text };
  });
}
