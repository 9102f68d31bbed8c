/**
 * What a deployment decides, per network. Reasons for the penalties' sizes: docs/protocol/penalties.md; for the public networks':
 * docs/operating/deploy-testnet.md. `check-parameters.ts` refuses what makes no sense before anything is sent.
 */
import type { IPenaltyPolicy, IVerifierCommittee } from "@ppio/core/contracts";

type Numbers<T> = { readonly [K in keyof T]: number | bigint };

export interface DeployParameters {
  readonly periodSeconds: number;
  /** Between a period's close, a challenge or a reservation, and the earliest time of its seed. */
  readonly seedDelaySeconds: number;
  readonly roundSeconds: number;
  /** A beacon that comes later than this makes its period void. */
  readonly maxLagSeconds: number;
  readonly reportWindowPeriods: number;
  /** Blocks in which a halt of the chain can be shown before misses are reported. */
  readonly reportDelayBlocks: number;
  readonly samplesPerProof: number;
  readonly unbondingSeconds: number;
  readonly timelockSeconds: number;
  readonly penalties: Numbers<IPenaltyPolicy.ParamsStruct>;
  readonly challenges: {
    readonly answerSeconds: number;
    readonly bondWei: bigint;
    readonly minBondWei: bigint;
    readonly maxBondWei: bigint;
  };
  readonly repair: { readonly reservationSeconds: number; readonly bondBps: number };
  readonly escrow: { readonly delaySeconds: number };
  readonly committee: {
    readonly termPeriods: number;
    readonly commitPeriods: number;
    readonly revealPeriods: number;
    readonly leaveDelayTerms: number;
    readonly seatsMax: number;
    readonly seatsMin: number;
    readonly params: Numbers<IVerifierCommittee.ParamsStruct>;
  };
}

/** The beacon that a deployment believes. */
export interface DrandParameters {
  /** Key on G2 in the layout of EIP-2537, 256 bytes of hex. */
  readonly publicKey: string;
  /** Unix seconds of the first round. */
  readonly genesisTime: number;
}

/** Everything that the contracts are built from. The same values again are the same deployment. */
export interface Deployment {
  readonly parameters: DeployParameters;
  readonly beacon: DrandParameters;
  /** Unix seconds at which period 1 opens; in the past when the contracts are deployed. */
  readonly genesisTime: number;
  /** Who proposes to the timelock and executes; none for the deploying account. */
  readonly administrators: readonly string[];
}

const TOKEN = 10n ** 18n;
const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Windows shortened so that a whole incident can be watched in a minute. */
export const DEVNET_PARAMETERS: DeployParameters = {
  periodSeconds: 10,
  seedDelaySeconds: 1,
  roundSeconds: 1,
  maxLagSeconds: 6,
  reportWindowPeriods: 30,
  reportDelayBlocks: 1,
  samplesPerProof: 5,
  unbondingSeconds: 600,
  timelockSeconds: 2 * 86_400,
  penalties: {
    warningWindowPeriods: 60,
    missBps: 500,
    repeatBps: 250,
    maxMissBps: 3_000,
    destroyAfterMisses: 5,
    decayPeriods: 60,
    fundBps: 4_000,
    reporterBps: 500,
    challengerBps: 1_000,
    protocolFeeBps: 200,
    declaredLossBps: 1_000,
    caughtLossBps: 5_000,
    premiumBps: 200,
    premiumRampPeriods: 12,
  },
  challenges: { answerSeconds: 60, bondWei: TOKEN, minBondWei: TOKEN / 100n, maxBondWei: 1_000n * TOKEN },
  repair: { reservationSeconds: 120, bondBps: 100 },
  escrow: { delaySeconds: 120 },
  committee: {
    // A term of 40 s: long enough to measure in, short enough to watch. Two periods to reveal, so that one may be started anew in between.
    termPeriods: 4,
    commitPeriods: 1,
    revealPeriods: 2,
    leaveDelayTerms: 4,
    seatsMax: 9,
    seatsMin: 4,
    params: {
      minStakeWei: 1_000n * TOKEN,
      rewardWei: TOKEN,
      silentBps: 100,
      unrevealedBps: 300,
      toleranceScore: 1_000,
      thresholdScore: 5_000,
      maxServiceBps: 50,
    },
  },
};

/** A devnet's, with periods of another length: what lasts a number of periods keeps that number. */
export function devnetParameters(periodSeconds: number): DeployParameters {
  const scaled = (seconds: number): number => Math.round((seconds * periodSeconds) / DEVNET_PARAMETERS.periodSeconds);
  const { unbondingSeconds, challenges, repair, escrow } = DEVNET_PARAMETERS;
  return {
    ...DEVNET_PARAMETERS,
    periodSeconds,
    unbondingSeconds: scaled(unbondingSeconds),
    challenges: { ...challenges, answerSeconds: scaled(challenges.answerSeconds) },
    repair: { ...repair, reservationSeconds: scaled(repair.reservationSeconds) },
    escrow: { ...escrow, delaySeconds: scaled(escrow.delaySeconds) },
  };
}

/** A public L2 with blocks every 2 s: periods of an hour. */
export const L2_PARAMETERS: DeployParameters = {
  periodSeconds: HOUR,
  seedDelaySeconds: 600,
  roundSeconds: 3,
  maxLagSeconds: 1_200,
  reportWindowPeriods: 7 * 24,
  reportDelayBlocks: 300,
  samplesPerProof: 5,
  unbondingSeconds: 8 * DAY,
  // Two days more than unbonding takes: whoever leaves when a change is announced is out before it applies.
  timelockSeconds: 10 * DAY,
  penalties: {
    ...DEVNET_PARAMETERS.penalties,
    warningWindowPeriods: 7 * 24,
    missBps: 2,
    repeatBps: 1,
    maxMissBps: 100,
    destroyAfterMisses: 24,
    decayPeriods: 12,
    premiumRampPeriods: 24,
  },
  challenges: { ...DEVNET_PARAMETERS.challenges, answerSeconds: DAY },
  repair: { reservationSeconds: 6 * HOUR, bondBps: 100 },
  escrow: { delaySeconds: 3 * DAY },
  committee: { ...DEVNET_PARAMETERS.committee, termPeriods: 7 * 24, commitPeriods: 24, revealPeriods: 24 },
};

/** A public L1 with blocks every 12 s and dearer gas: periods of six hours, everything else as long as on an L2. */
export const L1_PARAMETERS: DeployParameters = {
  ...L2_PARAMETERS,
  periodSeconds: 6 * HOUR,
  seedDelaySeconds: 300,
  maxLagSeconds: 2 * HOUR,
  reportWindowPeriods: 7 * 4,
  reportDelayBlocks: 50,
  penalties: {
    ...L2_PARAMETERS.penalties,
    warningWindowPeriods: 7 * 4,
    missBps: 20,
    repeatBps: 10,
    maxMissBps: 1_000,
    destroyAfterMisses: 4,
    decayPeriods: 2,
    premiumRampPeriods: 4,
  },
  repair: { reservationSeconds: DAY, bondBps: 100 },
  committee: { ...L2_PARAMETERS.committee, termPeriods: 7 * 4, commitPeriods: 4, revealPeriods: 4 },
};
