/** Every way in which a token moves through the contracts that hold some, and their doors that no guard closes meanwhile. */
import type { BaseContract, ContractTransactionResponse } from "ethers";
import { networkHelpers } from "./chain.ts";
import { MIN_STAKE_WEI } from "./committee.ts";
import { FAR, UNBONDING_SECONDS } from "./parameters.ts";
import { escrowOf, makeSponsored, openSponsored, signOpenDeal } from "./sponsor-world.ts";
import { answerChallenge, reportedTerm, type Stage, slashVerifier } from "./stage.ts";
import { WITHDRAW_TYPES } from "./typed-data.ts";

const TOKEN = 10n ** 18n;

type Sent = Promise<ContractTransactionResponse>;
/** Prepares all that moves no token of interest; what comes back moves some. */
type Passage = readonly [name: string, prepare: (stage: Stage) => Promise<() => Sent>];

export const lose = ({ world, deal, providers: [p1] }: Stage) => world.market.connect(p1.operator).declareLost(deal.dealId, 0);
export const settled = async (stage: Stage): Promise<void> => {
  await stage.world.pass(...stage.providers.slice(0, 3));
  await stage.world.settleAll(stage.deal);
};
const leftWhole = async ({ made }: Stage): Promise<void> => {
  const [verifier] = made.verifiers;
  await made.committee.connect(verifier).leave();
  await made.toTerm(Number((await made.committee.verifierOf(verifier?.address ?? "")).freeFromTerm));
};
/** A deal that the reporter pays for the user, and the user's signature. */
export const paidByAnother = async ({ world, providers }: Stage) => {
  const { terms } = await world.makeTerms(providers.slice(0, 2), { payer: world.reporter });
  return { terms, escrowWei: escrowOf(terms), signature: await signOpenDeal(world, terms, world.user) };
};

const MARKET: readonly Passage[] = [
  [
    "openDeals",
    async ({ world, providers }) => {
      const { terms } = await world.makeTerms(providers.slice(0, 2));
      return () => world.market.connect(world.user).openDeals([terms]);
    },
  ],
  [
    "openDealWithSig",
    async (stage) => {
      const { terms, escrowWei, signature } = await paidByAnother(stage);
      const market = stage.world.market.connect(stage.world.reporter);
      return () => market.openDealWithSig(terms, escrowWei, FAR, signature);
    },
  ],
  [
    "renew",
    async ({ world, deal }) => {
      const { end } = await world.market.deal(deal.dealId);
      return () => world.market.connect(world.user).renew(deal.dealId, end + 1n);
    },
  ],
  [
    "donate",
    async ({ world }) =>
      () =>
        world.market.connect(world.reporter).donate(5n),
  ],
  ["a slash for a declared loss", async (stage) => () => lose(stage)],
  [
    "withdraw",
    async (stage) => {
      await settled(stage);
      const [{ owner }] = stage.providers;
      return () => stage.world.market.connect(owner).withdraw(owner);
    },
  ],
  [
    "withdrawWithSig",
    async (stage) => {
      await settled(stage);
      const [{ owner }] = stage.providers;
      const message = { account: owner.address, to: owner.address, nonce: 0n, deadline: FAR };
      const signature = await owner.signTypedData(await stage.world.domain(), WITHDRAW_TYPES, message);
      return () => stage.world.market.withdrawWithSig(owner, owner, FAR, signature);
    },
  ],
  [
    "payFromRepairFund",
    async ({ world }) => {
      await world.market.connect(world.reporter).donate(TOKEN);
      return () => world.market.connect(world.committee).payFromRepairFund(world.committee, 5n);
    },
  ],
];

const REGISTRY: readonly Passage[] = [
  [
    "depositCollateral",
    async ({ world, providers: [p1] }) =>
      () =>
        world.registry.connect(world.user).depositCollateral(p1.providerId, 10n ** 9n),
  ],
  [
    "slash",
    async ({ world, providers: [p1] }) =>
      () =>
        world.proofs.connect(world.committee).slashForService(p1.providerId, 100),
  ],
  [
    "withdrawCollateral",
    async ({ world, providers: [p1] }) => {
      const registry = world.registry.connect(p1.owner);
      await registry.startUnbonding(p1.providerId, TOKEN);
      await networkHelpers.time.increase(UNBONDING_SECONDS);
      return () => registry.withdrawCollateral(p1.providerId);
    },
  ],
];

const CHALLENGES: readonly Passage[] = [
  [
    "open",
    async ({ world, deal }) =>
      () =>
        world.challenges.connect(world.reporter).open(deal.dealId, 0),
  ],
  [
    "withdraw",
    async (stage) => {
      await answerChallenge(stage, 0);
      const [{ owner }] = stage.providers;
      return () => stage.world.challenges.connect(owner).withdraw(owner);
    },
  ],
];

