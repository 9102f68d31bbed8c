/** Providers in memory, well or ill, and a context that reaches nothing but them. */
import {
  type DealHeader,
  dealHeaderHash,
  type FinishUploadBody,
  leafCountOf,
  type OfferBody,
  type OpenUploadBody,
  offerMessage,
  PpioError,
  type ProviderApi,
  SlotTreeBuilder,
  slotBytes,
} from "@ppio/core";
import { hexlify, Wallet } from "ethers";
import { silentLog, systemClock } from "../../../client/dist/deps.js";
import { type ClientLimits, LIMITS_DEFAULT } from "../../../client/dist/limits.js";
import { createServiceLog } from "../../../client/dist/providers/service-log.js";
import { createMemoryServiceStore } from "../../../client/dist/providers/service-store.js";
import type { storeSlots } from "../../../client/dist/put/store-slots.js";

export type StoreContext = Parameters<typeof storeSlots>[0];
export type StoreCandidate = Parameters<typeof storeSlots>[1]["candidates"][number];

export const DOMAIN = { chainId: 1n, market: `0x${"11".repeat(20)}` };
export const OWNER = Wallet.createRandom();
export const OPERATOR = Wallet.createRandom();
export const PAY_WEI = 1_000_000_000n;
const DEAL_SALT = `0x${"22".repeat(32)}`;

export const termsOf = (header: DealHeader) => ({
  owner: OWNER.address,
  payer: OWNER.address,
  dealSalt: DEAL_SALT,
  header,
  renewUntil: 0,
});

/** What is wrong with a provider; nothing by default. Each may wait for ever, fail, or change what is answered. */
export interface Illness {
  onOpen?(provider: SimulatedProvider, signal: AbortSignal | undefined): Promise<void>;
  /** Before bytes are taken. */
  onPut?(provider: SimulatedProvider, signal: AbortSignal | undefined): Promise<void>;
  onFinish?(provider: SimulatedProvider, signal: AbortSignal | undefined): Promise<void>;
  /** Instead of the root of what was sent. */
  root?: string;
  /** Instead of what came. */
  claimedBytes?: number;
}

