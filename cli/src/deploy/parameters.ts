/** What a deployment decides, per network. Reasons for the penalties' sizes: docs/protocol/penalties.md. */

export interface PenaltyParameters {
  readonly warningWindowPeriods: number;
  readonly missBps: number;
  readonly repeatBps: number;
  readonly maxMissBps: number;
  readonly destroyAfterMisses: number;
  readonly decayPeriods: number;
  readonly fundBps: number;
  readonly reporterBps: number;
  readonly protocolFeeBps: number;
}

export interface DeployParameters {
  readonly periodSeconds: number;
  /** Between a period's close and the earliest time of its seed. */
  readonly seedDelaySeconds: number;
  readonly roundSeconds: number;
  /** A beacon that comes later than this makes its period void. */
  readonly maxLagSeconds: number;
  readonly reportWindowPeriods: number;
  readonly samplesPerProof: number;
  readonly unbondingSeconds: number;
  readonly penalties: PenaltyParameters;
}

/** Windows shortened so that a whole incident can be watched in a minute. */
export const DEVNET_PARAMETERS: DeployParameters = {
  periodSeconds: 10,
  seedDelaySeconds: 1,
  roundSeconds: 1,
  maxLagSeconds: 6,
  reportWindowPeriods: 30,
  samplesPerProof: 5,
  unbondingSeconds: 600,
  penalties: {
    warningWindowPeriods: 60,
    missBps: 500,
    repeatBps: 250,
    maxMissBps: 3_000,
    destroyAfterMisses: 5,
    decayPeriods: 60,
    fundBps: 4_000,
    reporterBps: 500,
    protocolFeeBps: 200,
  },
};
