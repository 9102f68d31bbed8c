/**
 * A verifier from its settings: joins, measures in the terms in which it sits, reports, and takes its turn at what the committee needs. Two
 * loops, so that a provider that hangs never delays a report.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { VerifierCommittee__factory } from "@ppio/core/contracts/VerifierCommittee";
import { acquireLock, connectChain, LieDesk, type Lifecycle, type Logger, readAddressBookFile, repeat, TxSender } from "@ppio/daemon";
import { createNodeTransport } from "@ppio/daemon/http-client/transport";
import { serveTurns, turnMsOf } from "../serve.ts";
import { Turns } from "../turns.ts";
import type { VerifierContext } from "./context.ts";
import { createGatheringState, draw, finalise, type GatheringState, settle } from "./gathering.ts";
import { VerifierJournal } from "./journal.ts";
import { Measuring } from "./measure.ts";
import { createVerifierMetrics } from "./metrics.ts";
import type { VerifierConfig } from "./options.ts";
import { ProbePayers } from "./pay.ts";
import { report } from "./reporting.ts";
import { ensureJoined } from "./stake.ts";
import { membershipOf, viewTerm } from "./terms.ts";

const TURN = { leastMs: 1_000, mostMs: 15_000 };
const MEASURE_MS = 500;
/** Looks at what is kept; mostly nothing. */
const LIES_MS = 5_000;
/** Accounts that pay for probes are looked at. */
const ACCOUNTS_MS = 30_000;

export interface RunningVerifier {
  readonly url: string;
  readonly address: string;
}

export async function startVerifier(config: VerifierConfig, lifecycle: Lifecycle, log: Logger): Promise<RunningVerifier> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = await acquireLock(config.dataDir);
  lifecycle.onStop("lock", () => lock.release());
  const context = await openContext(config, lifecycle, log);
  const { metrics, address } = context;
  const grants = config.grants
    .split(",")
    .map((place) => place.trim())
    .filter((place) => place !== "");
  await ensureJoined(context, config.stakeWei);
  const paying = repeat({
    ...{ name: "accounts that pay", intervalMs: ACCOUNTS_MS, signal: lifecycle.signal, log },
    work: async () => context.payers?.keep(),
  });
  lifecycle.onStop("accounts that pay", () => paying);
  const standing: Standing = { gathering: createGatheringState(), seat: undefined };
  const { url } = await serveTurns({
    ...{ host: config.host, port: config.port, lifecycle, log, turnMs: turnMsOf(await context.chain.proofs.periodSeconds(), TURN) },
    turn: () => takeTurn(context, config, standing),
    onFailure: () => metrics.add("ppio_duty_failures_total", 1),
    status: () => ({ currentTerm: metrics.get("ppio_current_term"), canaryProviders: metrics.get("ppio_canary_providers") }),
    metrics: () => metrics.render(),
  });
  const measuring = new Measuring(context, { grants, probesPerProvider: config.probesPerProvider });
  const loop = repeat({
    ...{ name: "measuring", intervalMs: MEASURE_MS, signal: lifecycle.signal, log },
    work: async () => {
      const { seat } = standing;
      if (seat?.isMember === true) await measuring.run(seat.term, seat.seed);
    },
  });
  lifecycle.onStop("measuring", () => loop);
  const proving = repeat({
    ...{ name: "lies", intervalMs: LIES_MS, signal: lifecycle.signal, log },
    work: () => context.lies.settle(),
  });
  lifecycle.onStop("lies", () => proving);
  log.info("verifier is ready", { url, address, grants });
  return { url, address };
}

async function openContext(config: VerifierConfig, lifecycle: Lifecycle, log: Logger): Promise<VerifierContext> {
  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  lifecycle.onStop("chain", () => chain.close());
  const { wallet, rpc } = chain;
  if (wallet === undefined) throw new PpioError("CONFIG", "The verifier's key is missing.");
  const { address } = wallet;
  const file = join(config.dataDir, "transactions.json");
  const sender = await TxSender.open({ file, rpc, wallet, log, signal: lifecycle.signal });
  const transport = createNodeTransport();
  lifecycle.onStop("connections", () => transport.close());
  const metrics = createVerifierMetrics();
  const onProven = (): void => metrics.add("ppio_lies_proven_total", 1);
  const journal = await VerifierJournal.open(join(config.dataDir, "terms"), `${book.chainId}/${book.committee}/${address}`);
  const payers = await ProbePayers.open({ config, chain, seed: journal.seed, lifecycle, log, now: Date.now });
  return {
    chain,
    committee: VerifierCommittee__factory.connect(book.committee, wallet),
    sender,
    address,
    domain: { chainId: BigInt(book.chainId), market: book.market },
    transport,
    journal,
    payers,
    turns: new Turns(address),
    lies: await LieDesk.open({ dir: join(config.dataDir, "lies"), chain, sender, log, onProven }),
    metrics,
    log,
    signal: lifecycle.signal,
    now: Date.now,
    elapsedMs: () => performance.now(),
  };
}

/** What the loops know of each other. */
interface Standing {
  readonly gathering: GatheringState;
  /** In the running term; nothing while it is not known. */
  seat: { readonly term: number; readonly seed: string; readonly isMember: boolean } | undefined;
}

/** Own duties first: their windows are short and silence costs stake. */
async function takeTurn(context: VerifierContext, config: VerifierConfig, standing: Standing): Promise<void> {
  const { chain, committee, metrics, journal } = context;
  const term = Number(await committee.currentTerm());
  if (metrics.get("ppio_current_term") !== term) await journal.forgetBefore(term);
  metrics.set("ppio_current_term", term);
  const current = Number(await chain.proofs.currentPeriod());
  const view = await viewTerm(context, term);
  if (standing.seat?.term !== term) {
    const membership = await membershipOf(context, view);
    standing.seat = membership === undefined ? undefined : { term, ...membership };
  }
  const last = term > 1 ? await viewTerm(context, term - 1) : undefined;
  if (last !== undefined && (await report(context, last, current))) return;
  if (!config.finalise) return;
  if (await draw(context, view)) return;
  if (last !== undefined && (await finalise(context, standing.gathering, last, current))) return;
  await settle(context, standing.gathering, term);
}
