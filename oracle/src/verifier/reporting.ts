/**
 * A member's own duties for the term that has just been measured: seal the report, commit to it, reveal it. The report is on the disk
 * before its commitment leaves, so that whatever happens in between, the same one is revealed.
 */
import { decodeReport, type ReportEntry, reportCommitment } from "@ppio/core";
import type { VerifierContext } from "./context.ts";
import type { Probed } from "./journal.ts";
import { scoreOf } from "./score.ts";
import type { TermView } from "./terms.ts";

/** True when a transaction was sent. */
export async function report(context: VerifierContext, view: TermView, current: number): Promise<boolean> {
  if (view.seat < 0) return false;
  if (current >= view.commitPeriod && current < view.revealPeriod && !view.hasCommitted) return commit(context, view.term);
  if (current >= view.revealPeriod && current < view.finalisePeriod && view.hasCommitted && !view.hasRevealed) {
    return reveal(context, view.term);
  }
  return false;
}

async function commit({ chain, committee, sender, journal, address, metrics, log }: VerifierContext, term: number): Promise<boolean> {
  // Also an empty one: where nobody could measure, nobody is scored, and only silence costs.
  const { salt, report: bytes } = await journal.seal(term, entriesOf(await journal.measurements(term)));
  const domain = { chainId: BigInt(chain.book.chainId), committee: chain.book.committee };
  const commitment = reportCommitment(domain, address, term, salt, bytes);
  const data = committee.interface.encodeFunctionData("commit", [term, commitment]);
  const receipt = await sender.send(`commit/${term}`, { to: chain.book.committee, data });
  metrics.add("ppio_reports_committed_total", 1);
  log.info("report committed", { term, providers: decodeReport(bytes).length, hash: receipt.hash });
  return true;
}

async function reveal({ chain, committee, sender, journal, address, metrics, log }: VerifierContext, term: number): Promise<boolean> {
  const sealed = await journal.report(term);
  if (sealed === undefined) {
    log.error("the report that was committed to is not on this disk; restore the data folder before the reveal window ends", { term });
    return false;
  }
  const data = committee.interface.encodeFunctionData("reveal", [address, term, sealed.salt, sealed.report]);
  const receipt = await sender.send(`reveal/${term}`, { to: chain.book.committee, data });
  metrics.add("ppio_reports_revealed_total", 1);
  log.info("report revealed", { term, hash: receipt.hash });
  return true;
}

/** Providers ascending, those with too few measurements left out. */
export function entriesOf(measurements: readonly Probed[]): ReportEntry[] {
  const byProvider = new Map<number, Probed[]>();
  for (const one of measurements) byProvider.set(one.providerId, [...(byProvider.get(one.providerId) ?? []), one]);
  return [...byProvider]
    .sort(([a], [b]) => a - b)
    .flatMap(([providerId, own]) => {
      const score = scoreOf(own);
      return score === undefined ? [] : [{ providerId, score }];
    });
}
