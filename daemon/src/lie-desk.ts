/**
 * Signed lies on their way to the chain: whoever signs one loses everything, and the finder is paid for saying so. A lie is on disk before it
 * is sent, and stays until the chain has said yes or no: what a reader saw once it may never see again. Of one provider one is enough.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { epochOfSigner, isPpioError, type LieEvidence, type PpioError } from "@ppio/core";
import { IFraudProofs__factory } from "@ppio/core/interfaces";
import type { ChainConnection } from "./chain.ts";
import { atomicWriteFile, readJsonFile, removeLeftovers, syncFolder } from "./files.ts";
import type { Logger } from "./log.ts";
import type { TxSender } from "./tx-sender.ts";

interface KeptLie {
  readonly version: 1;
  readonly providerId: number;
  readonly evidence: LieEvidence;
}

export interface LieDeskOptions {
  /** Of this desk alone. */
  readonly dir: string;
  readonly chain: Pick<ChainConnection, "book" | "registry">;
  readonly sender: Pick<TxSender, "send">;
  readonly log: Logger;
  readonly onProven: () => void;
}

const NAME = /^(\d{1,10})\.json$/;

export class LieDesk {
  readonly #options: LieDeskOptions;
  /** Providers whose lies are kept. */
  readonly #kept: Set<number>;
  #settling: Promise<void> | undefined;

  private constructor(options: LieDeskOptions, kept: Set<number>) {
    this.#options = options;
    this.#kept = kept;
  }

  static async open(options: LieDeskOptions): Promise<LieDesk> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    await removeLeftovers(options.dir);
    const names = await readdir(options.dir);
    return new LieDesk(options, new Set(names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)));
  }

  /** Durable once it resolves; the first one of a provider stays. `settle` takes it to the chain. @throws IO, NO_SPACE */
  async keep(providerId: number, evidence: LieEvidence): Promise<void> {
    if (this.#kept.has(providerId)) return;
    const lie: KeptLie = { version: 1, providerId, evidence };
    await atomicWriteFile(this.#path(providerId), JSON.stringify(lie), { mode: 0o600 });
    this.#kept.add(providerId);
    const { dealId, slotIndex } = evidence.answer;
    this.#options.log.warn("a provider signed a lie; the proof is kept until the chain has it", { providerId, dealId, slotIndex });
  }

  /** Takes what is kept to the chain; those who ask meanwhile wait for the same. @throws CHAIN_UNREACHABLE, NO_FUNDS, CANCELLED, IO: kept then */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    for (const providerId of [...this.#kept]) {
      const lie = await this.#read(providerId);
      if (lie !== undefined) await this.#prove(lie);
      await rm(this.#path(providerId), { force: true });
      await syncFolder(this.#options.dir);
      this.#kept.delete(providerId);
    }
  }

  /** A refusal is told, not thrown: another one was faster, or the answer was given before the deal's first period was over. */
  async #prove({ providerId, evidence }: KeptLie): Promise<void> {
    const { chain, sender, log, onProven } = this.#options;
    const { answer, signature, signer, cellCount, nodes } = evidence;
    const { evictedAtPeriod, operatorEpoch } = await chain.registry.getProvider(providerId);
    if (evictedAtPeriod !== 0n) return;
    const epoch = await epochOfSigner(signer, Number(operatorEpoch), (at) => chain.registry.operatorAt(providerId, at));
    if (epoch === undefined) {
      log.warn("an answer that contradicts its slot was signed by nobody who operates the provider", { providerId, signer });
      return;
    }
    const abi = IFraudProofs__factory.createInterface();
    const data = abi.encodeFunctionData("proveLie", [providerId, epoch, answer, signature, cellCount, [...nodes]]);
    try {
      const receipt = await sender.send(`lie/${providerId}/${answer.rootsHash}`, { to: chain.book.fraudProofs, data });
      onProven();
      log.warn("a provider signed a lie; it loses all its collateral", { providerId, hash: receipt.hash });
    } catch (error) {
      if (!isPpioError(error) || !isRefusal(error)) throw error;
      log.warn("a signed lie was not taken by the chain", { providerId, code: error.code, reason: error.message });
    }
  }

  async #read(providerId: number): Promise<KeptLie | undefined> {
    const { log } = this.#options;
    const lie = await readJsonFile<Partial<KeptLie>>(this.#path(providerId)).catch((error) => {
      if (!isPpioError(error, "CONFIG")) throw error;
      return undefined;
    });
    if (lie?.version === 1 && lie.providerId === providerId && isEvidence(lie.evidence)) return lie as KeptLie;
    log.warn("a kept lie cannot be read; it is forgotten", { providerId });
    return undefined;
  }

  #path(providerId: number): string {
    return join(this.#options.dir, `${providerId}.json`);
  }
}

/** The contract has looked at it; everything else may pass. */
function isRefusal({ code, details }: PpioError): boolean {
  return code === "CHAIN_REVERT" || "contractError" in details;
}

function isEvidence(value: Partial<LieEvidence> | undefined): value is LieEvidence {
  if (typeof value !== "object" || value === null || typeof value.answer !== "object" || value.answer === null) return false;
  const { dealId, rootsHash, slotIndex, firstCell, servedAt } = value.answer;
  const texts = [dealId, rootsHash, value.signature, value.signer, ...(Array.isArray(value.nodes) ? value.nodes : [undefined])];
  const numbers = [slotIndex, firstCell, servedAt, value.cellCount];
  return texts.every((text) => typeof text === "string") && numbers.every((number) => Number.isSafeInteger(number));
}
