/** The provider's settings: the table behind flags, environment, file and docs. */
import { OFFER_HOLDS_SECONDS_MIN } from "@ppio/core";
import { type ConfigOf, defineOptions } from "@ppio/daemon";
import { REACH_OPTIONS } from "./reach/options.ts";

export const PROVIDER_OPTIONS = defineOptions({
  dataDir: { type: "string", help: "folder for slots and journals", default: ".ppio/provider" },
  network: { type: "string", help: "address book of the network", default: ".ppio/devnet/addresses.json" },
  privateKey: { type: "string", help: "key of the operator, 0x hex", secret: true },
  host: { type: "string", help: "address to listen on", default: "127.0.0.1" },
  port: { type: "integer", help: "port to listen on; 0 for any free one", default: "0", max: 65_535 },
  controlPort: { type: "integer", help: "port of the status page, on loopback; 0 for any free one", default: "0", max: 65_535 },
  capacityBytes: { type: "integer", help: "space to rent out", default: "107374182400", min: 1 },
  pricePerGibPeriodWei: { type: "wei", help: "price of a GiB per period", default: "100000000000000" },
  priceRisePercent: { type: "integer", help: "how much dearer a full disk is than an empty one", default: "0", max: 10_000 },
  readPricePerGibWei: { type: "wei", help: "price of reads per GiB, paid by vouchers; 0 for free reads", default: "0" },
  readCreditBytes: { type: "integer", help: "how much is served before it is paid", default: "1048576", min: 65_536, max: 67_108_864 },
  redeemAtWei: { type: "wei", help: "redeem vouchers early when so much is open, for the gas it costs", default: "1000000000000000000" },
  collateralPeriods: { type: "integer", help: "collateral per slot, in periods of its pay", default: "200" },
  minCollateralWei: { type: "wei", help: "least collateral per slot", default: "1000000000000000" },
  maxCollateralWei: { type: "wei", help: "most collateral that one slot may lock; 0 for no bound", default: "0" },
  undealtBytesPerPayer: { type: "integer", help: "bytes that one payer may upload before a deal opens", default: "68719476736" },
  undealtSeconds: { type: "integer", help: "how long an upload waits for its deal", default: "3600" },
  offerSeconds: { type: "integer", help: "how long a signed offer holds", default: "600", min: 2 * OFFER_HOLDS_SECONDS_MIN },
  periodsMin: { type: "integer", help: "shortest deal that is accepted, in periods", default: "1", min: 1, max: 0xffffffff },
  periodsMax: { type: "integer", help: "longest deal that is accepted, in periods", default: "1000000", min: 1, max: 0xffffffff },
  slotsMax: { type: "integer", help: "slots held at most", default: "100000", min: 1 },
  payersAllowed: { type: "string", help: "addresses whose deals are taken, separated by commas; empty for everybody's", default: "" },
  payersDenied: { type: "string", help: "addresses whose deals are not taken", default: "" },
  uploadBytesPerSecond: { type: "integer", help: "most that is sent to readers; 0 for no cap", default: "0" },
  downloadBytesPerSecond: { type: "integer", help: "most that is taken in from uploaders; 0 for no cap", default: "0" },
  hours: { type: "string", help: "when these caps hold, in UTC, such as 07:00-23:30; empty for always", default: "" },
  scrubBytesPerSecond: { type: "integer", help: "how fast stored slots are read again and checked; 0 for never", default: "8388608" },
  alertUrl: { type: "string", help: "alerts are posted here as JSON; empty for none", default: "", secret: true },
  repair: { type: "boolean", help: "take vacant slots of deals, rebuild and fill them", default: "true" },
  repairBelow: {
    type: "integer",
    help: "repair a deal when less of its spare slots than this live, in percent",
    default: "75",
    min: 1,
    max: 100,
  },
  repairBytesPerSecond: {
    type: "integer",
    help: "traffic of repairs, each way: own ones, and others' that are served",
    default: "8388608",
    min: 65_536,
  },
  repairMinGainWei: { type: "wei", help: "least that a repair must earn, for the gas it costs", default: "0" },
  repairReserveWei: {
    type: "wei",
    help: "reserve, and bond, for reads of own repairs, from the operator's tokens when a source wants money; 0 to pay none",
    default: "1000000000000000000",
  },
  repairReadsWeiPerDay: { type: "wei", help: "most that reads of own repairs may cost in a day", default: "1000000000000000000" },
  repairMaxReadPriceWei: { type: "wei", help: "dearest GiB that own repairs read", default: "100000000000000000" },
  ...REACH_OPTIONS,
  logLevel: { type: "string", help: "debug, info, warn or error", default: "info" },
});

export type ProviderConfig = ConfigOf<typeof PROVIDER_OPTIONS>;
