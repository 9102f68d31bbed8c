/**
 * Answers on-demand challenges (contracts/interfaces/ISlotChallenges.sol) as soon as their beacon round is out, and carries the round when
 * nobody brought it to the chain: an answer earns the bond. A challenge whose round comes too late is dismissed. A slot that turns out
 * damaged is given up, which costs less than silence (`declareDamaged`).
 */
import { challengedLeaf, isPpioError } from "@ppio/core";
import { EventFollower, type FollowedEvent } from "@ppio/daemon";
import { ZeroAddress } from "ethers";
import type { ProviderContext } from "../context.ts";
import { leafProof } from "../prover/leaf-proof.ts";
import { findRound } from "../prover/seed.ts";
import { uploadIdOf } from "../store/slot-record.ts";

/** The contract's own number of leaves. */
const LEAVES = 5;

interface Opened extends FollowedEvent {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly round: bigint;
  /** Unix seconds. */
  readonly deadline: number;
}

export class ChallengeWatch {
  readonly #context: ProviderContext;
  readonly #follower: EventFollower<Opened>;

  constructor(context: ProviderContext) {
    this.#context = context;
    const { rpc, book, challenges } = context.chain;
    this.#follower = new EventFollower({
      fromBlock: book.fromBlock,
      latestBlock: () => rpc.getBlockNumber(),
      query: async (from, to) => {
        const logs = await challenges.queryFilter(challenges.filters.ChallengeOpened(undefined, undefined, context.providerId), from, to);
        return logs.map(({ blockNumber, args }) => {
          const { dealId, slotIndex, round, deadline } = args;
          return { block: blockNumber, dealId, slotIndex: Number(slotIndex), round, deadline: Number(deadline) };
        });
      },
    });
  }

  /** One challenge that cannot be answered keeps no other waiting. */
  async look(): Promise<void> {
    const { chain, log, metrics } = this.#context;
    const opened = await this.#follower.refresh();
    if (opened.length === 0) return;
    const block = await chain.rpc.getBlock("latest");
    if (block === null) return;
    let open = 0;
    for (const challenge of opened) {
      const subject = uploadIdOf(challenge.dealId, challenge.slotIndex);
      if (challenge.deadline < block.timestamp || !(await this.#isOpen(challenge))) {
        if (!opened.some((other) => other.round > challenge.round && other.dealId === challenge.dealId)) {
          this.#context.alerts.clear("challenge-open", subject);
        }
        continue;
      }
      open += 1;
      try {
        if (await this.#answer(challenge)) open -= 1;
      } catch (error) {
        if (!isPpioError(error)) throw error;
        log.error("a challenge could not be answered yet", { ...challenge, error });
      }
    }
    metrics.set("ppio_open_challenges", open);
  }

  async #isOpen({ dealId, slotIndex, round }: Opened): Promise<boolean> {
    const { chain, providerId } = this.#context;
    const present = await chain.challenges.challengeOf(dealId, slotIndex);
    return present.challenger !== ZeroAddress && present.round === round && Number(present.providerId) === providerId;
  }

  /** Whether it is answered. */
  async #answer({ dealId, slotIndex, round, deadline }: Opened): Promise<boolean> {
    const { chain, store, sender, alerts, damage, metrics, log } = this.#context;
    const uploadId = uploadIdOf(dealId, slotIndex);
    const until = new Date(deadline * 1000).toISOString();
    const message = `Slot ${slotIndex} of deal ${dealId} is challenged: without an answer until ${until} all of its collateral is lost.`;
    alerts.raise({ kind: "challenge-open", subject: uploadId, message, details: { dealId, slotIndex, deadline } });
    const beacon = await findRound(chain, round, true);
    if (beacon === undefined) return false;
    const proofs: string[] = [];
    try {
      await store.checkDisk();
      const { leafCount } = await chain.market.slot(dealId, slotIndex);
      for (let at = 0; at < LEAVES; at += 1) {
        const leaf = challengedLeaf(beacon.seed, { dealId, slotIndex }, at, Number(leafCount));
        proofs.push(await leafProof(store, dealId, slotIndex, leaf));
      }
    } catch (error) {
      if (isPpioError(error, "CORRUPT")) damage.suspect(uploadId);
      throw error;
    }
    const abi = chain.challenges.interface;
    const data =
      beacon.carry === undefined
        ? abi.encodeFunctionData("answer", [dealId, slotIndex, proofs])
        : abi.encodeFunctionData("answerWithBeacon", [dealId, slotIndex, proofs, beacon.carry.signature]);
    await sender.send(`answer/${dealId}/${slotIndex}/${round}`, { to: chain.book.challenges, data }, "urgent");
    metrics.add("ppio_challenges_answered_total", 1);
    alerts.clear("challenge-open", uploadId);
    log.info("challenge answered", { dealId, slotIndex, round });
    return true;
  }
}
