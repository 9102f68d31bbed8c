/**
 * What a contract's refusal means: finds the custom error inside whatever the RPC library threw and says it in a sentence, with the
 * family's code. The names are the errors of `contracts/interfaces/`, OpenZeppelin's token errors included.
 */
import { type ErrorDescription, Interface, isError } from "ethers";
import { type ErrorCode, PpioError } from "../errors.ts";
import {
  IBandwidthEscrow__factory,
  IBucketRegistry__factory,
  IDrandBeacon__factory,
  IFraudProofs__factory,
  IPenaltyPolicy__factory,
  IPossessionProofs__factory,
  IPpioToken__factory,
  IProviderRegistry__factory,
  ISlotChallenges__factory,
  ISlotRepair__factory,
  ISponsorPool__factory,
  IStorageMarket__factory,
  IVerifierCommittee__factory,
} from "../interfaces.ts";

const TOKEN_ERRORS = [
  "error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
  "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
  "error ERC2612ExpiredSignature(uint256 deadline)",
  "error ERC2612InvalidSigner(address signer, address owner)",
  "error SafeERC20FailedOperation(address token)",
  "error ReentrancyGuardReentrantCall()",
];

const makeInterfaces = (): readonly Interface[] => [
  IStorageMarket__factory.createInterface(),
  IProviderRegistry__factory.createInterface(),
  IPossessionProofs__factory.createInterface(),
  IDrandBeacon__factory.createInterface(),
  IPenaltyPolicy__factory.createInterface(),
  IPpioToken__factory.createInterface(),
  ISlotChallenges__factory.createInterface(),
  ISlotRepair__factory.createInterface(),
  IFraudProofs__factory.createInterface(),
  IVerifierCommittee__factory.createInterface(),
  IBandwidthEscrow__factory.createInterface(),
  IBucketRegistry__factory.createInterface(),
  ISponsorPool__factory.createInterface(),
  new Interface(TOKEN_ERRORS),
];

/** Made when first needed: most processes never see a refusal. */
let interfaces: readonly Interface[] | undefined;

interface Meaning {
  readonly code: ErrorCode;
  readonly say: (values: Readonly<Record<string, unknown>>) => string;
}

