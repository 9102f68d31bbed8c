/** A provider's HTTP API over loopback with a chain that is a few maps. */
import { join } from "node:path";
import {
  type DealHeader,
  dealHeaderHash,
  dealIdOf,
  encodeDealHeader,
  type OpenUploadBody,
  type ReadTicket,
  readTicketMessage,
  type SigningDomain,
  type UploadRequest,
  uploadRequestMessage,
} from "@ppio/core";
import { type ChainConnection, createLogger, type Listener, listen, resolveConfig } from "@ppio/daemon";
import {
  Admission,
  createBandwidth,
  createProviderApp,
  createProviderMetrics,
  type PaymentDesk,
  PROVIDER_LIMITS,
  PROVIDER_OPTIONS,
  type ProviderConfig,
  type ProviderContext,
  type ProviderLimits,
  ReservedUploads,
  SlotStore,
  uploadIdOf,
  useFastKeccak,
} from "@ppio/provider";
import { getBytes, type HDNodeWallet, hexlify, Wallet, ZeroAddress } from "ethers";
import { temporaryFolder } from "../temporary.ts";
import { damageDesk, pricing, quietAlerts } from "./desks.ts";
import { HEADER, makeSlot } from "./slot.ts";

export const PROVIDER_ID = 7;
const address = (byte: string): string => `0x${byte.repeat(20)}`;
export const BOOK = {
  version: 1,
  chainId: 31_337,
  rpcUrl: "http://127.0.0.1:1",
  beaconUrl: "http://127.0.0.1:1",
  fromBlock: 0,
  token: address("11"),
  registry: address("22"),
  market: address("33"),
  proofs: address("44"),
  policy: address("55"),
  beacon: address("66"),
  challenges: address("77"),
  repair: address("88"),
  fraudProofs: address("99"),
  committee: address("a1"),
  escrow: address("a2"),
  buckets: address("a3"),
  sponsorPools: address("a4"),
  timelock: address("a5"),
} as const;
export const DOMAIN: SigningDomain = { chainId: 31_337n, market: BOOK.market };

export const CONFIG: ProviderConfig = {
  ...(await resolveConfig(PROVIDER_OPTIONS, { flags: { privateKey: "none" }, environment: {} })),
  dataDir: "",
  network: "",
  privateKey: "",
  host: "127.0.0.1",
  port: 0,
  controlPort: 0,
  capacityBytes: 1 << 20,
  pricePerGibPeriodWei: 1n << 60n,
  priceRisePercent: 0,
  collateralPeriods: 200,
  minCollateralWei: 0n,
  maxCollateralWei: 0n,
  undealtBytesPerPayer: 1 << 19,
  undealtSeconds: 3_600,
  offerSeconds: 600,
  periodsMin: 1,
  periodsMax: 1_000,
  slotsMax: 1_000,
  payersAllowed: "",
  payersDenied: "",
  uploadBytesPerSecond: 0,
  downloadBytesPerSecond: 0,
  hours: "",
  scrubBytesPerSecond: 0,
  alertUrl: "",
  repair: false,
  repairBelow: 100,
  repairBytesPerSecond: 1 << 30,
  repairMinGainWei: 0n,
  logLevel: "info",
};

export interface World {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly context: ProviderContext;
  readonly owner: HDNodeWallet;
  readonly operator: HDNodeWallet;
  /** The chain's answers; a test changes them. */
  readonly chain: {
    balanceWei: bigint;
    freeCollateralWei: bigint;
    dealStatus: bigint;
    isDown: boolean;
    dealPayer: string;
    dealHeader: string;
    /** The open reservation of any deal's slot. */
    reservation: { slotIndex: number; repairer: string; openedAt: number; until: number } | undefined;
    reservationReads: number;
  };
  readonly clock: { nowMs: number };
  /** Unix seconds. */
  expiry(): number;
  close(): Promise<void>;
}

