/**
 * A chain's node for a provider that holds many slots: its events were recorded, its views answer from a few numbers, blocks come every two
 * seconds, every period is proven. What a provider asks it, it asks over HTTP, as it asks any node.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dealIdOf, type SigningDomain } from "@ppio/core";
import {
  BandwidthEscrow__factory,
  DrandBeacon__factory,
  PossessionProofs__factory,
  ProviderRegistry__factory,
  SlotChallenges__factory,
  StorageMarket__factory,
} from "@ppio/core/contracts";
import { type Interface, keccak256, toBeHex, ZeroAddress, ZeroHash } from "ethers";

const PROVIDER_ID = 1;
const BLOCK_MS = 2_000;
const PERIOD_SECONDS = 3_600;
const FILLS_PER_BLOCK = 1;
const PAY_GWEI = 100n;
const END_PERIOD = 1_000_000;
const HOLDERS = `0x${"0b".repeat(20)}`;

export interface RecordedSlot {
  readonly dealId: string;
  readonly dealSalt: string;
  readonly root: string;
}

export interface RecordedOptions {
  readonly slots: number;
  readonly operator: string;
  readonly addresses: Readonly<Record<"registry" | "market" | "proofs" | "beacon" | "challenges" | "escrow", string>>;
  readonly domain: SigningDomain;
  readonly owner: string;
  readonly leafCount: number;
}

type View = (args: readonly unknown[]) => readonly unknown[];

interface Contract {
  readonly abi: Interface;
  readonly views: Readonly<Record<string, View>>;
}

export class RecordedChain {
  readonly #options: RecordedOptions;
  readonly #server: Server;
  readonly #startedAt = Date.now();
  readonly #views: ReadonlyMap<string, Contract>;
  /** Requests by method and view, since the last `reset`. */
  readonly counts = new Map<string, number>();

  private constructor(options: RecordedOptions) {
    this.#options = options;
    this.#views = this.#makeViews();
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(pieces).toString()) as Rpc | Rpc[];
        const answer = Array.isArray(body) ? body.map((one) => this.#answer(one)) : this.#answer(body);
        response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
      });
    });
  }

  static async start(options: RecordedOptions): Promise<RecordedChain> {
    const chain = new RecordedChain(options);
    await new Promise<void>((resolve) => chain.#server.listen(0, "127.0.0.1", resolve));
    return chain;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Slot `at` of the recording. */
  slot(at: number): RecordedSlot {
    const dealSalt = keccak256(toBeHex(at, 4));
    return { dealSalt, dealId: dealIdOf(this.#options.domain, this.#options.owner, dealSalt), root: keccak256(dealSalt) };
  }

  get #recordedBlocks(): number {
    return Math.ceil(this.#options.slots / FILLS_PER_BLOCK);
  }

  get #block(): number {
    return this.#recordedBlocks + 100 + Math.floor((Date.now() - this.#startedAt) / BLOCK_MS);
  }

  get #period(): number {
    return Math.floor(Date.now() / 1000 / PERIOD_SECONDS) - 480_000;
  }

  #makeViews(): Map<string, Contract> {
    const { addresses, operator, slots, owner } = this.#options;
    const lengthGwei = BigInt(slots) * PAY_GWEI;
    const wei = 10n ** 24n;
    const slot = {
      ...{ root: ZeroHash, providerId: PROVIDER_ID, startGwei: 0n, payGwei: PAY_GWEI, collateralGwei: 1n, leafCount: 2n },
      ...{ fromPeriod: 1, liveUntil: END_PERIOD, status: 1 },
    };
    const provider = {
      ...{ owner, pendingOwner: ZeroAddress, evictedAtPeriod: 0, operatorEpoch: 1, operator, collateralWei: wei, lockedWei: wei },
      ...{ unbondingWei: 0, unbondingUntil: 0, operatorCapWei: 0, pricePerGibPeriodWei: 1, capacityBytes: 1, failureDomain: ZeroHash },
      endpoint: "http://127.0.0.1",
    };
    const periodOf = (timestamp: unknown): number => Math.floor(Number(timestamp) / PERIOD_SECONDS) - 480_000;
    return new Map<string, Contract>([
      [
        addresses.registry.toLowerCase(),
        {
          abi: ProviderRegistry__factory.createInterface(),
          views: {
            providerOfOperator: () => [PROVIDER_ID],
            getProvider: () => [provider],
            evictedAtPeriod: () => [0],
            freeCollateral: () => [0],
          },
        },
      ],
      [
        addresses.proofs.toLowerCase(),
        {
          abi: PossessionProofs__factory.createInterface(),
          views: {
            OFF_LINE_GWEI: () => [(1n << 52n) - 1n],
            periodOf: ([timestamp]) => [periodOf(timestamp)],
            periodSeconds: () => [PERIOD_SECONDS],
            currentPeriod: () => [this.#period],
            periodBounds: ([period]) => [(Number(period) + 480_000) * PERIOD_SECONDS, (Number(period) + 480_001) * PERIOD_SECONDS],
            isProven: () => [true],
            isVoid: () => [false],
            lengthAt: () => [lengthGwei],
            compactionOf: () => [0, 0, 0],
            samplesPerProof: () => [5],
            seedRound: ([period]) => [period],
            finalBefore: () => [this.#period],
            inventory: () => [{ lengthGwei, liveGwei: lengthGwei, recordedLengthGwei: 0, recordedPeriod: 0, cursor: 1, lockedGwei: 1 }],
          },
        },
      ],
      [
        addresses.market.toLowerCase(),
        {
          abi: StorageMarket__factory.createInterface(),
          views: {
            slot: () => [{ ...slot, settledTo: this.#period }],
            slotForProof: () => [ZeroHash, 0, PAY_GWEI, 2, 1, END_PERIOD],
          },
        },
      ],
      [
        addresses.beacon.toLowerCase(),
        { abi: DrandBeacon__factory.createInterface(), views: { isOnTime: () => [true], randomness: () => [ZeroHash] } },
      ],
      [addresses.escrow.toLowerCase(), { abi: BandwidthEscrow__factory.createInterface(), views: { delaySeconds: () => [3_600] } }],
      [addresses.challenges.toLowerCase(), { abi: SlotChallenges__factory.createInterface(), views: {} }],
    ]);
  }

  #answer({ id, method, params }: Rpc): Record<string, unknown> {
    try {
      return { jsonrpc: "2.0", id, result: this.#call(method, params) };
    } catch (error) {
      return { jsonrpc: "2.0", id, error: { code: -32_000, message: String(error) } };
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #call(method: string, params: readonly unknown[]): unknown {
    if (method !== "eth_call") this.#count(method);
    const hex = (value: number): string => `0x${value.toString(16)}`;
    switch (method) {
      case "eth_chainId":
        return hex(Number(this.#options.domain.chainId));
      case "eth_blockNumber":
        return hex(this.#block);
      case "eth_getBlockByNumber":
        return this.#blockOf(this.#block);
      case "eth_getBalance":
        return "0xde0b6b3a7640000";
      case "eth_gasPrice":
      case "eth_maxPriorityFeePerGas":
        return "0x3b9aca00";
      case "eth_getLogs":
        return this.#logs(params[0] as LogFilter);
      case "eth_call":
        return this.#view(params[0] as { readonly to: string; readonly data: string });
      default:
        throw new Error(`the recorded chain does not know ${method}`);
    }
  }

  #view({ to, data }: { readonly to: string; readonly data: string }): string {
    const contract = this.#views.get(to.toLowerCase());
    const parsed = contract?.abi.parseTransaction({ data });
    const view = parsed === undefined || parsed === null ? undefined : contract?.views[parsed.name];
    if (contract === undefined || !parsed || view === undefined) throw new Error(`the recorded chain has no view for ${data.slice(0, 10)}`);
    this.#count(parsed.name);
    return contract.abi.encodeFunctionResult(parsed.fragment, [...view([...parsed.args])]);
  }

  #logs({ address, topics, fromBlock, toBlock }: LogFilter): readonly unknown[] {
    const { slots, addresses } = this.#options;
    const abi = StorageMarket__factory.createInterface();
    const fragment = abi.getEvent("SlotFilled");
    if (String(address).toLowerCase() !== addresses.market.toLowerCase() || topics?.[0] !== fragment.topicHash) return [];
    const first = Math.max(1, Number(fromBlock));
    const last = Math.min(this.#recordedBlocks, Number(toBlock));
    const logs: unknown[] = [];
    for (let at = (first - 1) * FILLS_PER_BLOCK; at < Math.min(slots, last * FILLS_PER_BLOCK); at += 1) {
      const { dealId, root } = this.slot(at);
      const encoded = abi.encodeEventLog(fragment, [dealId, 1, PROVIDER_ID, root, PAY_GWEI, 1n, BigInt(at) * PAY_GWEI, 1]);
      const block = Math.floor(at / FILLS_PER_BLOCK) + 1;
      logs.push({
        ...{ address: addresses.market, ...encoded, blockNumber: toBeHex(block), blockHash: keccak256(toBeHex(block)), removed: false },
        ...{ transactionHash: ZeroHash, transactionIndex: "0x0", logIndex: `0x${(at % FILLS_PER_BLOCK).toString(16)}` },
      });
    }
    return logs;
  }

  #blockOf(number: number): Record<string, unknown> {
    const zero = "0x0000000000000000";
    return {
      ...{ hash: keccak256(toBeHex(number)), parentHash: ZeroHash, number: toBeHex(number), nonce: zero, difficulty: "0x0" },
      ...{ timestamp: toBeHex(Math.floor(Date.now() / 1000)), gasLimit: "0x1c9c380", gasUsed: "0x0", miner: HOLDERS, extraData: "0x" },
      ...{ baseFeePerGas: "0x3b9aca00", transactions: [] },
    };
  }
}

interface Rpc {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

interface LogFilter {
  readonly address?: string;
  readonly topics?: readonly unknown[];
  readonly fromBlock: string;
  readonly toBlock: string;
}
