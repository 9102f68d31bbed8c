/** Signed answers to reads, and the quickest way to evict a provider: it signs a lie. */

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { answerRootsHash, type ReadAnswer, readAnswerMessage } from "@ppio/core";
import type { ContractTransactionResponse } from "ethers";
import { ethers } from "./chain.ts";
import type { OpenedDeal, TestProvider, World } from "./world.ts";

export async function signAnswer(world: World, answer: ReadAnswer, signer: HardhatEthersSigner): Promise<string> {
  const { chainId } = await ethers.provider.getNetwork();
  return readAnswerMessage.sign({ chainId, market: await world.market.getAddress() }, answer, signer);
}

/** The first moment from which an answer of the deal counts, in Unix milliseconds. */
export async function servedAtOf(world: World, deal: OpenedDeal): Promise<number> {
  const [, close] = await world.proofs.periodBounds((await world.market.deal(deal.dealId)).start);
  return Number(close) * 1000;
}

/** Takes all of a provider's collateral and evicts it as of the running period; its deals have slots of one cell. */
export async function evictByLie(
  world: World,
  provider: TestProvider,
  deal: OpenedDeal,
  slotIndex: number,
): Promise<ContractTransactionResponse> {
  const lie = new Uint8Array(32).fill(0xee);
  const answer = {
    dealId: deal.dealId,
    slotIndex,
    firstCell: 0,
    rootsHash: answerRootsHash([lie], []),
    servedAt: await servedAtOf(world, deal),
  };
  const signature = await signAnswer(world, answer, provider.operator);
  return world.fraud.connect(world.reporter).proveLie(provider.providerId, 1, answer, signature, 1, [lie]);
}
