/**
 * What a self-test can find, each with what to do about it. One table: the code is for programs, the sentence for people
 * (docs/operating/reachability.md lists them).
 */

/** `hint`: worth knowing; `problem`: customers cannot come, or soon cannot. */
export type FindingLevel = "ok" | "hint" | "problem";

const LEVELS = {
  "listener-ok": "ok",
  "listener-silent": "problem",
  "listener-unknown": "hint",
  "endpoint-ok": "ok",
  "endpoint-missing": "problem",
  "endpoint-unresolved": "problem",
  "endpoint-private": "problem",
  "endpoint-elsewhere": "problem",
  "endpoint-scheme": "problem",
  "endpoint-not-published": "problem",
  "endpoint-needs-name": "problem",
  "outside-ok": "ok",
  "outside-no-helper": "hint",
  "outside-silent": "problem",
  "outside-refused": "problem",
  "outside-stranger": "problem",
  "outside-tls": "problem",
  "outside-broken": "problem",
  "outside-unresolved": "problem",
  "outside-forbidden": "problem",
  "clock-ok": "ok",
  "clock-wrong": "problem",
  "clock-unknown": "hint",
  "tls-ok": "ok",
  "tls-off": "hint",
  "tls-missing": "problem",
  "tls-expires": "problem",
  "tls-expired": "problem",
  "tls-name": "problem",
  "mapping-ok": "ok",
  "mapping-off": "ok",
  "mapping-trying": "hint",
  "mapping-port": "hint",
  "mapping-refused": "problem",
  "mapping-none": "hint",
  "address-shared": "problem",
  "address-private": "problem",
  "dns-failed": "problem",
} as const satisfies Record<string, FindingLevel>;

export type FindingCode = keyof typeof LEVELS;

export interface Finding {
  readonly code: FindingCode;
  readonly level: FindingLevel;
  /** One sentence that says what to do. */
  readonly message: string;
}

export interface ReachReport {
  /** Unix milliseconds. */
  readonly at: number;
  readonly providerId: number;
  readonly endpoint: string;
  /** Undefined when nobody could be asked. */
  readonly isReachable: boolean | undefined;
  readonly findings: readonly Finding[];
}

export const FINDING_CODES = Object.keys(LEVELS) as readonly FindingCode[];

export function finding(code: FindingCode, message: string): Finding {
  return { code, level: LEVELS[code], message };
}

export function problemsOf({ findings }: ReachReport): readonly Finding[] {
  return findings.filter(({ level }) => level === "problem");
}
