/** Refuses parameters that make no sense, one sentence per mistake, before a transaction is paid for. The contracts' own bounds hold too. */
import { PpioError } from "@ppio/core";
import { getBytes, isAddress } from "ethers";
import type { Deployment, DeployParameters } from "./parameters.ts";

const DAY = 86_400;
const G2_BYTES = 256;
/** On public networks a home machine must be able to sleep through a bad day. */
const OUTAGE_SECONDS_MIN = DAY;
const TIMELOCK_SECONDS = { min: 2 * DAY, max: 30 * DAY };
const ESCROW_SECONDS = { min: 60, max: 30 * DAY };
const REPORT_WINDOW_PERIODS_MAX = 256;
const REPORT_DELAY_BLOCKS_MAX = 1_024;
const BPS = 10_000;

type Rule = readonly [holds: boolean, sentence: string];

function timing(p: DeployParameters): Rule[] {
  const latest = p.seedDelaySeconds + p.roundSeconds + p.maxLagSeconds;
  return [
    [p.periodSeconds > 0 && p.roundSeconds > 0, "periodSeconds and roundSeconds must be above 0."],
    [
      latest < p.periodSeconds,
      `The latest beacon that is still in time comes ${latest} s after a period's close, but a period lasts only ${p.periodSeconds} s: shorten seedDelaySeconds or maxLagSeconds.`,
    ],
    [
      p.reportWindowPeriods >= p.penalties.destroyAfterMisses && p.reportWindowPeriods <= REPORT_WINDOW_PERIODS_MAX,
      `reportWindowPeriods must be between destroyAfterMisses (${p.penalties.destroyAfterMisses}) and ${REPORT_WINDOW_PERIODS_MAX}, or a lost provider could never be evicted.`,
    ],
    [p.reportDelayBlocks <= REPORT_DELAY_BLOCKS_MAX, `reportDelayBlocks must be at most ${REPORT_DELAY_BLOCKS_MAX}.`],
    [p.samplesPerProof > 0 && p.samplesPerProof < 256, "samplesPerProof must be between 1 and 255."],
    [
      p.unbondingSeconds >= p.reportWindowPeriods * p.periodSeconds,
      "unbondingSeconds must be at least the report window, or collateral could leave before its misses are reported.",
    ],
    [
      p.unbondingSeconds >= p.challenges.answerSeconds,
      "unbondingSeconds must be at least challenges.answerSeconds, or collateral could leave before a challenge is decided.",
    ],
    [
      p.timelockSeconds >= TIMELOCK_SECONDS.min && p.timelockSeconds <= TIMELOCK_SECONDS.max,
      "timelockSeconds must be between 2 and 30 days.",
    ],
    [p.challenges.answerSeconds > p.seedDelaySeconds, "challenges.answerSeconds must be longer than seedDelaySeconds."],
    [p.repair.reservationSeconds > p.seedDelaySeconds, "repair.reservationSeconds must be longer than seedDelaySeconds."],
    [
      p.escrow.delaySeconds >= ESCROW_SECONDS.min && p.escrow.delaySeconds <= ESCROW_SECONDS.max,
      "escrow.delaySeconds must be between a minute and 30 days.",
    ],
  ];
}

