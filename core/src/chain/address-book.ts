/** Where the contracts live: one JSON document per network, written at deployment and read by everything else. */
import { isAddress } from "ethers";
import { PpioError } from "../errors.ts";

export interface AddressBook {
  readonly version: 1;
  readonly chainId: number;
  readonly rpcUrl: string;
  /** drand-compatible HTTP endpoint of the network's beacon. */
  readonly beaconUrl: string;
  /** Block of the first deployment; event scans start here. */
  readonly fromBlock: number;
  readonly token: string;
  readonly registry: string;
  readonly market: string;
  readonly proofs: string;
  readonly policy: string;
  readonly beacon: string;
  readonly challenges: string;
  readonly repair: string;
  readonly fraudProofs: string;
  readonly committee: string;
  readonly escrow: string;
  readonly buckets: string;
  readonly sponsorPools: string;
  readonly timelock: string;
}

const CONTRACTS = [
  "token",
  "registry",
  "market",
  "proofs",
  "policy",
  "beacon",
  "challenges",
  "repair",
  "fraudProofs",
  "committee",
  "escrow",
  "buckets",
  "sponsorPools",
  "timelock",
] as const;

/** Parses an address book; throws `CONFIG` with the offending field. */
export function parseAddressBook(text: string): AddressBook {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new PpioError("CONFIG", "The address book is not JSON; deploy again or point to another file.", { cause });
  }
  const bad = (field: string): PpioError =>
    new PpioError("CONFIG", `The address book's field "${field}" is missing or wrong; deploy again or point to another file.`, {
      details: { field },
    });
  if (value["version"] !== 1) throw bad("version");
  for (const field of ["chainId", "fromBlock"] as const) if (!Number.isSafeInteger(value[field])) throw bad(field);
  for (const field of ["rpcUrl", "beaconUrl"] as const) if (typeof value[field] !== "string") throw bad(field);
  for (const field of CONTRACTS) if (!isAddress(value[field])) throw bad(field);
  return value as unknown as AddressBook;
}
