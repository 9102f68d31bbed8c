/** What a provider's parts tell their troubles to, in tests. */
import { createLogger } from "@ppio/daemon";
import { type AlertNotice, Alerts, DamageDesk, Pricing, type ProviderConfig, type SlotStore } from "@ppio/provider";

const log = createLogger({ component: "test", write: () => undefined });

export function quietAlerts(told: AlertNotice[] = []): Alerts {
  return new Alerts({ providerId: 7, log, now: () => 0, tell: (notice) => void told.push(notice) });
}

export function pricing(config: ProviderConfig, store: SlotStore, now: () => number = () => 0): Pricing {
  return new Pricing({ config, usedBytes: () => store.usedBytes, now });
}

/** A desk whose list is kept in memory. */
export function damageDesk(store: SlotStore, now: () => number = () => 0): Promise<DamageDesk> {
  let kept: unknown;
  const file = {
    load: async () => kept,
    save: async (value: object) => {
      kept = value;
    },
  };
  return DamageDesk.open({ store, file, log, now });
}
