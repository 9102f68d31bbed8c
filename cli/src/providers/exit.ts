/** `ppio provider exit`: tells the running provider to leave, follows it, and takes collateral and pay at the end. */
import { PpioError } from "@ppio/core";
import { pause } from "@ppio/daemon";
import type { ProviderControl } from "./control.ts";
import { askCollateralBack, type Claimed, claimPay, type LeaveOptions, takeCollateral } from "./leave.ts";

const POLL_MS = 1_000;

export interface ExitOptions extends LeaveOptions {
  /** Undefined when it does not run; then nothing must be held any more. */
  readonly control: ProviderControl | undefined;
  readonly owner: string;
  /** Unix milliseconds after which nobody waits any more; the provider itself goes on. */
  readonly deadlineMs: number;
  readonly now: () => number;
  readonly onProgress: (moved: number, total: number) => void;
}

export interface ExitResult extends Claimed {
  readonly providerId: number;
  readonly moved: number;
  readonly collateralWei: bigint;
}

/** @throws TIMEOUT at the deadline, CANCELLED, NOT_FOUND when slots are held and no provider runs */
export async function exitProvider(options: ExitOptions): Promise<ExitResult> {
  const { contracts, providerId, owner, note } = options;
  const moved = await letGo(options);
  const from = await askCollateralBack(options);
  const claimed = await claimPay(contracts, owner);
  if (from === undefined) return { providerId, moved, collateralWei: 0n, ...claimed };
  const collateralWei = await takeCollateral(withDeadline(options), from);
  if (collateralWei === undefined) {
    const when = new Date(from * 1000).toISOString();
    throw stopped(options, `the collateral may be taken from ${when} on; run "ppio provider exit" again then`);
  }
  note("nothing is left on the chain; stop the provider and remove its data folder");
  return { providerId, moved, collateralWei, ...claimed };
}

/** Until no slot is held and no collateral locked. */
async function letGo(options: ExitOptions): Promise<number> {
  const { contracts, providerId, control, signal, now, deadlineMs, onProgress } = options;
  const lockedWei = async (): Promise<bigint> => (await contracts.registry.getProvider(providerId)).lockedWei;
  if (control === undefined) {
    const locked = await lockedWei();
    if (locked === 0n) return 0;
    throw new PpioError("NOT_FOUND", `Provider ${providerId} still holds slots and does not run here; start it, so that it can move them.`);
  }
  await control.beginExit();
  for (let told = ""; ; ) {
    const { exit } = await control.report();
    if (exit.remaining !== null) onProgress(exit.moved, exit.moved + exit.remaining);
    if (exit.problem !== null && exit.problem !== told) options.note(exit.problem);
    told = exit.problem ?? told;
    if (exit.remaining === 0 && (await lockedWei()) === 0n) return exit.moved;
    if (signal.aborted || now() >= deadlineMs) {
      throw stopped(
        options,
        `${exit.moved} slots were moved and ${exit.remaining ?? "some"} are left; the provider goes on moving and proving`,
      );
    }
    await pause(POLL_MS, signal);
  }
}

function withDeadline(options: ExitOptions): LeaveOptions {
  if (options.deadlineMs === Number.POSITIVE_INFINITY) return options;
  return { ...options, signal: AbortSignal.any([options.signal, AbortSignal.timeout(Math.max(0, options.deadlineMs - options.now()))]) };
}

function stopped({ signal }: ExitOptions, what: string): PpioError {
  return signal.aborted ? new PpioError("CANCELLED", `Stopped: ${what}.`) : new PpioError("TIMEOUT", `The deadline has passed: ${what}.`);
}
