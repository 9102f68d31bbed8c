/** A provider's line on a chain that is a list of events, with periods that a test moves on. */
import { challengeLeaf, challengePoint, leafCountOf, verifyLeafProof } from "@ppio/core";
import { PossessionProofs__factory, StorageMarket__factory } from "@ppio/core/contracts";
import type { ChainConnection } from "@ppio/daemon";
import { getBytes, hexlify, keccak256, toQuantity, ZeroHash } from "ethers";
import type { TestSlot } from "./slot.ts";
import { BOOK, PROVIDER_ID } from "./world.ts";

const PERIOD_SECONDS = 100;
const SAMPLES = 5;
const VACANT = 2n;
const OFF_LINE_GWEI = (1n << 52n) - 1n;
export const PROOFS_ABI = PossessionProofs__factory.createInterface();
export const MARKET_ABI = StorageMarket__factory.createInterface();

interface Log {
  readonly kind: "filled" | "moved" | "deals";
  readonly blockNumber: number;
  readonly index: number;
  readonly blockHash: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface LineSlot {
  providerId: number;
  fromPeriod: number;
  liveUntil: number;
  settledTo: number;
  status: bigint;
}

export class FakeLine {
  readonly slots = new Map<string, LineSlot>();
  readonly proven = new Set<number>();
  /** Slots that were given up, in order. */
  readonly lost: string[] = [];
  logs: Log[] = [];
  block = 0;
  timestamp = 0;
  lengthGwei = 0n;
  seedIsOut = true;
  isVoid = false;
  evictedAt = 0;
  fork = 0;
  beaconUrl: string = BOOK.beaconUrl;

  /** Period p is [100 p - 100, 100 p). */
  at(period: number, seconds = 0): this {
    this.timestamp = (period - 1) * PERIOD_SECONDS + seconds;
    return this;
  }

  readonly #leaves = new Map<string, bigint>();

  #log(kind: Log["kind"], args: Log["args"]): void {
    this.block += 1;
    this.logs.push({ kind, blockNumber: this.block, index: 0, blockHash: `${this.fork}/${this.block}`, args });
  }

  fill(slot: TestSlot, payGwei: bigint, tenure: Partial<LineSlot> = {}): void {
    const { dealId, slotIndex } = slot.meta;
    this.slots.set(`${dealId}/${slotIndex}`, {
      ...{ providerId: PROVIDER_ID, fromPeriod: 1, liveUntil: 1_000, settledTo: 1, status: 1n },
      ...tenure,
    });
    this.#leaves.set(`${dealId}/${slotIndex}`, BigInt(leafCountOf(slot.header)));
    this.#log("filled", { dealId, slotIndex: BigInt(slotIndex), startGwei: this.lengthGwei, payGwei });
    this.lengthGwei += payGwei;
  }

  move(slot: TestSlot, startGwei: bigint | undefined): void {
    const { dealId, slotIndex } = slot.meta;
    this.#log("moved", { dealId, slotIndex: BigInt(slotIndex), startGwei: startGwei ?? OFF_LINE_GWEI });
  }

  end(slot: TestSlot, liveUntil: number): void {
    const known = this.slots.get(`${slot.meta.dealId}/${slot.meta.slotIndex}`);
    if (known !== undefined) known.liveUntil = liveUntil;
    this.#log("deals", { dealId: slot.meta.dealId });
  }

  /** As of `period` nobody holds the slot any more. */
  lose(dealId: string, slotIndex: bigint | number, period: number): void {
    Object.assign(this.slot(dealId, slotIndex), { status: VACANT, liveUntil: period });
    this.lost.push(`${dealId}/${slotIndex}`);
    this.#log("deals", { dealId });
  }

  /** Takes the newest `blocks` back. */
  reorg(blocks: number): void {
    this.block -= blocks;
    this.fork += 1;
    this.logs = this.logs.filter(({ blockNumber }) => blockNumber <= this.block);
  }

  seed(period: number): string {
    return keccak256(getBytes(`0x${period.toString(16).padStart(64, "0")}`));
  }

  slot(dealId: string, slotIndex: bigint | number): LineSlot {
    return this.slots.get(`${dealId}/${slotIndex}`) ?? { providerId: 0, fromPeriod: 0, liveUntil: 0, settledTo: 0, status: 0n };
  }

