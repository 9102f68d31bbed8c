/** Every message that the core contracts, the committee and the pools take, how it is carried, and what it must not be good for. */
import {
  answerRootsHash,
  COMMIT_REPORT_TYPES,
  JOIN_COMMITTEE_TYPES,
  READ_ANSWER_TYPES,
  REFILL_SLOT_TYPES,
  RENEW_DEAL_TYPES,
  SPONSORED_RENEWAL_TYPES,
  SPONSORSHIP_TYPES,
} from "@ppio/core";
import { id, Signature, type TypedDataDomain, type TypedDataField } from "ethers";
import { ethers } from "./chain.ts";
import { MIN_STAKE_WEI } from "./committee.ts";
import { servedAtOf } from "./lies.ts";
import { FAR, GWEI, NO_PERMIT, OFFER_TYPES } from "./parameters.ts";
import { escrowOf, makeSponsored, openDealMessage, type SponsoredDeal, signOpenDeal } from "./sponsor-world.ts";
import type { Stage } from "./stage.ts";
import { OPEN_DEAL_TYPES, TERMINATE_DEAL_TYPES, WITHDRAW_TYPES } from "./typed-data.ts";
import { type OpenedDeal, offerMessage, type TestProvider } from "./world.ts";

// biome-ignore lint/suspicious/noExplicitAny: what is signed is passed on as arguments of any contract.
export type Value = Record<string, any>;

interface Signer {
  readonly address: string;
  signTypedData(domain: TypedDataDomain, types: Record<string, TypedDataField[]>, value: Value): Promise<string>;
}

/** A message ready to be signed, and the call that carries it: `send` takes the message's fields from `value`, whatever was signed. */
interface Prepared {
  readonly domain: TypedDataDomain;
  readonly types: Record<string, TypedDataField[]>;
  readonly signer: Signer;
  readonly value: Value;
  send(signature: string, value: Value): Promise<unknown>;
  /** What the same signature is tried on, as changes of the call's fields. */
  readonly others: Readonly<Record<string, Value>>;
}

/** Errors are written `Contract.Error`. */
export interface Form {
  readonly message: string;
  /** Where one message has several uses. */
  readonly use: string;
  prepare(stage: Stage): Promise<Prepared>;
  /** Signed for another chain or contract, or by somebody else. */
  readonly foreign: string;
  readonly twice: string;
  /** The field that ends its validity and the error after it; none for a message without an end. */
  readonly late?: readonly [field: string, error: string];
  /** Errors of `others`. */
  readonly otherwise: Readonly<Record<string, string>>;
}

const OFFER_FOREIGN = "StorageMarket.InvalidOfferSignature";
const OWNER_FOREIGN = "StorageMarket.InvalidOwnerSignature";
const POOL_FOREIGN = "SponsorPool.InvalidSponsorSignature";

function compact(signature: string): { r: string; vs: string } {
  const { r, yParityAndS: vs } = Signature.from(signature);
  return { r, vs };
}

/** A deal whose slots have the same bytes, so that nothing but the signature tells them apart; the first two are vacant. */
async function vacantTwins({ world, providers }: Stage): Promise<OpenedDeal> {
  const [p1, p2, p3] = providers;
  const [first] = (await world.makeTerms([p1])).trees;
  const deal = await world.open([p1, p2, p3], { periods: 60, ...(first === undefined ? {} : { tree: first }) });
  await world.market.connect(p1.operator).declareLost(deal.dealId, 0);
  await world.market.connect(p2.operator).declareLost(deal.dealId, 1);
  return deal;
}

/** The same bytes and holders once more, in another deal. */
async function twinOf({ world, providers }: Stage, deal: OpenedDeal): Promise<OpenedDeal> {
  const [tree] = deal.trees;
  return world.open(providers.slice(0, 3), { periods: 60, ...(tree === undefined ? {} : { tree }) });
}