/** Errors that a user or an operator can do something about; every other one is reported by name and values. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ERC20InsufficientBalance: {
    code: "NO_FUNDS",
    say: (v) => `The account ${v["sender"]} holds ${v["balance"]} wei of tokens and needs ${v["needed"]}; add tokens and repeat.`,
  },
  ERC20InsufficientAllowance: {
    code: "NO_FUNDS",
    say: (v) => `The allowance of ${v["allowance"]} wei is below the ${v["needed"]} wei needed; approve more and repeat.`,
  },
  InsufficientFreeCollateral: {
    code: "NO_FUNDS",
    say: (v) =>
      `Provider ${v["providerId"]} has ${v["freeWei"]} wei of free collateral and ${v["neededWei"]} are needed; ask for less or deposit more.`,
  },
  InsufficientCollateral: {
    code: "NO_FUNDS",
    say: (v) =>
      `Provider ${v["providerId"]} would have ${v["lockedGwei"]} gwei locked and has ${v["collateralGwei"]} of collateral; use another provider or deposit more.`,
  },
  OperatorCapExceeded: {
    code: "NO_FUNDS",
    say: (v) => `The operator of provider ${v["providerId"]} may bind ${v["leftWei"]} more wei in this period; wait, or raise its cap.`,
  },
  HeldBefore: {
    code: "CONFLICT",
    say: (v) => `Provider ${v["providerId"]} held slot ${v["slotIndex"]} before and has not let go of it yet; use another provider.`,
  },
  ReportsNotOpen: { code: "CONFLICT", say: (v) => `Misses of period ${v["period"]} may be reported from block ${v["fromBlock"]} on.` },
  StaleHead: { code: "CONFLICT", say: () => "The bucket's head was moved by another writer; read it again." },
  DealExists: { code: "ALREADY_EXISTS", say: (v) => `The deal ${v["dealId"]} is open already.` },
  UnknownProvider: { code: "NOT_FOUND", say: (v) => `There is no provider ${v["providerId"]}.` },
  ProviderIsEvicted: { code: "REFUSED", say: (v) => `Provider ${v["providerId"]} was evicted; use another one.` },
  ProviderGone: { code: "REFUSED", say: (v) => `Provider ${v["providerId"]} was evicted in period ${v["evictedAtPeriod"]}.` },
  OfferExpired: { code: "TIMEOUT", say: (v) => `The offer for slot ${v["slotIndex"]} has expired; store the object again.` },
  TooLate: { code: "TIMEOUT", say: (v) => `The offers had to be used by period ${v["startBy"]} and it is ${v["current"]}; store again.` },
  InvalidOfferSignature: {
    code: "UNAUTHORIZED",
    say: (v) => `The offer of provider ${v["providerId"]} for slot ${v["slotIndex"]} is not signed by its operator.`,
  },
  InvalidOwnerSignature: { code: "UNAUTHORIZED", say: (v) => `Signed by ${v["recovered"]} instead of the owner ${v["owner"]}.` },
  NotAuthorized: { code: "UNAUTHORIZED", say: (v) => `The account ${v["caller"]} may not do this.` },
  NotOwner: { code: "UNAUTHORIZED", say: (v) => `The account ${v["caller"]} does not own provider ${v["providerId"]}.` },
  AuthorizationExpired: { code: "UNAUTHORIZED", say: (v) => `The signature expired at ${v["deadline"]} (Unix seconds); sign again.` },
  FaucetEmptyUntil: { code: "REFUSED", say: (v) => `The faucet gives ${v["account"]} nothing before ${v["timestamp"]} (Unix seconds).` },
  WrongDealStatus: { code: "CONFLICT", say: (v) => `The deal ${v["dealId"]} is in state ${v["actual"]}, not in ${v["expected"]}.` },
  WrongSlotStatus: {
    code: "CONFLICT",
    say: (v) => `Slot ${v["slotIndex"]} of deal ${v["dealId"]} is in state ${v["actual"]}, not in ${v["expected"]}.`,
  },
};

/** Hex data of a revert, wherever the RPC library or node put it. */
export function revertData(error: unknown): string | undefined {
  const queue: unknown[] = [error];
  for (let looked = 0; looked < 20 && queue.length > 0; looked += 1) {
    const current = queue.shift();
    if (typeof current !== "object" || current === null) continue;
    const { data } = current as { data?: unknown };
    if (typeof data === "string" && /^0x([0-9a-f]{2}){4,}$/i.test(data)) return data;
    const { error: inner, info, cause } = current as { error?: unknown; info?: unknown; cause?: unknown };
    queue.push(data, inner, info, cause);
  }
  return undefined;
}

function decode(data: string): ErrorDescription | undefined {
  interfaces ??= makeInterfaces();
  for (const abi of interfaces) {
    try {
      const parsed = abi.parseError(data);
      if (parsed !== null) return parsed;
    } catch {
      // A known selector with broken values: no explanation is better than another error.
    }
  }
  return undefined;
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** The contract's refusal as an error of the family; `undefined` when `error` is no revert at all. */
export function explainRevert(error: unknown): PpioError | undefined {
  if (isError(error, "INSUFFICIENT_FUNDS")) {
    return new PpioError("NO_FUNDS", "The account has too little of the chain's own coin to pay for gas; add some and repeat.", {
      cause: error,
    });
  }
  const data = revertData(error);
  const parsed = data === undefined ? undefined : decode(data);
  if (parsed !== undefined) {
    const values = Object.fromEntries(parsed.fragment.inputs.map((input, at) => [input.name, plain(parsed.args[at])]));
    const meaning = MEANINGS[parsed.name];
    const list = Object.entries(values).map(([name, value]) => `${name}=${String(value)}`);
    const message = meaning?.say(values) ?? `The contract refused: ${parsed.name}(${list.join(", ")}).`;
    return new PpioError(meaning?.code ?? "CHAIN_REVERT", message, { cause: error, details: { contractError: parsed.name, ...values } });
  }
  if (data === undefined && !isError(error, "CALL_EXCEPTION")) return undefined;
  const reason = isError(error, "CALL_EXCEPTION") ? (error.reason ?? error.shortMessage) : "no reason given";
  return new PpioError("CHAIN_REVERT", `The contract refused: ${reason}.`, { cause: error, details: { data: data ?? "0x" } });
}
