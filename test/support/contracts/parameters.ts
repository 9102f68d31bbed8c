/** What the contracts of tests are deployed with. */
import { ZeroHash } from "ethers";
import type { IPenaltyPolicy } from "../../../typechain-types/index.ts";

export const GWEI = 1_000_000_000n;
export const PERIOD_SECONDS = 100n;
export const ROUND_SECONDS = 3n;
export const SEED_DELAY_SECONDS = 12n;
export const MAX_LAG_SECONDS = 30n;
export const REPORT_WINDOW = 6;
export const SAMPLES = 5;
export const REPORT_DELAY_BLOCKS = 2;
export const UNBONDING_SECONDS = 1_000n;
export const ANSWER_SECONDS = 1_000n;
export const CHALLENGE_BOND_WEI = 10n ** 17n;
export const RESERVATION_SECONDS = 400n;
export const RESERVATION_BOND_BPS = 100n;
/** Of one cell of 4096 bytes at most: what the deals of tests are said to hold. */
export const HEADER = "0x0101020c000010000000000000000001";
export const PARAMS: IPenaltyPolicy.ParamsStruct = {
  warningWindowPeriods: 20,
  missBps: 500,
  repeatBps: 250,
  maxMissBps: 3_000,
  destroyAfterMisses: 4,
  decayPeriods: 5,
  fundBps: 4_000,
  reporterBps: 500,
  challengerBps: 1_000,
  protocolFeeBps: 200,
  declaredLossBps: 1_000,
  caughtLossBps: 5_000,
  premiumBps: 200,
  premiumRampPeriods: 4,
};
export const NO_PERMIT = { value: 0n, deadline: 0n, v: 0, r: ZeroHash, s: ZeroHash };
export const OFFER_TYPES = {
  Offer: (
    "uint32 providerId,uint32 operatorEpoch,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n," +
    "bytes32 headerHash,bytes32 root,uint64 leafCount,uint256 payPerPeriodWei,uint256 collateralWei,uint32 startBy," +
    "uint32 periods,uint32 renewUntil,uint64 expiry"
  )
    .split(",")
    .map((field) => ({ type: field.split(" ")[0] ?? "", name: field.split(" ")[1] ?? "" })),
};
export const FAR = 4_000_000_000n;