const opening: Form = {
  message: "Offer",
  use: "to open a deal",
  foreign: OFFER_FOREIGN,
  twice: "StorageMarket.DealExists",
  late: ["expiry", "StorageMarket.OfferExpired"],
  otherwise: {
    "another deal": OFFER_FOREIGN,
    "another slot": OFFER_FOREIGN,
    "another owner": OFFER_FOREIGN,
    "another payer": OFFER_FOREIGN,
    "another provider": OFFER_FOREIGN,
    "another epoch": OFFER_FOREIGN,
  },
  async prepare({ world, providers: [p1, p2, p3] }) {
    const { terms } = await world.makeTerms([p1, p2]);
    const [offer, second] = terms.offers;
    if (offer === undefined || second === undefined) throw new Error("no offers");
    return {
      domain: await world.domain(),
      types: OFFER_TYPES,
      signer: p1.operator,
      value: offerMessage(terms, 0, offer),
      async send(signature, { slotIndex, owner, payer, dealSalt, providerId, operatorEpoch, expiry }) {
        const offers = [{ ...offer, providerId, operatorEpoch, expiry, ...compact(signature) }, second];
        const changed = { ...terms, owner, payer, dealSalt, offers: slotIndex === 0 ? offers : offers.reverse() };
        const sender = payer === world.reporter.address ? world.reporter : world.user;
        if (owner === payer) return world.market.connect(sender).openDeals([changed]);
        const consent = await signOpenDeal(world, changed, world.user);
        return world.market.connect(sender).openDealWithSig(changed, escrowOf(changed), FAR, consent);
      },
      others: {
        "another deal": { dealSalt: id("another deal") },
        "another slot": { slotIndex: 1 },
        "another owner": { owner: world.reporter.address, payer: world.reporter.address },
        "another payer": { payer: world.reporter.address },
        "another provider": { providerId: p3.providerId },
        "another epoch": { operatorEpoch: 2 },
      },
    };
  },
};

const refilling: Form = {
  message: "Offer",
  use: "to fill a vacant slot",
  foreign: OFFER_FOREIGN,
  twice: "StorageMarket.WrongSlotStatus",
  late: ["expiry", "StorageMarket.OfferExpired"],
  otherwise: { "another deal": OFFER_FOREIGN, "another slot": OFFER_FOREIGN, "another provider": OFFER_FOREIGN },
  async prepare(stage) {
    const { world, providers } = stage;
    const [p1, , , p4] = providers;
    const deal = await vacantTwins(stage);
    const other = await twinOf(stage, deal);
    await world.market.connect(p1.operator).declareLost(other.dealId, 0);
    const p5 = await world.addProvider(4);
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    return {
      domain: await world.domain(),
      types: OFFER_TYPES,
      signer: p4.operator,
      value: offerMessage({ ...deal.terms, ...refill }, 0, offer),
      async send(signature, { slotIndex, dealSalt, providerId, expiry }) {
        const { dealId } = dealSalt === other.terms.dealSalt ? other : deal;
        const changed = { ...offer, providerId, expiry, ...compact(signature) };
        return world.market.connect(world.user).refill(dealId, slotIndex, changed, { ...refill, dealSalt });
      },
      others: {
        "another deal": { dealSalt: other.terms.dealSalt },
        "another slot": { slotIndex: 1 },
        "another provider": { providerId: p5.providerId },
      },
    };
  },
};

const handingOver: Form = {
  message: "Offer",
  use: "to take a slot over",
  foreign: OFFER_FOREIGN,
  twice: "StorageMarket.NotAuthorized",
  late: ["expiry", "StorageMarket.OfferExpired"],
  otherwise: { "another deal": OFFER_FOREIGN, "another slot": OFFER_FOREIGN },
  async prepare(stage) {
    const { world, providers } = stage;
    const [p1, p2, p3, p4] = providers;
    const [first] = (await world.makeTerms([p1])).trees;
    const deal = await world.open([p1, p2, p3], { periods: 60, ...(first === undefined ? {} : { tree: first }) });
    const other = await twinOf(stage, deal);
    const { offer, refill } = await world.refillOffer(deal, 0, p4);
    const holders: readonly TestProvider[] = [p1, p2, p3];
    return {
      domain: await world.domain(),
      types: OFFER_TYPES,
      signer: p4.operator,
      value: offerMessage({ ...deal.terms, ...refill }, 0, offer),
      async send(signature, { slotIndex, dealSalt, expiry }) {
        const { dealId } = dealSalt === other.terms.dealSalt ? other : deal;
        const market = world.market.connect(holders[slotIndex]?.operator ?? world.user);
        return market.handOver(dealId, slotIndex, { ...offer, expiry, ...compact(signature) }, { ...refill, dealSalt });
      },
      others: { "another deal": { dealSalt: other.terms.dealSalt }, "another slot": { slotIndex: 1 } },
    };
  },
};

