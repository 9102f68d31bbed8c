export { PROVIDER_OPTIONS, type ProviderConfig } from "./options.ts";
export { type RunningProvider, startProvider } from "./provider.ts";
export { type SlotMeta, uploadIdOf } from "./store/slot-record.ts";
export { SlotStore } from "./store/slot-store.ts";
