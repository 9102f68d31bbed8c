/** Holds an address book to the chain: code everywhere, every contract knows exactly the others that the book names, and their terms. */
import type { EIP1193Provider } from "@nomicfoundation/ignition-core";
import { type AddressBook, PpioError } from "@ppio/core";
import {
  BandwidthEscrow__factory,
  BucketRegistry__factory,
  DrandBeacon__factory,
  PenaltyPolicy__factory,
  PossessionProofs__factory,
  PpioTimelock__factory,
  ProviderRegistry__factory,
  SlotChallenges__factory,
  SlotRepair__factory,
  SponsorPools__factory,
  StorageMarket__factory,
  VerifierCommittee__factory,
} from "@ppio/core/contracts";
import { BrowserProvider } from "ethers";
import type { Deployment } from "./parameters.ts";

/** Whose addresses stand in whose code, as immutables: few have a view of their own. */
const KNOWS = {
  registry: ["token", "market", "proofs"],
  market: ["token", "registry", "proofs", "policy", "challenges", "repair", "committee"],
  proofs: ["registry", "market", "policy", "beacon", "fraudProofs", "committee"],
  policy: ["timelock"],
  challenges: ["token", "market", "registry", "beacon", "timelock"],
  repair: ["token", "market", "beacon"],
  fraudProofs: ["market", "registry", "proofs"],
  committee: ["token", "proofs", "market", "timelock"],
  escrow: ["token"],
  sponsorPools: ["market"],
  token: [],
  beacon: [],
  buckets: [],
  timelock: [],
} as const satisfies Readonly<Partial<Record<keyof AddressBook, readonly (keyof AddressBook)[]>>>;

const wrong = (sentence: string): PpioError =>
  new PpioError("CONFIG", `${sentence} The address book does not fit this chain; deploy again.`);

/** Throws `CONFIG` with the first thing that does not fit. */
export async function checkBook(book: AddressBook, deployment: Deployment, provider: EIP1193Provider): Promise<void> {
  const chain = new BrowserProvider(provider, book.chainId, { cacheTimeout: -1, staticNetwork: true });
  try {
    await checkCode(book, chain);
    await checkViews(book, chain);
    await checkTerms(book, deployment, chain);
  } finally {
    chain.destroy();
  }
}

async function checkCode(book: AddressBook, chain: BrowserProvider): Promise<void> {
  const entries = Object.entries(KNOWS) as [keyof typeof KNOWS, readonly (keyof typeof KNOWS)[]][];
  const seen = new Map<string, string>();
  for (const [name] of entries) {
    const at = book[name].toLowerCase();
    const other = seen.get(at);
    if (other !== undefined) throw wrong(`${other} and ${name} are one contract (${book[name]}).`);
    seen.set(at, name);
  }
  const codes = await Promise.all(entries.map(([name]) => chain.getCode(book[name])));
  for (const [at, [name, others]] of entries.entries()) {
    const code = (codes[at] ?? "0x").toLowerCase();
    if (code === "0x") throw wrong(`There is no contract at ${name} (${book[name]}).`);
    for (const other of others) {
      if (!code.includes(book[other].slice(2).toLowerCase()))
        throw wrong(`The contract at ${name} does not know ${other} (${book[other]}).`);
    }
  }
}

async function checkViews(book: AddressBook, chain: BrowserProvider): Promise<void> {
  const committee = await VerifierCommittee__factory.connect(book.committee, chain).config();
  const views: readonly (readonly [what: string, actual: string, expected: string])[] = [
    ["market.token()", await StorageMarket__factory.connect(book.market, chain).token(), book.token],
    ["escrow.token()", await BandwidthEscrow__factory.connect(book.escrow, chain).token(), book.token],
    [
      "the signing domain of buckets",
      (await BucketRegistry__factory.connect(book.buckets, chain).eip712Domain()).name,
      "PPIO BucketRegistry",
    ],
    ["policy.timelock()", await PenaltyPolicy__factory.connect(book.policy, chain).timelock(), book.timelock],
    ["sponsorPools.market()", await SponsorPools__factory.connect(book.sponsorPools, chain).market(), book.market],
    ["committee.config().token", committee.token, book.token],
    ["committee.config().proofs", committee.proofs, book.proofs],
    ["committee.config().penalties", committee.penalties, book.proofs],
    ["committee.config().fund", committee.fund, book.market],
    ["committee.config().owner", committee.owner, book.timelock],
  ];
  for (const [what, actual, expected] of views) {
    if (actual.toLowerCase() !== expected.toLowerCase()) throw wrong(`${what} is ${actual} instead of ${expected}.`);
  }
}

/** What never changes on the chain; what the timelock may have changed since is not looked at. */
async function checkTerms(book: AddressBook, deployment: Deployment, chain: BrowserProvider): Promise<void> {
  const { parameters } = deployment;
  const proofs = PossessionProofs__factory.connect(book.proofs, chain);
  const beacon = DrandBeacon__factory.connect(book.beacon, chain);
  const timelock = PpioTimelock__factory.connect(book.timelock, chain);
  const terms: readonly (readonly [what: string, actual: string | bigint, expected: string | number])[] = [
    ["proofs.genesisTime()", await proofs.genesisTime(), deployment.genesisTime],
    ["proofs.periodSeconds()", await proofs.periodSeconds(), parameters.periodSeconds],
    ["proofs.seedDelaySeconds()", await proofs.seedDelaySeconds(), parameters.seedDelaySeconds],
    ["proofs.reportWindowPeriods()", await proofs.reportWindowPeriods(), parameters.reportWindowPeriods],
    ["proofs.samplesPerProof()", await proofs.samplesPerProof(), parameters.samplesPerProof],
    [
      "registry.unbondingSeconds()",
      await ProviderRegistry__factory.connect(book.registry, chain).unbondingSeconds(),
      parameters.unbondingSeconds,
    ],
    [
      "challenges.answerSeconds()",
      await SlotChallenges__factory.connect(book.challenges, chain).answerSeconds(),
      parameters.challenges.answerSeconds,
    ],
    [
      "repair.reservationSeconds()",
      await SlotRepair__factory.connect(book.repair, chain).reservationSeconds(),
      parameters.repair.reservationSeconds,
    ],
    ["escrow.delaySeconds()", await BandwidthEscrow__factory.connect(book.escrow, chain).delaySeconds(), parameters.escrow.delaySeconds],
    ["beacon.publicKey()", await beacon.publicKey(), deployment.beacon.publicKey],
    ["beacon.genesisTime()", await beacon.genesisTime(), deployment.beacon.genesisTime],
    ["beacon.roundSeconds()", await beacon.roundSeconds(), parameters.roundSeconds],
    ["beacon.maxLagSeconds()", await beacon.maxLagSeconds(), parameters.maxLagSeconds],
  ];
  for (const [what, actual, expected] of terms) {
    if (String(actual).toLowerCase() !== String(expected).toLowerCase()) throw wrong(`${what} is ${actual} instead of ${expected}.`);
  }
  const delay = await timelock.getMinDelay();
  if (delay < (await timelock.DELAY_MIN_SECONDS())) throw wrong(`timelock.getMinDelay() is ${delay}, below its own bound.`);
}
