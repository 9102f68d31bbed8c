/**
 * What this provider has set out to repair, on the disk before anything is reserved: a restart finds its reservations and goes on. A plan
 * is a hint: the chain says what is reserved, and those who take slots say what they have.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isPpioError } from "@ppio/core";
import { atomicWriteFile, type Logger, readJsonFile, removeLeftovers, syncFolder } from "@ppio/daemon";

export interface PlannedSlot {
  readonly slotIndex: number;
  /** Who shall hold it. */
  readonly providerId: number;
}

export interface RepairPlan {
  readonly version: 1;
  readonly dealId: string;
  readonly slots: readonly PlannedSlot[];
  /** Names the reservation's transaction. */
  readonly attempt: string;
}

const NAME = /^(0x[0-9a-f]{64})\.json$/;

export class Plans {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async open(dir: string): Promise<Plans> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await removeLeftovers(dir);
    return new Plans(dir);
  }

  /** Those that a process before left; one that cannot be read is forgotten: its reservation ends by itself. */
  async all(log: Logger): Promise<RepairPlan[]> {
    const plans: RepairPlan[] = [];
    for (const name of await readdir(this.#dir)) {
      const dealId = NAME.exec(name)?.[1];
      if (dealId === undefined) continue;
      const plan = await this.#read(dealId);
      if (plan !== undefined) plans.push(plan);
      else {
        log.warn("a plan of a repair cannot be read; it is forgotten", { dealId });
        await this.remove(dealId);
      }
    }
    return plans;
  }

  async #read(dealId: string): Promise<RepairPlan | undefined> {
    try {
      const plan = await readJsonFile<Partial<RepairPlan>>(this.#path(dealId));
      const isPlan =
        plan?.version === 1 &&
        plan.dealId === dealId &&
        typeof plan.attempt === "string" &&
        Array.isArray(plan.slots) &&
        plan.slots.every(isSlot);
      return isPlan ? (plan as RepairPlan) : undefined;
    } catch (error) {
      if (isPpioError(error, "CONFIG")) return undefined;
      throw error;
    }
  }

  async has(dealId: string): Promise<boolean> {
    return (await this.#read(dealId)) !== undefined;
  }

  async save(plan: RepairPlan): Promise<void> {
    await atomicWriteFile(this.#path(plan.dealId), JSON.stringify(plan), { mode: 0o600 });
  }

  async remove(dealId: string): Promise<void> {
    await rm(this.#path(dealId), { force: true });
    await syncFolder(this.#dir);
  }

  #path(dealId: string): string {
    return join(this.#dir, `${dealId}.json`);
  }
}

function isSlot(value: unknown): value is PlannedSlot {
  const { slotIndex, providerId } = (typeof value === "object" && value !== null ? value : {}) as Partial<PlannedSlot>;
  return Number.isInteger(slotIndex) && Number.isInteger(providerId);
}