const UNRESERVED: Pick<World["chain"], "dealPayer" | "dealHeader" | "reservation" | "reservationReads"> = {
  dealPayer: ZeroAddress,
  dealHeader: hexlify(encodeDealHeader(HEADER)),
  reservation: undefined,
  reservationReads: 0,
};

export async function startWorld(
  options: {
    readonly config?: Partial<ProviderConfig>;
    readonly limits?: Partial<ProviderLimits>;
    /** Where reads are paid. */
    readonly payments?: (context: ProviderContext) => Promise<PaymentDesk>;
  } = {},
): Promise<World> {
  useFastKeccak();
  const dir = await temporaryFolder();
  const config = { ...CONFIG, dataDir: dir, ...options.config };
  const log = createLogger({ component: "test", write: () => undefined });
  const chain: World["chain"] = { balanceWei: 10n ** 24n, freeCollateralWei: 10n ** 24n, dealStatus: 0n, isDown: false, ...UNRESERVED };
  const clock = { nowMs: 1_750_000_000_000 };
  const operator = Wallet.createRandom();
  const answer = async <T>(value: T): Promise<T> => {
    if (chain.isDown) throw new Error("node away");
    return value;
  };
  const connection = {
    book: BOOK,
    rpc: { getBlockNumber: () => answer(1) },
    token: { balanceOf: () => answer(chain.balanceWei) },
    registry: { freeCollateral: () => answer(chain.freeCollateralWei) },
    market: {
      deal: () => answer({ status: chain.dealStatus, payer: chain.dealPayer, header: chain.dealHeader }),
      slot: (_dealId: string, slotIndex: number) => answer({ status: chain.reservation?.slotIndex === slotIndex ? 5n : 1n }),
    },
    repair: {
      reservationOf: () => {
        chain.reservationReads += 1;
        const { repairer, openedAt, until } = chain.reservation ?? { repairer: ZeroAddress, openedAt: 0, until: 0 };
        return answer({ repairer, openedAt: BigInt(openedAt), until: BigInt(until) });
      },
    },
  } as unknown as ChainConnection;
  const store = await SlotStore.open({ dir: join(dir, "slots"), capacityBytes: config.capacityBytes, log, now: () => clock.nowMs });
  const damage = await damageDesk(store, () => clock.nowMs);
  const context: ProviderContext = {
    config,
    chain: connection,
    domain: DOMAIN,
    operator: new Wallet(operator.privateKey),
    providerId: PROVIDER_ID,
    operatorEpoch: 3,
    store,
    sender: { send: () => Promise.reject(new Error("nothing is sent here")) },
    damage,
    alerts: quietAlerts(),
    admission: new Admission(),
    reserved: new ReservedUploads(() => clock.nowMs),
    bandwidth: createBandwidth({ config: config, now: () => clock.nowMs }),
    pricing: pricing(config, store, () => clock.nowMs),
    metrics: createProviderMetrics(),
    log,
    now: () => clock.nowMs,
  };
  const limits = { ...PROVIDER_LIMITS, ...options.limits };
  const payments = await options.payments?.(context);
  const listener: Listener = await listen(createProviderApp(context, limits, undefined, payments), { host: "127.0.0.1", port: 0, limits });
  return {
    url: listener.url,
    port: listener.port,
    dir,
    context,
    owner: Wallet.createRandom(),
    operator,
    chain,
    clock,
    expiry: () => Math.floor(clock.nowMs / 1000) + 600,
    close: () => listener.close(),
  };
}

export interface Upload {
  readonly id: string;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly header: DealHeader;
  readonly data: Uint8Array;
  readonly root: string;
  readonly body: OpenUploadBody;
}

