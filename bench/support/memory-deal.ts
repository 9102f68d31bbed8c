/** A sealed object whose providers are functions: all that a read does but the network and the chain. */
import {
  answerReader,
  answerRootsHash,
  cellRunProof,
  encodeAnswerHead,
  encodeCellSiblings,
  freeLent,
  NODE_BYTES,
  PpioError,
  planObject,
  type ReadRequest,
  readAnswerMessage,
  slotBytes,
  slotRoot,
} from "@ppio/core";
import { getBytes, Wallet } from "ethers";
import { silentLog, systemClock, systemRandom } from "../../client/dist/deps.js";
import { readObject } from "../../client/dist/get/read-object.js";
import { createReadPace } from "../../client/dist/get/read-pace.js";
import { LIMITS_DEFAULT } from "../../client/dist/limits.js";
import { createServiceLog } from "../../client/dist/providers/service-log.js";
import { createMemoryServiceStore } from "../../client/dist/providers/service-store.js";
import { createStragglers } from "../../client/dist/providers/stragglers.js";
import { createSealer } from "../../client/dist/seal/index.js";
import { createInlinePool } from "../../client/dist/workers/pool.js";
import { CODE, sealContext } from "./pipeline.ts";

type Context = Parameters<typeof readObject>[0];
type Readable = Awaited<ReturnType<Context["deals"]["get"]>>;

const DOMAIN = { chainId: 1n, market: `0x${"11".repeat(20)}` };
const DEAL_ID = `0x${"22".repeat(32)}`;
/** As a socket gives them. */
const CHUNK_BYTES = 65_536;

export interface ReadOptions {
  /** Slots whose providers have nothing. */
  readonly lost?: ReadonlySet<number>;
  /** Slots whose providers send bytes that they were not given, under heads that hold. */
  readonly tampered?: ReadonlySet<number>;
  /** Slots that are damaged on their providers' disks. */
  readonly rotten?: ReadonlySet<number>;
  /** Told when a provider finds that out. */
  readonly onFound?: (slotIndex: number) => void;
  /** Of an object that the slots do not hold. */
  readonly objectId?: Uint8Array;
  readonly onPiece?: (plaintext: Uint8Array) => void;
}

export interface MemoryDeal {
  /** Reads the whole object, which is zeros. @returns the slots that failed */
  read(options?: ReadOptions): Promise<ReadonlySet<number>>;
}

export async function makeMemoryDeal(sizeBytes: number): Promise<MemoryDeal> {
  const plan = { sizeBytes, ...CODE };
  const { header, frameBytes } = planObject(plan);
  const seal = sealContext(frameBytes);
  const slots = Array.from({ length: CODE.n }, () => new Uint8Array(slotBytes(header)));
  const task = { object: -1, seal, plan, firstRow: 0, rowCount: header.rows, slots, begun: new Uint8Array(1) };
  const roots = await createInlinePool().run("seal", task);
  const operator = Wallet.createRandom();
  const provider = { providerId: 1, owner: "", operator: operator.address, endpoint: "", failureDomain: "", evicted: false };
  const views = roots.map((cells, slotIndex) => ({
    slotIndex,
    root: slotRoot(header, cells),
    status: "Filled",
    provider: { ...provider, providerId: slotIndex + 1, endpoint: String(slotIndex) },
  }));
  const readable = { deal: { dealId: DEAL_ID, header, slots: views }, authorization: "", signed: new Set() } as unknown as Readable;

  const heads = new Map<string, Uint8Array>();
  const headOf = (slotIndex: number, firstCell: number, count: number): Uint8Array => {
    const name = `${slotIndex} ${firstCell} ${count}`;
    const known = heads.get(name);
    if (known !== undefined) return known;
    const all = roots[slotIndex] ?? new Uint8Array();
    const cellRoots = Array.from({ length: count }, (_, at) => all.slice(NODE_BYTES * (firstCell + at), NODE_BYTES * (firstCell + at + 1)));
    const siblings = cellRunProof(header, all, firstCell, count);
    const signed = { dealId: DEAL_ID, slotIndex, firstCell, rootsHash: answerRootsHash(cellRoots, siblings), servedAt: 1 };
    const signature = getBytes(operator.signingKey.sign(readAnswerMessage.digest(DOMAIN, signed)).serialized);
    const head = encodeAnswerHead({ cellRoots, siblings, servedAt: 1, signature });
    heads.set(name, head);
    return head;
  };
  async function* answer(slotIndex: number, offset: number, length: number, isTampered: boolean): AsyncGenerator<Uint8Array> {
    yield headOf(slotIndex, offset / CODE.cellBytes, Math.ceil(length / CODE.cellBytes));
    for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
      if (at % CODE.cellBytes === 0) yield encodeCellSiblings([]);
      const piece = slots[slotIndex]?.subarray(at, Math.min(at + CHUNK_BYTES, offset + length)) ?? new Uint8Array();
      yield isTampered ? piece.map((byte) => byte ^ 1) : piece;
    }
  }

  const contextOf = ({ lost, tampered, rotten, onFound }: ReadOptions, failed: Set<number>): Context => {
    const service = createServiceLog({ store: createMemoryServiceStore(), clock: systemClock, log: silentLog });
    return {
      applicationSecret: seal.applicationSecret,
      chain: { domain: DOMAIN },
      clock: systemClock,
      log: silentLog,
      random: systemRandom,
      limits: LIMITS_DEFAULT,
      workers: createInlinePool(),
      service: { ...service, failed: (providerId: number) => void failed.add(providerId - 1) },
      stragglers: createStragglers(systemClock),
      readPace: createReadPace(LIMITS_DEFAULT),
      deals: { get: async () => readable, forget: () => {} },
      api: (endpoint: string) => ({
        readSlot: async ({ slotIndex, offset, length, isCheckedByReader }: ReadRequest) => {
          if (lost?.has(Number(endpoint))) throw new PpioError("NOT_FOUND", "lost");
          const isRotten = rotten?.has(slotIndex) === true;
          if (isRotten && !isCheckedByReader) {
            onFound?.(slotIndex);
            throw new PpioError("CORRUPT", "damaged on disk");
          }
          return answerReader(answer(slotIndex, offset, length, isRotten || tampered?.has(slotIndex) === true));
        },
      }),
    } as unknown as Context;
  };
  const manifest = {
    objectId: seal.objectId,
    objectVersion: seal.objectVersion,
    objectHeader: seal.objectHeader,
    sizeBytes,
    parts: [
      {
        dealId: getBytes(DEAL_ID),
        header,
        offset: 0,
        sizeBytes,
        salt: seal.salt,
        fillKey: seal.fillKey,
        commitment: createSealer(seal, header.cellBytes).commitment,
      },
    ],
  } as unknown as Parameters<typeof readObject>[1]["manifest"];

  return {
    async read(options = {}) {
      let length = 0;
      const failed = new Set<number>();
      const context = contextOf(options, failed);
      const read = { manifest: { ...manifest, objectId: options.objectId ?? seal.objectId }, contentKey: seal.contentKey };
      for await (const piece of readObject(context, read)) {
        length += piece.length;
        options.onPiece?.(piece);
        // As the command does once a piece is written.
        freeLent(piece);
      }
      if (length !== sizeBytes) throw new Error(`Only ${length} of ${sizeBytes} bytes came.`);
      return failed;
    },
  };
}