export const reserved = async (stage: Stage): Promise<void> => {
  await lose(stage);
  await stage.world.repair.connect(stage.world.reporter).reserve(stage.deal.dealId, [0]);
};
const REPAIR: readonly Passage[] = [
  [
    "reserve",
    async (stage) => {
      await lose(stage);
      return () => stage.world.repair.connect(stage.world.reporter).reserve(stage.deal.dealId, [0]);
    },
  ],
  [
    "release, whose decayed part goes to the fund",
    async (stage) => {
      await reserved(stage);
      return () => stage.world.repair.connect(stage.world.reporter).release(stage.deal.dealId, 0);
    },
  ],
  [
    "withdraw",
    async (stage) => {
      await reserved(stage);
      const repair = stage.world.repair.connect(stage.world.reporter);
      await repair.release(stage.deal.dealId, 0);
      return () => repair.withdraw(stage.world.reporter);
    },
  ],
];

const COMMITTEE: readonly Passage[] = [
  [
    "join",
    async ({ world, made }) =>
      () =>
        made.committee.connect(world.reporter).join(MIN_STAKE_WEI),
  ],
  [
    "joinWithSig",
    async ({ made }) => {
      const account = await made.newAccount();
      const signature = await made.signJoin(account, MIN_STAKE_WEI, 0n, FAR);
      return () => made.committee.joinWithSig(account, MIN_STAKE_WEI, FAR, signature);
    },
  ],
  [
    "topUp",
    async ({ world, made }) =>
      () =>
        made.committee.connect(world.reporter).topUp(made.verifiers[0]?.address ?? "", 5n),
  ],
  [
    "withdrawStake",
    async (stage) => {
      await leftWhole(stage);
      const [verifier] = stage.made.verifiers;
      return () => stage.made.committee.connect(verifier).withdrawStake(verifier?.address ?? "");
    },
  ],
  [
    "settle, which the fund pays",
    async (stage) => {
      const term = await reportedTerm(stage);
      return () => stage.made.committee.settle(term);
    },
  ],
  [
    "withdrawCredit",
    async (stage) => {
      await slashVerifier(stage);
      return () => stage.made.committee.connect(stage.world.reporter).withdrawCredit(stage.world.reporter);
    },
  ],
  [
    "forwardSlashed",
    async (stage) => {
      await slashVerifier(stage);
      return () => stage.made.committee.forwardSlashed();
    },
  ],
];

const POOL: readonly Passage[] = [
  [
    "fund",
    async ({ world, pool }) =>
      () =>
        pool.pool.connect(world.reporter).fund(5n),
  ],
  [
    "withdraw",
    async ({ world, pool }) =>
      () =>
        pool.pool.connect(pool.developer).withdraw(world.user, 5n),
  ],
  [
    "openDeal",
    async ({ world, pool, providers }) => {
      const deal = await makeSponsored(world, pool, providers.slice(0, 2), { user: world.user });
      return () => openSponsored(pool.pool, deal);
    },
  ],
  [
    "reclaim",
    async ({ world, pool, providers }) => {
      const deal = await makeSponsored(world, pool, providers.slice(0, 2), { user: world.user });
      await openSponsored(pool.pool, deal);
      await world.market.connect(world.user).terminate(deal.sponsorship.dealId);
      return () => pool.pool.reclaim();
    },
  ],
];

interface House {
  readonly contract: (stage: Stage) => BaseContract;
  readonly passages: readonly Passage[];
  /** Doors without a guard, and what they say to a token that knocks: none moves a token. Every other door is guarded. */
  readonly unguarded: Readonly<Record<string, string>>;
}

export const HOUSES: Readonly<Record<string, House>> = {
  StorageMarket: {
    contract: ({ world }) => world.market,
    passages: MARKET,
    unguarded: {
      bookSlash: "NotAuthorized",
      moveInterval: "NotAuthorized",
      startChallenge: "NotAuthorized",
      unreserve: "NotAuthorized",
    },
  },
  ProviderRegistry: {
    contract: ({ world }) => world.registry,
    passages: REGISTRY,
    unguarded: {
      register: "ZeroAddress",
      update: "UnknownProvider",
      rotateOperator: "UnknownProvider",
      setOperatorCap: "UnknownProvider",
      offerOwnership: "UnknownProvider",
      acceptOwnership: "UnknownProvider",
      startUnbonding: "UnknownProvider",
      useOperatorCap: "NotAuthorized",
      evict: "NotAuthorized",
    },
  },
  SlotChallenges: { contract: ({ world }) => world.challenges, passages: CHALLENGES, unguarded: { setBond: "NotAuthorized" } },
  SlotRepair: { contract: ({ world }) => world.repair, passages: REPAIR, unguarded: {} },
  VerifierCommittee: {
    contract: ({ made }) => made.committee,
    passages: COMMITTEE,
    unguarded: {
      leave: "WrongStatus",
      setParams: "NotOwner",
      drawCommittee: "WrongTerm",
      commit: "WrongTerm",
      commitWithSig: "InvalidSignature",
      reveal: "WrongTerm",
      reportEquivocation: "NoCommittee",
    },
  },
  SponsorPool: {
    contract: ({ pool }) => pool.pool,
    passages: POOL,
    unguarded: {
      cancel: "NotAuthorized",
      setHotKey: "OwnableUnauthorizedAccount",
      setLimits: "OwnableUnauthorizedAccount",
      setBudget: "OwnableUnauthorizedAccount",
      transferOwnership: "OwnableUnauthorizedAccount",
      acceptOwnership: "OwnableUnauthorizedAccount",
    },
  },
};