/** A signed request to take a slot of random bytes; `change` spoils it before it is signed. */
export async function makeUpload(
  world: World,
  change: Partial<UploadRequest> = {},
  header = HEADER,
  signer = world.owner,
): Promise<Upload> {
  const { data, root, meta } = makeSlot(header);
  const request: UploadRequest = {
    providerId: PROVIDER_ID,
    owner: world.owner.address,
    payer: world.owner.address,
    dealSalt: meta.dealSalt,
    slotIndex: meta.slotIndex,
    k: header.k,
    n: header.n,
    headerHash: dealHeaderHash(header),
    expiry: world.expiry(),
    ...change,
  };
  const dealId = dealIdOf(DOMAIN, request.owner, request.dealSalt);
  const signature = await uploadRequestMessage.sign(DOMAIN, request, signer);
  const body = { request, signature, header: hexlify(encodeDealHeader(header)) };
  return { id: uploadIdOf(dealId, request.slotIndex), dealId, slotIndex: request.slotIndex, header, data, root, body };
}

export interface Reply {
  readonly status: number;
  readonly code: string;
  readonly body: Record<string, unknown>;
}

async function reply(response: Response): Promise<Reply> {
  const text = await response.text();
  const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  const error = body["error"] as { code?: string } | undefined;
  return { status: response.status, code: error?.code ?? "", body };
}

export async function call(world: World, method: string, path: string, body?: unknown): Promise<Reply> {
  const payload = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  return reply(await fetch(`${world.url}${path}`, { method, ...payload }));
}

export async function put(world: World, id: string, offset: number, bytes: Uint8Array): Promise<Reply> {
  return reply(await fetch(`${world.url}/v1/uploads/${id}?offset=${offset}`, { method: "PUT", body: bytes as BodyInit }));
}

export const TERMS = { startBy: 10, periods: 5, renewUntil: 0 };

const STORE_TRIES_MAX = 100;

/** Takes a whole slot in. */
export async function store(world: World, header = HEADER): Promise<Upload> {
  const upload = await makeUpload(world, {}, header);
  await call(world, "POST", "/v1/uploads", upload.body);
  // As a client does: what a busy machine cut short goes on where it stopped.
  for (let received = 0, tries = 0; received < upload.data.length && tries < STORE_TRIES_MAX; tries += 1) {
    await put(world, upload.id, received, upload.data.subarray(received));
    const state = await call(world, "GET", `/v1/uploads/${upload.id}`);
    received = (state.body as { receivedBytes: number }).receivedBytes;
  }
  const { status } = await call(world, "POST", `/v1/uploads/${upload.id}/finish`, { root: upload.root, ...TERMS });
  if (status !== 200) throw new Error(`the slot was not taken: ${status}`);
  return upload;
}

export interface TicketOptions {
  readonly change?: Partial<ReadTicket>;
  readonly signer?: HDNodeWallet;
  readonly audience?: HDNodeWallet;
}

export async function ticketHeaders(world: World, upload: Upload, options: TicketOptions = {}): Promise<Record<string, string>> {
  const ticket: ReadTicket = {
    dealId: upload.dealId,
    firstCell: 0,
    cellCount: upload.header.rows,
    audience: options.audience?.address ?? ZeroAddress,
    expiry: world.expiry(),
    nonce: `0x${"09".repeat(32)}`,
    ...options.change,
  };
  const signature = await readTicketMessage.sign(DOMAIN, ticket, options.signer ?? world.owner);
  const authorization = `PPIO-Ticket ${Buffer.from(JSON.stringify({ ticket, signature })).toString("base64url")}`;
  if (options.audience === undefined) return { authorization };
  const digest = getBytes(readTicketMessage.digest(DOMAIN, ticket));
  return { authorization, "ppio-audience-signature": await options.audience.signMessage(digest) };
}

export function read(
  world: World,
  upload: Pick<Upload, "dealId" | "slotIndex">,
  offset: number | string,
  length: number | string,
  headers: Record<string, string>,
  check = "",
): Promise<Response> {
  const query = `offset=${offset}&length=${length}${check === "" ? "" : `&check=${check}`}`;
  return fetch(`${world.url}/v1/deals/${upload.dealId}/slots/${upload.slotIndex}?${query}`, { headers });
}