const openDeal: Form = {
  message: "OpenDeal",
  use: "",
  foreign: OWNER_FOREIGN,
  twice: "StorageMarket.DealExists",
  late: ["deadline", "StorageMarket.AuthorizationExpired"],
  otherwise: {
    "another deal": OWNER_FOREIGN,
    "another owner": OWNER_FOREIGN,
    "another payer": OWNER_FOREIGN,
    "another sender": "StorageMarket.NotAuthorized",
    "a higher price": OWNER_FOREIGN,
  },
  async prepare({ world, providers }) {
    const payer = world.reporter;
    const { terms } = await world.makeTerms(providers.slice(0, 2), { payer });
    return {
      domain: await world.domain(),
      types: OPEN_DEAL_TYPES,
      signer: world.user,
      value: openDealMessage(terms),
      async send(signature, { owner, payer: by, dealSalt, maxEscrowWei, deadline, sender = by }) {
        const from = world.signers.find(({ address }) => address === sender);
        return world.market.connect(from).openDealWithSig({ ...terms, owner, payer: by, dealSalt }, maxEscrowWei, deadline, signature);
      },
      others: {
        "another deal": { dealSalt: id("another deal") },
        "another owner": { owner: world.signer(0).address },
        "another payer": { payer: world.signer(0).address },
        "another sender": { sender: world.signer(0).address },
        "a higher price": { maxEscrowWei: 2n * escrowOf(terms) },
      },
    };
  },
};

const terminateDeal: Form = {
  message: "TerminateDeal",
  use: "",
  foreign: OWNER_FOREIGN,
  twice: "StorageMarket.WrongDealStatus",
  late: ["deadline", "StorageMarket.AuthorizationExpired"],
  otherwise: { "another deal": OWNER_FOREIGN },
  async prepare({ world, providers, deal }) {
    const other = await world.open(providers.slice(0, 2));
    return {
      domain: await world.domain(),
      types: TERMINATE_DEAL_TYPES,
      signer: world.user,
      value: { dealId: deal.dealId, deadline: FAR },
      send: (signature, { dealId, deadline }) => world.market.terminateWithSig(dealId, deadline, signature),
      others: { "another deal": { dealId: other.dealId } },
    };
  },
};

const refillSlot: Form = {
  message: "RefillSlot",
  use: "",
  foreign: OWNER_FOREIGN,
  twice: OWNER_FOREIGN,
  late: ["deadline", "StorageMarket.AuthorizationExpired"],
  otherwise: {
    "another deal": OWNER_FOREIGN,
    "another slot": OWNER_FOREIGN,
    "another provider": OWNER_FOREIGN,
    "less collateral": OWNER_FOREIGN,
  },
  async prepare(stage) {
    const { world, providers } = stage;
    const p4 = providers[3];
    const p5 = await world.addProvider(4);
    const deal = await vacantTwins(stage);
    const other = await twinOf(stage, deal);
    return {
      domain: await world.domain(),
      types: REFILL_SLOT_TYPES,
      signer: world.user,
      value: {
        dealId: deal.dealId,
        slotIndex: 0,
        vacantFrom: (await world.market.slot(deal.dealId, 0)).fromPeriod,
        providerId: p4.providerId,
        collateralWei: 10n ** 18n,
        deadline: FAR,
      },
      async send(signature, { dealId, slotIndex, providerId, collateralWei, deadline }) {
        const of = dealId === deal.dealId ? deal : other;
        const taker = providerId === p4.providerId ? p4 : p5;
        const { offer, refill } = await world.refillOffer(of, slotIndex, taker, { collateralWei });
        return world.market.refillWithSig(dealId, slotIndex, offer, refill, deadline, signature);
      },
      others: {
        "another deal": { dealId: other.dealId },
        "another slot": { slotIndex: 1 },
        "another provider": { providerId: p5.providerId },
        "less collateral": { collateralWei: GWEI },
      },
    };
  },
};

