/**
 * What part of a provider's income do its proofs cost? The assumptions are all here, and repeated in docs/performance-gas.md; a provider
 * sends one transaction per period whatever it stores, so twice the bytes halve the share.
 */

/** 1 TB, as disks are sold, of slots; in GiB. */
export const STORED_GIB = 1e12 / 2 ** 30;
/** What a provider asks per GiB-month, about half of what central object storage with free egress asks. */
export const USD_PER_GIB_MONTH = 0.003;
export const USD_PER_ETH = 3_000;
/** Of its income. */
export const FAIR_SHARE = 0.05;
const HOURS_PER_MONTH = 730;
const WEI_PER_GWEI = 1e9;

export interface Chain {
  readonly name: string;
  readonly periodHours: number;
  readonly executionGwei: number;
  /**
   * For an L2, what its data costs on the chain below it: bytes after compression (proofs are hashes, which do not compress) times blob gas
   * of one per byte at this price. 0 where the gas of the transaction is all.
   */
  readonly blobGweiPerByte: number;
}

/** Blob gas costs at least a sixteenth of what execution costs on the chain below (EIP-7918): 0.1, 0.5 and 5 gwei there. */
export const CHAINS: readonly Chain[] = [
  { name: "L2, quiet", periodHours: 1, executionGwei: 0.001, blobGweiPerByte: 0.00625 },
  { name: "L2, usual", periodHours: 1, executionGwei: 0.005, blobGweiPerByte: 0.03125 },
  { name: "L2, busy", periodHours: 1, executionGwei: 0.05, blobGweiPerByte: 0.3125 },
  { name: "Ethereum, quiet", periodHours: 6, executionGwei: 0.1, blobGweiPerByte: 0 },
  { name: "Ethereum, usual", periodHours: 6, executionGwei: 0.5, blobGweiPerByte: 0 },
  { name: "Ethereum, busy", periodHours: 6, executionGwei: 5, blobGweiPerByte: 0 },
];

export interface Share {
  readonly chain: Chain;
  readonly usdPerMonth: number;
  readonly shareOfIncome: number;
  /** What a provider must store for its proofs to cost `FAIR_SHARE` of its income. */
  readonly fairTb: number;
  /** What the period would have to be for that at 1 TB. */
  readonly fairPeriodHours: number;
}

/** `gas` and `dataBytes` of one proof: the latter of the whole signed transaction. */
export function shareOfIncome(chain: Chain, gas: number, dataBytes: number): Share {
  const proofs = HOURS_PER_MONTH / chain.periodHours;
  const wei = (gas * chain.executionGwei + dataBytes * chain.blobGweiPerByte) * WEI_PER_GWEI;
  const usdPerMonth = (proofs * wei * USD_PER_ETH) / 1e18;
  const share = usdPerMonth / (STORED_GIB * USD_PER_GIB_MONTH);
  return {
    chain,
    usdPerMonth,
    shareOfIncome: share,
    fairTb: share / FAIR_SHARE,
    fairPeriodHours: (share / FAIR_SHARE) * chain.periodHours,
  };
}