  /** As a node gives it. */
  #rawSlot(data: string): string {
    const call = MARKET_ABI.parseTransaction({ data });
    const [dealId, slotIndex] = call?.args ?? [];
    const gwei = { startGwei: 0n, payGwei: 1n, collateralGwei: 2n, leafCount: 3n };
    return MARKET_ABI.encodeFunctionResult("slot", [{ root: ZeroHash, ...gwei, ...this.slot(dealId, slotIndex) }]);
  }

  connection(): ChainConnection {
    const query = async (kind: string, from: number, to: number) =>
      this.logs.filter((log) => log.kind === kind && log.blockNumber >= from && log.blockNumber <= to);
    const slot = async (dealId: string, slotIndex: number) => this.slot(dealId, slotIndex);
    const slotForProof = async (dealId: string, slotIndex: number, providerId: number) => {
      const { fromPeriod, liveUntil, providerId: holder } = this.slot(dealId, slotIndex);
      const isOurs = holder === providerId;
      const leafCount = this.#leaves.get(`${dealId}/${slotIndex}`) ?? 0n;
      return { payGwei: isOurs ? 1n : 0n, fromPeriod: isOurs ? fromPeriod : 0, untilPeriod: isOurs ? liveUntil : 0, leafCount };
    };
    return {
      book: { ...BOOK, beaconUrl: this.beaconUrl },
      rpc: {
        getBlockNumber: async () => this.block,
        send: async (method: string, [asked]: [{ fromBlock: string; toBlock: string; data: string }]) =>
          method === "eth_call"
            ? this.#rawSlot(asked.data)
            : (await query("filled", Number(asked.fromBlock), Number(asked.toBlock))).map(rawFilled),
        getBlock: async () => ({ timestamp: this.timestamp, number: this.block }),
      },
      registry: { evictedAtPeriod: async () => BigInt(this.evictedAt) },
      beacon: { isOnTime: async () => this.seedIsOut, randomness: async (round: bigint) => this.seed(Number(round)) },
      market: {
        filters: {
          SlotFilled: () => "filled",
          DealStatusChanged: () => "deals",
          DealRenewed: () => "renewed",
          SlotVacated: () => "vacated",
          SlotHandedOver: () => "handed over",
        },
        interface: MARKET_ABI,
        queryFilter: query,
        slotForProof,
        slot,
        pastTenure: async (dealId: string, slotIndex: number) => {
          const { status, liveUntil } = this.slot(dealId, slotIndex);
          return status === VACANT ? { payGwei: 1n, untilPeriod: BigInt(liveUntil), isSettled: true } : { payGwei: 0n };
        },
      },
      proofs: {
        filters: { IntervalMoved: () => "moved" },
        interface: PROOFS_ABI,
        queryFilter: query,
        OFF_LINE_GWEI: async () => OFF_LINE_GWEI,
        periodOf: async (timestamp: number) => BigInt(Math.floor(timestamp / PERIOD_SECONDS) + 1),
        currentPeriod: async () => BigInt(Math.floor(this.timestamp / PERIOD_SECONDS) + 1),
        finalBefore: async () => BigInt(Math.floor(this.timestamp / PERIOD_SECONDS)),
        periodBounds: async (period: number) => [BigInt((period - 1) * PERIOD_SECONDS), BigInt(period * PERIOD_SECONDS)],
        periodSeconds: async () => BigInt(PERIOD_SECONDS),
        isProven: async (_providerId: number, period: number) => this.proven.has(period),
        isVoid: async () => this.isVoid,
        lengthAt: async () => this.lengthGwei,
        inventory: async () => ({ lengthGwei: this.lengthGwei, liveGwei: this.lengthGwei }),
        seedRound: async (period: number) => BigInt(period),
        samplesPerProof: async () => BigInt(SAMPLES),
        compactionOf: async () => ({ gapStartGwei: 0n, gapEndGwei: 0n, period: 0n }),
      },
    } as unknown as ChainConnection;
  }

  /** What the contract does with a proof: takes it only if every sample is the drawn one and right. */
  takeProof(data: string, slots: readonly TestSlot[], seed?: string): void {
    const call = PROOFS_ABI.parseTransaction({ data });
    const period = Number(call?.args["period"]);
    const samples = call?.args["samples"] as { dealId: string; slotIndex: bigint; proof: string }[];
    if (this.proven.has(period)) throw new Error("proven already");
    const challenge = { seed: seed ?? this.seed(period), providerId: PROVIDER_ID, period };
    let answered = 0;
    for (const [draw, { dealId, slotIndex, proof }] of samples.entries()) {
      const slot = slots.find(({ meta }) => meta.dealId === dealId && meta.slotIndex === Number(slotIndex));
      const filled = this.logs.find((log) => log.kind === "filled" && log.args["dealId"] === dealId);
      if (slot === undefined || filled === undefined) throw new Error("a sample names no slot of the line");
      const point = challengePoint(challenge, draw, this.lengthGwei);
      const start = filled.args["startGwei"] as bigint;
      if (point < start || point >= start + (filled.args["payGwei"] as bigint)) throw new Error("the point lies elsewhere");
      const { fromPeriod, liveUntil } = this.slot(dealId, slotIndex);
      const isLive = fromPeriod <= period && period < liveUntil;
      if (isLive && proof === "0x") {
        this.lose(dealId, slotIndex, period);
        continue;
      }
      if (isLive !== (proof !== "0x")) throw new Error("a hole and a live slot were mixed up");
      if (!isLive) continue;
      answered += 1;
      const bytes = getBytes(proof);
      const siblings = Array.from({ length: (bytes.length - 64) / 32 }, (_, at) => bytes.slice(64 + 32 * at, 96 + 32 * at));
      const leafCount = leafCountOf(slot.header);
      const leafProof = { leaf: bytes.slice(0, 64), siblings };
      const isRight = verifyLeafProof({ root: getBytes(slot.root), leafCount }, challengeLeaf(challenge, draw, leafCount), leafProof);
      if (!isRight) throw new Error(`leaf ${hexlify(leafProof.leaf)} does not belong to the slot`);
    }
    if (answered !== SAMPLES) throw new Error(`${answered} samples were answered`);
    this.proven.add(period);
  }
}

/** As a node gives it. */
function rawFilled({ blockNumber, index, args }: Log): Record<string, unknown> {
  const { dealId, slotIndex, payGwei, startGwei } = args;
  const values = [dealId, slotIndex, PROVIDER_ID, ZeroHash, payGwei, 1n, startGwei, 1];
  const { data, topics } = MARKET_ABI.encodeEventLog("SlotFilled", values);
  return { data, topics, blockNumber: toQuantity(blockNumber), logIndex: toQuantity(index) };
}