const renewDeal: Form = {
  message: "RenewDeal",
  use: "",
  foreign: OWNER_FOREIGN,
  twice: "StorageMarket.InvalidTerms",
  late: ["deadline", "StorageMarket.AuthorizationExpired"],
  otherwise: { "another deal": OWNER_FOREIGN, "a later end": OWNER_FOREIGN },
  async prepare({ world, providers, deal }) {
    const { end } = await world.market.deal(deal.dealId);
    const other = await world.open(providers.slice(0, 2), { renewUntil: Number(end) + 100 });
    await world.fund(world.user, 10n ** 20n);
    return {
      domain: await world.domain(),
      types: RENEW_DEAL_TYPES,
      signer: world.user,
      value: { dealId: deal.dealId, newEnd: end + 5n, deadline: FAR },
      send: (signature, { dealId, newEnd, deadline }) => world.market.renewWithSig(dealId, newEnd, deadline, signature, NO_PERMIT),
      others: { "another deal": { dealId: other.dealId }, "a later end": { newEnd: end + 6n } },
    };
  },
};

const withdraw: Form = {
  message: "Withdraw",
  use: "from the market",
  foreign: OWNER_FOREIGN,
  twice: OWNER_FOREIGN,
  late: ["deadline", "StorageMarket.AuthorizationExpired"],
  otherwise: { "another account": OWNER_FOREIGN, "another receiver": OWNER_FOREIGN },
  async prepare({ world, deal }) {
    await world.market.connect(world.user).terminate(deal.dealId);
    return {
      domain: await world.domain(),
      types: WITHDRAW_TYPES,
      signer: world.user,
      value: { account: world.user.address, to: world.signer(14).address, nonce: 0, deadline: FAR },
      send: (signature, { account, to, deadline }) => world.market.withdrawWithSig(account, to, deadline, signature),
      others: { "another account": { account: world.reporter.address }, "another receiver": { to: world.reporter.address } },
    };
  },
};

const FRAUD_FOREIGN = "FraudProofs.InvalidSignature";
const readAnswer: Form = {
  message: "ReadAnswer",
  use: "as a fraud proof",
  foreign: FRAUD_FOREIGN,
  twice: "PossessionProofs.ProviderGone",
  otherwise: {
    "another deal": FRAUD_FOREIGN,
    "another slot": FRAUD_FOREIGN,
    "another cell": FRAUD_FOREIGN,
    "another time": FRAUD_FOREIGN,
    "another provider": FRAUD_FOREIGN,
  },
  async prepare({ world, providers, deal }) {
    const [p1, p2] = providers;
    const other = await world.open([p1, p2]);
    const lie = new Uint8Array(32).fill(0xee);
    const servedAt = await servedAtOf(world, deal);
    return {
      domain: await world.domain(),
      types: READ_ANSWER_TYPES,
      signer: p1.operator,
      value: { dealId: deal.dealId, slotIndex: 0, firstCell: 0, rootsHash: answerRootsHash([lie], []), servedAt },
      send: (signature, { provider = p1, ...answer }) => world.fraud.proveLie(provider.providerId, 1, answer as never, signature, 1, [lie]),
      others: {
        "another deal": { dealId: other.dealId },
        "another slot": { slotIndex: 1 },
        "another cell": { firstCell: 1 },
        "another time": { servedAt: servedAt + 1 },
        "another provider": { provider: p2 },
      },
    };
  },
};

const sponsorship: Form = {
  message: "Sponsorship",
  use: "",
  foreign: POOL_FOREIGN,
  twice: "SponsorPool.WrongSponsorshipStatus",
  late: ["deadline", "SponsorPool.AuthorizationExpired"],
  otherwise: {
    "another deal": POOL_FOREIGN,
    "a deal that was not signed": "SponsorPool.WrongDeal",
    "another user": POOL_FOREIGN,
    "more money": POOL_FOREIGN,
  },
  async prepare({ world, providers, pool }) {
    const make = () => makeSponsored(world, pool, providers.slice(0, 2), { user: world.user });
    const [deal, other] = [await make(), await make()];
    return {
      domain: poolDomain(pool.domain),
      types: SPONSORSHIP_TYPES,
      signer: pool.hotKey,
      value: { ...deal.sponsorship },
      send(signature, { carried, ...signed }) {
        const { terms, escrowWei, ownerSignature }: SponsoredDeal = carried ?? deal;
        return pool.pool.openDeal(terms, escrowWei, FAR, ownerSignature, signed as never, signature);
      },
      others: {
        "another deal": { dealId: other.sponsorship.dealId, carried: other },
        "a deal that was not signed": { carried: other },
        "another user": { user: world.reporter.address },
        "more money": { escrowMaxWei: 10n ** 30n },
      },
    };
  },
};

