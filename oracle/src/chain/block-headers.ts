/** Headers of blocks as the chain hashes them, for what is shown by them (EIP-2935). */
import type { JsonRpcProvider } from "ethers";
import { encodeRlp, keccak256, toBeHex, toQuantity } from "ethers";

/** In their order; those from `baseFeePerGas` on came with later forks, and a chain may not have the last ones. */
const FIELDS = [
  ...["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty", "number"],
  ...["gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed"],
  ...["excessBlobGas", "parentBeaconBlockRoot", "requestsHash"],
] as const;
const NUMBERS: ReadonlySet<string> = new Set([
  ...["difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"],
]);

export interface BlockHeader {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  /** Nothing when the fields that the node tells do not make the block's hash: a fork that this version does not know. */
  readonly rlp: string | undefined;
}

export async function readHeader(rpc: JsonRpcProvider, number: number): Promise<BlockHeader | undefined> {
  const block = (await rpc.send("eth_getBlockByNumber", [toQuantity(number), false])) as Readonly<Record<string, unknown>> | null;
  if (block === null) return undefined;
  const fields = FIELDS.filter((name) => typeof block[name] === "string").map((name) => field(name, String(block[name])));
  const rlp = encodeRlp(fields);
  return { number, timestamp: Number(block["timestamp"]), rlp: keccak256(rlp) === block["hash"] ? rlp : undefined };
}

function field(name: string, value: string): string {
  if (!NUMBERS.has(name)) return value;
  return BigInt(value) === 0n ? "0x" : toBeHex(BigInt(value));
}
