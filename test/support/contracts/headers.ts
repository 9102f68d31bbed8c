/** Headers of blocks of the simulated chain as the chain hashes them (prague: 21 fields). */
import { encodeRlp, keccak256, toBeHex } from "ethers";
import { ethers } from "./chain.ts";

const FIELDS = [
  "parentHash",
  "sha3Uncles",
  "miner",
  "stateRoot",
  "transactionsRoot",
  "receiptsRoot",
  "logsBloom",
  "difficulty",
  "number",
  "gasLimit",
  "gasUsed",
  "timestamp",
  "extraData",
  "mixHash",
  "nonce",
  "baseFeePerGas",
  "withdrawalsRoot",
  "blobGasUsed",
  "excessBlobGas",
  "parentBeaconBlockRoot",
  "requestsHash",
];
const NUMBERS = new Set(["difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"]);

export interface Header {
  readonly hash: string;
  readonly timestamp: bigint;
  readonly rlp: string;
}

export type Changes = Readonly<Record<string, string>>;

/** The header of block `number`, with fields replaced on demand. */
export async function headerOf(number: number, changes: Changes = {}): Promise<Header> {
  const block: Record<string, string> = await ethers.provider.send("eth_getBlockByNumber", [
    toBeHex(number).replace(/^0x0+(?=.)/, "0x"),
    false,
  ]);
  const fields = FIELDS.map((name) => {
    const value = changes[name] ?? block[name] ?? "0x";
    if (!NUMBERS.has(name)) return value;
    return BigInt(value) === 0n ? "0x" : toBeHex(BigInt(value));
  });
  const rlp = encodeRlp(fields);
  return { hash: keccak256(rlp), timestamp: BigInt(block["timestamp"] ?? 0), rlp };
}