/** Never answers: what a stopped process does. */
export function standStill(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

export class SimulatedProvider {
  readonly providerId: number;
  readonly #header: DealHeader;
  readonly #illness: Illness;
  #upload: { readonly slotIndex: number; readonly bytes: Uint8Array; received: number } | undefined;
  /** Bytes that came, those that came again included. */
  takenBytes = 0;
  /** Bodies that it was sent in steps. */
  bodies = 0;
  drops = 0;
  streamBytes: ProviderApi["streamBytes"];
  signatures = 0;

  constructor(providerId: number, header: DealHeader, illness: Illness = {}) {
    this.providerId = providerId;
    this.#header = header;
    this.#illness = illness;
  }

  get receivedBytes(): number {
    return this.#upload?.received ?? 0;
  }

  /** Of the slot that it was sent. */
  get bytes(): Uint8Array {
    return this.#upload?.bytes ?? new Uint8Array();
  }

  #state() {
    const receivedBytes = this.#illness.claimedBytes ?? this.receivedBytes;
    return { uploadId: "", receivedBytes, slotBytes: slotBytes(this.#header), stepBytesMax: 1 << 20 };
  }

  async openUpload({ request }: OpenUploadBody, signal?: AbortSignal) {
    await this.#illness.onOpen?.(this, signal);
    if (this.#upload?.slotIndex !== request.slotIndex) {
      this.#upload = { slotIndex: request.slotIndex, bytes: new Uint8Array(slotBytes(this.#header)), received: 0 };
    }
    return this.#state();
  }

  async uploadState() {
    return this.#state();
  }

  async putBytes(_id: string, offset: number, bytes: Uint8Array, signal?: AbortSignal) {
    const piece = bytes.slice();
    await this.#illness.onPut?.(this, signal);
    if (offset !== this.receivedBytes) throw new PpioError("CONFLICT", "Other bytes are next.");
    this.takenBytes += piece.length;
    if (this.#upload !== undefined) {
      this.#upload.bytes.set(piece, offset);
      this.#upload.received = offset + piece.length;
    }
    return this.#state();
  }

  /** Bodies that are told of while they come, as `putBytes` takes each of their steps; for those that shall have it. */
  streamInSteps(): this {
    this.streamBytes = (id, offset, _step, signal) => {
      this.bodies += 1;
      const pieces: Uint8Array[] = [];
      let isEnded = false;
      let wake = (): void => {};
      const broken = standStill(signal);
      broken.catch(() => {});
      const taken: (() => void)[] = [];
      const states = async function* (this: SimulatedProvider) {
        for (let at = offset; ; ) {
          const piece = pieces.shift();
          if (piece === undefined && isEnded) return;
          if (piece === undefined) {
            await Promise.race([new Promise<void>((resolve) => (wake = resolve)), broken]);
            continue;
          }
          const state = await this.putBytes(id, at, piece, signal);
          at += piece.length;
          taken.shift()?.();
          yield state;
        }
      };
      return {
        states: states.call(this),
        write: (bytes) => {
          pieces.push(bytes);
          wake();
          return new Promise((resolve) => taken.push(resolve));
        },
        end: () => {
          isEnded = true;
          wake();
        },
      };
    };
    return this;
  }

  async dropUpload() {
    this.drops += 1;
    this.#upload = undefined;
  }

  async finishUpload(_id: string, body: FinishUploadBody, signal?: AbortSignal): Promise<OfferBody> {
    await this.#illness.onFinish?.(this, signal);
    const header = this.#header;
    const upload = this.#upload;
    if (upload?.received !== slotBytes(header)) throw new PpioError("TRUNCATED", "Bytes are missing.");
    const tree = new SlotTreeBuilder(header);
    for (let at = 0; at < upload.bytes.length; at += header.cellBytes) tree.push(upload.bytes.subarray(at, at + header.cellBytes));
    const root = hexlify(tree.finish().root);
    if (root !== body.root) throw new PpioError("CORRUPT", "The bytes have another root.");
    const { startBy, periods, renewUntil } = body;
    const agreed = {
      providerId: this.providerId,
      operatorEpoch: 1,
      root: this.#illness.root ?? root,
      leafCount: leafCountOf(header),
      startBy,
      periods,
      renewUntil,
      expiry: Math.floor(Date.now() / 1000) + 600,
    };
    const { owner, payer, dealSalt } = termsOf(header);
    const slot = { owner, payer, dealSalt, slotIndex: upload.slotIndex, k: header.k, n: header.n, headerHash: dealHeaderHash(header) };
    const money = { payPerPeriodWei: PAY_WEI, collateralWei: PAY_WEI };
    const signature = await offerMessage.sign(DOMAIN, { ...agreed, ...slot, ...money }, OPERATOR);
    this.signatures += 1;
    return { ...agreed, payPerPeriodWei: String(PAY_WEI), collateralWei: String(PAY_WEI), signature };
  }
}

export function contextOf(providers: readonly SimulatedProvider[], limits: Partial<ClientLimits> = {}): StoreContext {
  return {
    chain: { domain: DOMAIN, signer: () => OWNER },
    clock: systemClock,
    log: silentLog,
    service: createServiceLog({ store: createMemoryServiceStore(), clock: systemClock, log: silentLog }),
    limits: { ...LIMITS_DEFAULT, pauseMs: 1, ...limits },
    api: (endpoint: string) => providers.find(({ providerId }) => endpoint === String(providerId)),
  } as unknown as StoreContext;
}

export function candidatesOf(providers: readonly SimulatedProvider[]): StoreCandidate[] {
  return providers.map(({ providerId }) => ({
    providerId,
    operator: OPERATOR.address,
    operatorEpoch: 1,
    endpoint: String(providerId),
    payPerPeriodWei: PAY_WEI,
  })) as unknown as StoreCandidate[];
}
