/** Gas of whole transactions: by the receipt, so with the base fee, the calldata and the floor of EIP-7623 in it. */
import type { ContractTransactionReceipt, ContractTransactionResponse } from "ethers";

export async function receiptOf(transaction: Promise<ContractTransactionResponse>): Promise<ContractTransactionReceipt> {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error("not mined");
  return receipt;
}

export async function gasOf(transaction: Promise<ContractTransactionResponse>): Promise<number> {
  return Number((await receiptOf(transaction)).gasUsed);
}

/** What a transaction pays at least for its calldata (EIP-7623): 21,000 + 10 per zero byte + 40 per other byte. */
export function calldataFloor(data: string): number {
  const bytes = Buffer.from(data.slice(2), "hex");
  return 21_000 + bytes.reduce((sum, byte) => sum + (byte === 0 ? 10 : 40), 0);
}
