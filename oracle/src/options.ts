/** Settings of the oracle and of the local beacon: the tables behind flags, environment, file and docs. */
import { type ConfigOf, defineOptions } from "@ppio/daemon";

export const ORACLE_OPTIONS = defineOptions({
  dataDir: { type: "string", help: "folder for journals", default: ".ppio/oracle" },
  network: { type: "string", help: "address book of the network", default: ".ppio/devnet/addresses.json" },
  privateKey: { type: "string", help: "key that pays for transactions, 0x hex", secret: true },
  host: { type: "string", help: "address to listen on", default: "127.0.0.1" },
  port: { type: "integer", help: "port for health and metrics; 0 for any free one", default: "0" },
  beaconUrls: { type: "string", help: "drand endpoints, separated by commas; empty for the address book's", default: "" },
  relay: { type: "boolean", help: "bring beacon rounds to the chain", default: "true" },
  reportMisses: { type: "boolean", help: "report periods that nobody proved, and mark those that are void", default: "true" },
  settle: { type: "boolean", help: "settle the slots of evicted providers and of ended deals", default: "true" },
  logLevel: { type: "string", help: "debug, info, warn or error", default: "info" },
});

export const BEACON_OPTIONS = defineOptions({
  keyFile: { type: "string", help: "the beacon's secret key; made when it is missing", default: ".ppio/beacon/key.json" },
  genesisTime: { type: "integer", help: "Unix seconds of round 1" },
  roundSeconds: { type: "integer", help: "seconds from round to round", default: "1" },
  host: { type: "string", help: "address to listen on", default: "127.0.0.1" },
  port: { type: "integer", help: "port to listen on; 0 for any free one", default: "0" },
  logLevel: { type: "string", help: "debug, info, warn or error", default: "info" },
});

export type OracleConfig = ConfigOf<typeof ORACLE_OPTIONS>;
export type BeaconConfig = ConfigOf<typeof BEACON_OPTIONS>;
