/** Settings of a verifier: the table behind flags, environment, file and docs. */
import { type ConfigOf, defineOptions } from "@ppio/daemon";

export const VERIFIER_OPTIONS = defineOptions({
  dataDir: { type: "string", help: "folder for measurements, reports, salts and journals", default: ".ppio/verifier" },
  network: { type: "string", help: "address book of the network", default: ".ppio/devnet/addresses.json" },
  privateKey: { type: "string", help: "key that holds the stake and pays for transactions, 0x hex", secret: true },
  host: { type: "string", help: "address to listen on", default: "127.0.0.1" },
  port: { type: "integer", help: "port for health and metrics; 0 for any free one", default: "0" },
  grants: { type: "string", help: "folders or addresses of canary grants, separated by commas", default: ".ppio/grants" },
  stakeWei: { type: "wei", help: "stake to join with; 0 for the least that the committee takes", default: "0" },
  probesPerProvider: { type: "integer", help: "reads of each provider in a term", default: "24", min: 3, max: 500 },
  payerPrivateKeys: {
    type: "string",
    help: "keys of accounts that pay for probes, 0x hex, separated by commas; not the verifier's; empty to pay for none",
    default: "",
    secret: true,
  },
  payReserveWei: { type: "wei", help: "reserve of each of these accounts, topped up from its tokens", default: "2000000000000000000" },
  payBondWei: { type: "wei", help: "bond of each of these accounts", default: "1000000000000000000" },
  payBudgetWeiPerDay: { type: "wei", help: "most that all probes of a day may cost", default: "1000000000000000000" },
  payMaxPricePerGibWei: { type: "wei", help: "dearest GiB that a probe pays", default: "100000000000000000" },
  finalise: { type: "boolean", help: "draw committees, finalise scores and settle terms when nobody else has", default: "true" },
  logLevel: { type: "string", help: "debug, info, warn or error", default: "info" },
});

export type VerifierConfig = ConfigOf<typeof VERIFIER_OPTIONS>;
