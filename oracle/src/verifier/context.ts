/** What a verifier's duties share. */
import type { SigningDomain, Transport } from "@ppio/core";
import type { VerifierCommittee } from "@ppio/core/contracts";
import type { ChainConnection, LieDesk, Logger, TxSender } from "@ppio/daemon";
import type { Turns } from "../turns.ts";
import type { VerifierJournal } from "./journal.ts";
import type { VerifierMetrics } from "./metrics.ts";
import type { ProbePayers } from "./pay.ts";

export interface VerifierContext {
  readonly chain: ChainConnection;
  readonly committee: VerifierCommittee;
  readonly sender: Pick<TxSender, "send">;
  /** The verifier's own. */
  readonly address: string;
  readonly domain: SigningDomain;
  readonly transport: Transport;
  readonly journal: VerifierJournal;
  /** Signed lies that probes met, on their way to the chain. */
  readonly lies: Pick<LieDesk, "keep" | "settle">;
  /** Who pays for probes; nobody without it. */
  readonly payers?: ProbePayers;
  readonly turns: Turns;
  readonly metrics: VerifierMetrics;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that never jumps, for durations. */
  readonly elapsedMs: () => number;
}