const poolDomain = ({ chainId, pool }: Stage["pool"]["domain"]): TypedDataDomain => ({
  name: "PPIO SponsorPool",
  version: "1",
  chainId,
  verifyingContract: pool,
});

const sponsoredRenewal: Form = {
  message: "SponsoredRenewal",
  use: "",
  foreign: POOL_FOREIGN,
  twice: "SponsorPool.EndNotLater",
  late: ["deadline", "SponsorPool.AuthorizationExpired"],
  otherwise: { "another deal": POOL_FOREIGN, "a later end": POOL_FOREIGN, "more money": POOL_FOREIGN },
  async prepare({ world, providers, pool }) {
    const make = async () => {
      const renewUntil = (await world.period()) + 100;
      const made = await makeSponsored(world, pool, providers.slice(0, 2), { user: world.user, renewUntil });
      await pool.pool.openDeal(made.terms, made.escrowWei, FAR, made.ownerSignature, made.sponsorship, made.signature);
      return made.sponsorship.dealId;
    };
    const [dealId, other] = [await make(), await make()];
    const { end } = await world.market.deal(dealId);
    return {
      domain: poolDomain(pool.domain),
      types: SPONSORED_RENEWAL_TYPES,
      signer: pool.hotKey,
      value: { dealId, newEnd: end + 5n, escrowMaxWei: 10n ** 17n, deadline: FAR },
      send: (signature, signed) =>
        pool.pool.renewDeal(signed["dealId"], signed["newEnd"], signed["escrowMaxWei"], signed["deadline"], signature),
      others: { "another deal": { dealId: other }, "a later end": { newEnd: end + 6n }, "more money": { escrowMaxWei: 10n ** 30n } },
    };
  },
};

const COMMITTEE_FOREIGN = "VerifierCommittee.InvalidSignature";
const join: Form = {
  message: "Join",
  use: "",
  foreign: COMMITTEE_FOREIGN,
  twice: COMMITTEE_FOREIGN,
  late: ["deadline", "VerifierCommittee.AuthorizationExpired"],
  otherwise: { "another verifier": COMMITTEE_FOREIGN, "more stake": COMMITTEE_FOREIGN },
  async prepare({ made }) {
    const [account, other] = [await made.newAccount(), await made.newAccount()];
    return {
      domain: made.domain(),
      types: JOIN_COMMITTEE_TYPES,
      signer: account,
      value: { verifier: account.address, amountWei: MIN_STAKE_WEI, nonce: 0, deadline: FAR },
      send: (signature, { verifier, amountWei, deadline }) => made.committee.joinWithSig(verifier, amountWei, deadline, signature),
      others: { "another verifier": { verifier: other.address }, "more stake": { amountWei: 2n * MIN_STAKE_WEI } },
    };
  },
};

const commit: Form = {
  message: "Commit",
  use: "",
  foreign: COMMITTEE_FOREIGN,
  twice: "VerifierCommittee.AlreadyCommitted",
  otherwise: { "another verifier": COMMITTEE_FOREIGN, "another term": COMMITTEE_FOREIGN, "another report": COMMITTEE_FOREIGN },
  async prepare({ made }) {
    const term = await made.nextCommittee();
    const [member, other] = await made.members(term);
    if (member === undefined || other === undefined) throw new Error("no members");
    await made.toPeriod((await made.windows(term)).commit);
    return {
      domain: made.domain(),
      types: COMMIT_REPORT_TYPES,
      signer: member,
      value: { verifier: member.address, term, commitment: ethers.id("report") },
      send: (signature, { verifier, term: of, commitment }) => made.committee.commitWithSig(verifier, of, commitment, signature),
      others: {
        "another verifier": { verifier: other.address },
        "another term": { term: term - 1 },
        "another report": { commitment: ethers.id("another report") },
      },
    };
  },
};

export const FORMS: readonly Form[] = [
  opening,
  refilling,
  handingOver,
  openDeal,
  terminateDeal,
  refillSlot,
  renewDeal,
  withdraw,
  readAnswer,
  sponsorship,
  sponsoredRenewal,
  join,
  commit,
];