function money({ penalties: q, challenges, repair }: DeployParameters): Rule[] {
  const [fund, reporter, challenger] = [Number(q.fundBps), Number(q.reporterBps), Number(q.challengerBps)];
  const [miss, maxMiss] = [Number(q.missBps), Number(q.maxMissBps)];
  const [declared, caught] = [Number(q.declaredLossBps), Number(q.caughtLossBps)];
  return [
    [fund >= 4_000 && fund <= BPS, "penalties.fundBps must be between 4000 and 10000, or recycling one's own slash could pay."],
    [reporter <= 500 && reporter + fund <= BPS, "penalties.reporterBps must be at most 500, and at most what fundBps leaves."],
    [challenger <= 1_000 && challenger + fund <= BPS, "penalties.challengerBps must be at most 1000, and at most what fundBps leaves."],
    [q.protocolFeeBps <= 1_000, "penalties.protocolFeeBps must be at most 1000."],
    [miss <= maxMiss && maxMiss <= BPS, "penalties.missBps must be at most maxMissBps, and that at most 10000."],
    [q.destroyAfterMisses >= 2, "penalties.destroyAfterMisses must be at least 2."],
    [q.decayPeriods > 0, "penalties.decayPeriods must be at least 1."],
    [
      declared > 0 && declared < caught && caught < BPS,
      "penalties must order 0 < declaredLossBps < caughtLossBps < 10000, so that admitting a loss is always cheaper than hiding it.",
    ],
    [
      Number(q.premiumBps) * BPS < declared * fund,
      "penalties.premiumBps must stay below the fund's part of a declared loss, or losing slots and repairing them would pay.",
    ],
    [
      challenges.minBondWei > 0n && challenges.minBondWei <= challenges.bondWei && challenges.bondWei <= challenges.maxBondWei,
      "challenges must order 0 < minBondWei <= bondWei <= maxBondWei.",
    ],
    [repair.bondBps > 0 && repair.bondBps <= BPS, "repair.bondBps must be between 1 and 10000."],
  ];
}

function committee({ committee: c }: DeployParameters): Rule[] {
  return [
    [
      c.commitPeriods > 0 && c.commitPeriods <= 48 && c.revealPeriods > 0 && c.revealPeriods <= 48,
      "committee.commitPeriods and committee.revealPeriods must be between 1 and 48.",
    ],
    [
      c.termPeriods > c.commitPeriods + c.revealPeriods && c.termPeriods <= 4_096,
      "committee.termPeriods must leave a period after committing and revealing, and be at most 4096.",
    ],
    [c.leaveDelayTerms >= 4 && c.leaveDelayTerms <= 64, "committee.leaveDelayTerms must be between 4 and 64."],
    [c.seatsMin >= 4 && c.seatsMin <= c.seatsMax && c.seatsMax <= 15, "committee must order 4 <= seatsMin <= seatsMax <= 15."],
  ];
}

function forPublic({ periodSeconds, penalties, challenges, timelockSeconds, unbondingSeconds }: DeployParameters): Rule[] {
  return [
    [
      timelockSeconds < TIMELOCK_SECONDS.min || timelockSeconds >= unbondingSeconds,
      "timelockSeconds must be at least unbondingSeconds on a public network, so that providers can leave before new rules apply.",
    ],
    [
      Number(penalties.destroyAfterMisses) * periodSeconds >= OUTAGE_SECONDS_MIN,
      `penalties.destroyAfterMisses must cover 24 h of periods on a public network; ${penalties.destroyAfterMisses} periods of ${periodSeconds} s do not.`,
    ],
    [
      challenges.answerSeconds >= OUTAGE_SECONDS_MIN,
      `challenges.answerSeconds must be at least 24 h on a public network, so that a home machine is not sniped; ${challenges.answerSeconds} s are not.`,
    ],
  ];
}

/** Throws `CONFIG` with every mistake, a sentence each. `nowSeconds` is the chain's time. */
export function checkDeployment(deployment: Deployment, options: { readonly isPublic: boolean; readonly nowSeconds: number }): void {
  const { parameters, beacon, genesisTime, administrators } = deployment;
  const rules: Rule[] = [
    ...timing(parameters),
    ...money(parameters),
    ...committee(parameters),
    ...(options.isPublic ? forPublic(parameters) : []),
    [getBytes(beacon.publicKey).length === G2_BYTES, "The beacon's public key must be 256 bytes, in the layout of EIP-2537."],
    [beacon.genesisTime > 0, "The beacon's genesisTime must be the Unix seconds of its first round."],
    [genesisTime > 0 && genesisTime <= options.nowSeconds, "genesisTime must be in the chain's past, in Unix seconds."],
    [administrators.every((account) => isAddress(account)), "Every administrator must be an address."],
  ];
  const mistakes = rules.filter(([holds]) => !holds).map(([, sentence]) => sentence);
  if (mistakes.length > 0) throw new PpioError("CONFIG", mistakes.join(" "), { details: { mistakes } });
}
