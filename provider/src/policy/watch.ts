/** Looks at what a provider depends on, tells a person, and takes no new slots while something is wrong. */
import { access, constants } from "node:fs/promises";
import { diskError } from "@ppio/daemon";
import type { ProviderContext } from "../context.ts";
import type { Inventory } from "../prover/inventory.ts";
import { uploadIdOf } from "../store/slot-record.ts";

/** Slots looked up in one turn of the event loop. */
const LOOKED_UP_AT_ONCE = 1_000;
/** Of slots that are not in the folder, so many are named. */
const NAMED_MAX = 10;

export async function watchDisk({ config, store, alerts, admission, damage }: ProviderContext): Promise<void> {
  admission.set("damage", damage.isHeldBack);
  admission.set("slots", store.count >= config.slotsMax);
  try {
    await store.checkDisk();
    await access(config.dataDir, constants.W_OK);
    admission.set("disk", false);
    alerts.clear("disk-failing", "folder");
  } catch (cause) {
    admission.set("disk", true);
    alerts.raise({ kind: "disk-failing", subject: "folder", message: diskError(cause, config.dataDir).message });
  }
}

export async function watchStanding({ chain, providerId, alerts, admission }: ProviderContext): Promise<void> {
  const isEvicted = (await chain.registry.evictedAtPeriod(providerId)) !== 0n;
  admission.set("evicted", isEvicted);
  if (isEvicted) alerts.raise({ kind: "evicted", message: "This provider was evicted: it earns nothing any more; stop it." });
}

/**
 * At the start: remembers which slots have a deal, and tells of slots that the chain says are here and that the folder does not have: the
 * wrong disk, more often than a loss.
 */
export async function compareWithLine({ chain, store, alerts }: ProviderContext, inventory: Inventory): Promise<void> {
  const current = Number(await chain.proofs.currentPeriod());
  const absent: string[] = [];
  let looked = 0;
  for (const interval of inventory.all()) {
    looked += 1;
    if (looked % LOOKED_UP_AT_ONCE === 0) await new Promise(setImmediate);
    const uploadId = uploadIdOf(interval.dealId, interval.slotIndex);
    if (store.has(uploadId)) {
      store.markDealt(uploadId, true);
      continue;
    }
    if (await inventory.isLive(interval, current)) absent.push(`${interval.dealId}/${interval.slotIndex}`);
  }
  if (absent.length === 0) return;
  const message = `${absent.length} slots of this provider are not in the data folder; stop, mount the right disk, and start again.`;
  alerts.raise({ kind: "disk-failing", subject: "absent", message, details: { slots: absent.slice(0, NAMED_MAX) } });
}
