/**
 * What a verifier must not lose (docs/protocol/verifiers.md, "Persistence"): the seed of its plans, what it measures, and a term's report
 * with its salt. A report is on the disk before its commitment leaves and is never made anew: a crash in between reveals the same one.
 */
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeReport, PpioError, type ReportEntry } from "@ppio/core";
import { atomicWriteFile, isErrno, readJsonFile } from "@ppio/daemon";
import { getBytes, hexlify, isHexString } from "ethers";
import type { Measurement } from "./score.ts";

/** Terms whose files are kept: measured, reported, settled, and some to look back at. */
const TERMS_KEPT = 16;
const SECRET_BYTES = 32;

/** A measurement with its place in the plan. */
export interface Probed extends Measurement {
  readonly index: number;
}

/** What a term measures; decided once. */
export interface TermPlan {
  readonly term: number;
  readonly providerIds: readonly number[];
  /** Unix milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface SealedReport {
  readonly term: number;
  /** 32 bytes, 0x hex; secret until the reveal. */
  readonly salt: string;
  /** Of `encodeReport`. */
  readonly report: string;
}

export class VerifierJournal {
  readonly #dir: string;
  readonly seed: Uint8Array;

  private constructor(dir: string, seed: Uint8Array) {
    this.#dir = dir;
    this.seed = seed;
  }

  /** @param account whose reports these are: chain, committee and address */
  static async open(dir: string, account: string): Promise<VerifierJournal> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const path = join(dir, "verifier.json");
    const known = await readJsonFile<{ readonly version?: unknown; readonly account?: unknown; readonly seed?: unknown }>(path);
    if (known === undefined) {
      const seed = hexlify(randomBytes(SECRET_BYTES));
      await atomicWriteFile(path, JSON.stringify({ version: 1, account, seed }), { mode: 0o600 });
      return new VerifierJournal(dir, getBytes(seed));
    }
    if (known.version !== 1 || !isHexString(known.seed, SECRET_BYTES)) {
      throw new PpioError("CONFIG", `${path} is no verifier's file; restore it or move the folder away.`);
    }
    if (known.account !== account) {
      throw new PpioError("CONFIG", `${dir} holds another verifier's reports (${String(known.account)}); give it a folder of its own.`);
    }
    return new VerifierJournal(dir, getBytes(known.seed));
  }

  plan(term: number): Promise<TermPlan | undefined> {
    return readJsonFile<TermPlan>(this.#path("plan", term, "json"));
  }

  async savePlan(plan: TermPlan): Promise<void> {
    await atomicWriteFile(this.#path("plan", plan.term, "json"), JSON.stringify(plan), { mode: 0o600 });
  }

  async measurements(term: number): Promise<Probed[]> {
    let text: string;
    try {
      text = await readFile(this.#path("probes", term, "jsonl"), "utf8");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
    return text.split("\n").flatMap(parseLine);
  }

  /** On a line of its own, whatever was cut off before it. Not flushed: a power cut costs some measurements, never a report. */
  async add(term: number, probed: Probed): Promise<void> {
    await appendFile(this.#path("probes", term, "jsonl"), `\n${JSON.stringify(probed)}`, { mode: 0o600 });
  }

  report(term: number): Promise<SealedReport | undefined> {
    return readJsonFile<SealedReport>(this.#path("report", term, "json"));
  }

  /** The term's report, which is final with this. */
  async seal(term: number, entries: readonly ReportEntry[]): Promise<SealedReport> {
    const known = await this.report(term);
    if (known !== undefined) return known;
    const sealed = { term, salt: hexlify(randomBytes(SECRET_BYTES)), report: encodeReport(entries) };
    await atomicWriteFile(this.#path("report", term, "json"), JSON.stringify(sealed), { mode: 0o600 });
    return sealed;
  }

  /** Removes what is older than the newest terms. */
  async forgetBefore(current: number): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      const term = /^(?:plan|probes|report)-(\d+)\.jsonl?$/.exec(name)?.[1];
      if (term !== undefined && Number(term) + TERMS_KEPT < current) await rm(join(this.#dir, name), { force: true });
    }
  }

  #path(what: string, term: number, kind: string): string {
    return join(this.#dir, `${what}-${term}.${kind}`);
  }
}

/** A line that a crash cut off is no measurement. */
function parseLine(line: string): Probed[] {
  if (line === "") return [];
  try {
    return [JSON.parse(line) as Probed];
  } catch {
    return [];
  }
}
