/**
 * One read as a customer makes it, timed: the provider's answer is held against the slot's root on the chain and against its operator's
 * signature. docs/protocol/verifiers.md, "Measuring".
 */
import {
  answerRootsHash,
  cellLength,
  createMemoryPayStore,
  createPayer,
  createProviderApi,
  isPpioError,
  isUnpaid,
  type LieEvidence,
  lieEvidence,
  type Payer,
  PpioError,
  readAnswerMessage,
  readVerifiedRange,
  type SigningDomain,
  type Transport,
  ticketAuthorization,
  toPpioError,
} from "@ppio/core";
import { hexlify, ZeroAddress } from "ethers";
import type { Outcome } from "./score.ts";
import type { DrawnRead } from "./targets.ts";

/** As customers wait: for the head, and for bytes that come more slowly than this. */
const HEAD_MS = 10_000;
const BYTES_PER_SECOND_MIN = 64 * 1024;

/** Says that there is no account to pay from. */
const UNPAYING = createPayer({
  domain: { chainId: 0n, escrow: ZeroAddress },
  store: createMemoryPayStore(),
  funds: {
    spendableWei: async () => 0n,
    promiseOf: async () => ({ payableWei: 0n, capLeftWei: 0n, redeemedWei: 0n, bondWei: 0n, serveUntil: 0 }),
  },
  nowMs: Date.now,
  hint: "give the verifier an account that pays",
});

export interface ProbeOptions {
  readonly read: DrawnRead;
  /** The provider's, of the registry. */
  readonly endpoint: string;
  readonly operator: string;
  /** Who is paid. */
  readonly owner: string;
  /** Pays for the read; a provider that wants money is not measured without one. */
  readonly payer?: Payer;
  readonly domain: SigningDomain;
  readonly transport: Transport;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

export interface ProbeResult {
  readonly outcome: Outcome;
  readonly firstByteMs: number;
  readonly bodyMs: number;
  readonly bytes: number;
  /** Why it was not served. */
  readonly reason: string;
  /** Nothing was heard of the provider: it may be our own network. */
  readonly isUnheard: boolean;
  /** It wanted to be paid, and we did not. */
  readonly isUnpaid: boolean;
  /** What its operator signed, when that contradicts the slot's root. */
  readonly lie?: LieEvidence;
}

/** @throws CANCELLED alone: what the provider does wrong is the result */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const { read, endpoint, transport, nowMs, signal } = options;
  const { target, firstRow, rowCount } = read;
  const { header, dealId, slotIndex } = target;
  const offset = firstRow * header.cellBytes;
  const length = (rowCount - 1) * header.cellBytes + cellLength(header, firstRow + rowCount - 1);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(HEAD_MS + Math.ceil((length * 1000) / BYTES_PER_SECOND_MIN))]);
  const startedMs = nowMs();
  let headMs: number | undefined;
  let isHeard = false;
  let lie: LieEvidence | undefined;
  try {
    const { payer = UNPAYING, owner } = options;
    const api = payer.api(createProviderApi(endpoint, transport), { providerId: target.providerId, owner });
    const answer = await api.readSlot({ dealId, slotIndex, offset, length, authorization: ticketAuthorization(read.ticket) }, deadline);
    isHeard = true;
    try {
      const { head } = await readVerifiedRange(
        answer,
        { shape: header, root: target.root, offset, length },
        {
          who: `Provider ${target.providerId}`,
          onContradiction: async (head) => {
            const evidence = lieEvidence(options.domain, { dealId, slotIndex, firstCell: firstRow, shape: header }, head);
            if (evidence?.signer === options.operator) lie = evidence;
          },
          checkHead: async () => {
            headMs = nowMs() - startedMs;
          },
        },
      );
      const bodyMs = nowMs() - startedMs - (headMs ?? 0);
      const digested = { dealId, slotIndex, firstCell: firstRow, rootsHash: answerRootsHash(head.cellRoots, head.siblings) };
      const signer = readAnswerMessage.recover(options.domain, { ...digested, servedAt: head.servedAt }, hexlify(head.signature));
      if (signer !== options.operator) throw new PpioError("UNAUTHORIZED", "The answer is not signed by the provider's operator.");
      return { outcome: "served", firstByteMs: headMs ?? 0, bodyMs, bytes: length, reason: "", isUnheard: false, isUnpaid: false };
    } finally {
      await answer.close();
    }
  } catch (error) {
    if (signal.aborted) throw new PpioError("CANCELLED", "The process is stopping.", { cause: error });
    return { ...failure(error, isHeard), ...(lie === undefined ? {} : { lie }) };
  }
}

/** What contradicts the slot's root is false; a provider that says itself that its bytes are damaged has only failed. */
function failure(error: unknown, isHeard: boolean): ProbeResult {
  const { message, details } = toPpioError(error, "NETWORK");
  const isAnswered = typeof details["status"] === "number";
  const isFalse = !isAnswered && (isPpioError(error, "CORRUPT") || isPpioError(error, "BAD_FORMAT"));
  const outcome = isFalse ? "false" : "failed";
  return { outcome, firstByteMs: 0, bodyMs: 0, bytes: 0, reason: message, isUnheard: !isHeard && !isAnswered, isUnpaid: isUnpaid(error) };
}
