/** What a deployment decides, per network. Reasons for the penalties' sizes: docs/protocol/penalties.md. */
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

const TOKEN = 10n ** 18n;

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
    termPeriods: 12,
    commitPeriods: 4,
    revealPeriods: 4,
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
