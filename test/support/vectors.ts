/**
 * What the golden vectors are made of: fixed inputs and what the code makes of them. The tests hold the files against this, in Node and in
 * a browser, so nothing here is Node's.
 */
import {
  bucketIdOf,
  createSealer,
  deriveApplicationSecret,
  frameOfCell,
  keyContext,
  keysFromMnemonic,
  listingKey,
  objectIdOf,
  sealRecord,
  wrapKey,
  wrappingKey,
} from "@ppio/client";
import {
  answerRootsHash,
  buildLeafProof,
  cellPartProof,
  cellRoot,
  cellRunProof,
  challengeLeaf,
  challengePoint,
  createErasureCoder,
  type DealHeader,
  dealHeaderHash,
  dealIdOf,
  dialbackAnswerMessage,
  dialbackRequestMessage,
  encodeAnswerHead,
  encodeDealHeader,
  encodeHead,
  encodeIndex,
  encodeManifest,
  encodeObjectHeader,
  type Manifest,
  type Offer,
  offerMessage,
  planObject,
  planRecord,
  readAnswerMessage,
  readTicketMessage,
  repairTicketMessage,
  type SlotShape,
  SUITE_GCM_CTR,
  slotRoot,
  uploadRequestMessage,
  zeroNode,
} from "@ppio/core";
import { getBytes, hexlify, sha256, toUtf8Bytes, Wallet } from "ethers";
import { messageVectors } from "./vectors-messages.ts";

const hex = (bytes: Uint8Array): string => hexlify(bytes);

/** Bytes that anybody can make: SHA-256 of `label`, and so on of what came before. */
export function bytesOf(label: string, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let block = getBytes(sha256(toUtf8Bytes(label)));
  for (let at = 0; at < length; at += 32) {
    out.set(block.subarray(0, Math.min(32, length - at)), at);
    block = getBytes(sha256(block));
  }
  return out;
}

const BYTES_OF = "bytesOf(label, length): SHA-256(label), then SHA-256 of the block before, cut to length";
const MNEMONIC = "test test test test test test test test test test test junk";
const DOMAIN = { chainId: 31_337n, market: "0x5FbDB2315678afecb367f032d93F642f64180aa3" };
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const signer = new Wallet(KEY);

const HEADERS: readonly DealHeader[] = [
  { k: 1, n: 2, cellBytes: 4_096, lastCellBytes: 128, rows: 1 },
  { k: 4, n: 8, cellBytes: 65_536, lastCellBytes: 65_536, rows: 1 },
  { k: 10, n: 16, cellBytes: 65_536, lastCellBytes: 12_928, rows: 77 },
  { k: 127, n: 128, cellBytes: 1_048_576, lastCellBytes: 1_048_576, rows: 1_000_000 },
];

const OBJECT_HEADER = { suite: SUITE_GCM_CTR, frameBytes: 4_080 };

async function headers() {
  return {
    source: "docs/protocol/headers.md, version 1",
    deal: HEADERS.map((header) => ({ header, encoded: hex(encodeDealHeader(header)), hash: dealHeaderHash(header) })),
    object: [{ header: OBJECT_HEADER, encoded: hex(encodeObjectHeader(OBJECT_HEADER)) }],
  };
}

async function placement() {
  const sizes = [0, 1, 4_080, 4_081, 8_160, 8_161, 16_320, 16_321, 100_000];
  return {
    source: "docs/protocol/placement.md, version 1; cells of 4096 bytes at 2/4",
    objects: sizes.map((sizeBytes) => {
      const plan = planObject({ sizeBytes, k: 2, n: 4, cellBytes: 4_096 });
      const wanted = [...new Set([0, 1, plan.frameCount - 2, plan.frameCount - 1])].filter(
        (index) => index >= 0 && index < plan.frameCount,
      );
      return { sizeBytes, header: plan.header, frameCount: plan.frameCount, frames: wanted.map((index) => plan.frame(index)) };
    }),
    records: [1, 128, 256, 257, 8_192, 8_193].map((sizeBytes) => ({
      sizeBytes,
      ...planRecord({ sizeBytes, k: 2, n: 4, cellBytes: 4_096 }),
    })),
  };
}

async function erasure() {
  const codes = [
    [1, 2],
    [2, 4],
    [4, 8],
    [10, 16],
    [10, 20],
    [20, 40],
    [20, 50],
    [29, 80],
    [127, 128],
  ] as const;
  return {
    source: "docs/protocol/erasure.md, version 1; data cell j is bytesOf(`erasure/k/n/j`, 256)",
    bytesOf: BYTES_OF,
    codes: codes.map(([k, n]) => {
      const data = Array.from({ length: k }, (_, j) => bytesOf(`erasure/${k}/${n}/${j}`, 256));
      const coded = Array.from({ length: n - k }, () => new Uint8Array(256));
      createErasureCoder({ k, n }).encode(data, coded);
      return { k, n, sha256OfCodedCells: coded.map((cell) => sha256(cell)), firstCoded: hex(coded[0] ?? new Uint8Array()) };
    }),
  };
}

const SHAPES: readonly SlotShape[] = [
  { cellBytes: 4_096, lastCellBytes: 128, rows: 1 },
  { cellBytes: 4_096, lastCellBytes: 640, rows: 1 },
  { cellBytes: 4_096, lastCellBytes: 4_096, rows: 1 },
  { cellBytes: 4_096, lastCellBytes: 1_152, rows: 3 },
  { cellBytes: 65_536, lastCellBytes: 128, rows: 5 },
];

function cellsOf(shape: SlotShape): { cells: Uint8Array[]; roots: Uint8Array } {
  const cells = Array.from({ length: shape.rows }, (_, row) =>
    bytesOf(`tree/${shape.cellBytes}/${shape.rows}/${row}`, row === shape.rows - 1 ? shape.lastCellBytes : shape.cellBytes),
  );
  const roots = new Uint8Array(32 * cells.length);
  cells.forEach((cell, row) => {
    roots.set(cellRoot(shape, cell), 32 * row);
  });
  return { cells, roots };
}

async function tree() {
  return {
    source: "docs/protocol/tree.md, version 1; cell r is bytesOf(`tree/cellBytes/rows/r`, its length)",
    bytesOf: BYTES_OF,
    zeroNodes: Array.from({ length: 24 }, (_, level) => hex(zeroNode(level))),
    slots: SHAPES.map((shape) => {
      const { cells, roots } = cellsOf(shape);
      const leafIndex = ((shape.rows - 1) * shape.cellBytes) / 64 + 1;
      const { leaf, siblings } = buildLeafProof(shape, roots, cells.at(-1) ?? new Uint8Array(), leafIndex);
      return {
        shape,
        leafCount: ((shape.rows - 1) * shape.cellBytes + shape.lastCellBytes) / 64,
        cellRoots: cells.map((cell) => hex(cellRoot(shape, cell))),
        root: hex(slotRoot(shape, roots)),
        leafProof: { leafIndex, leaf: hex(leaf), siblings: siblings.map(hex) },
      };
    }),
  };
}

async function rangeProofs() {
  const shape = SHAPES[3] as SlotShape;
  const { cells, roots } = cellsOf(shape);
  const run = cellRunProof(shape, roots, 1, 2);
  const part = cellPartProof(shape, cells[0] as Uint8Array, 256, 512);
  const head = {
    cellRoots: [roots.slice(32, 64), roots.slice(64, 96)],
    siblings: run,
    servedAt: 1_790_000_000_000,
    signature: bytesOf("signature", 65),
  };
  return {
    source: "docs/protocol/tree.md and docs/protocol/http.md, version 1; the fourth slot of tree.json",
    cells: { first: 1, count: 2, siblings: run.map(hex) },
    units: { cell: 0, offset: 256, length: 512, siblings: part.map(hex) },
    answerHead: {
      ...head,
      cellRoots: head.cellRoots.map(hex),
      siblings: run.map(hex),
      signature: hex(head.signature),
      encoded: hex(encodeAnswerHead(head)),
    },
  };
}

async function challenge() {
  const context = { seed: hex(bytesOf("seed", 32)), providerId: 7, period: 1_234 };
  const lengthGwei = 1_000_000_007n;
  const leafCount = 65_537;
  return {
    source: "docs/protocol/challenge.md, version 1",
    ...context,
    lengthGwei: lengthGwei.toString(),
    leafCount,
    draws: Array.from({ length: 8 }, (_, draw) => ({
      draw,
      point: challengePoint(context, draw, lengthGwei).toString(),
      leaf: challengeLeaf(context, draw, leafCount),
    })),
  };
}

async function typedData() {
  const dealSalt = hex(bytesOf("deal salt", 32));
  const dealId = dealIdOf(DOMAIN, signer.address, dealSalt);
  const headerHash = dealHeaderHash(HEADERS[1] as DealHeader);
  const common = { owner: signer.address, payer: signer.address, dealSalt, slotIndex: 3, k: 4, n: 8, headerHash };
  const offer: Offer = {
    providerId: 5,
    operatorEpoch: 2,
    ...common,
    root: hex(bytesOf("root", 32)),
    leafCount: 1_024,
    payPerPeriodWei: 5_000_000_000n,
    collateralWei: 1_000_000_000_000n,
    startBy: 100,
    periods: 360,
    renewUntil: 0,
    expiry: 1_790_000_000,
  };
  const upload = { providerId: 5, ...common, expiry: 1_790_000_000 };
  const ticket = {
    dealId,
    firstCell: 0,
    cellCount: 77,
    audience: `0x${"00".repeat(20)}`,
    expiry: 1_790_000_000,
    nonce: hex(bytesOf("nonce", 32)),
  };
  const answer = {
    dealId,
    slotIndex: 3,
    firstCell: 1,
    rootsHash: answerRootsHash([bytesOf("a", 32)], [bytesOf("b", 32)]),
    servedAt: 1_790_000_000_000,
  };
  const entry = async <T extends object>(
    message: { digest(domain: typeof DOMAIN, value: T): string; sign(domain: typeof DOMAIN, value: T, by: Wallet): Promise<string> },
    value: T,
  ) => ({
    value: JSON.parse(JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? part.toString() : part))) as unknown,
    digest: message.digest(DOMAIN, value),
    signature: await message.sign(DOMAIN, value, signer),
  });
  return {
    source: "docs/protocol/typed-data.md, version 1; signed with the well-known first key of the mnemonic 'test … junk'",
    domain: { name: "PPIO StorageMarket", version: "1", chainId: DOMAIN.chainId.toString(), verifyingContract: DOMAIN.market },
    signer: signer.address,
    dealId,
    Offer: await entry(offerMessage, offer),
    UploadRequest: await entry(uploadRequestMessage, upload),
    ReadTicket: await entry(readTicketMessage, ticket),
    RepairTicket: await entry(repairTicketMessage, { providerId: 5, dealId, slotIndex: 3, expiry: 1_790_000_000 }),
    DialbackRequest: await entry(dialbackRequestMessage, { providerId: 5, helperId: 6, nonce: ticket.nonce, expiry: 1_790_000_000 }),
    DialbackAnswer: await entry(dialbackAnswerMessage, { providerId: 5, nonce: ticket.nonce }),
    ReadAnswer: await entry(readAnswerMessage, answer),
  };
}

async function keys() {
  const { wallet, masterSecret } = keysFromMnemonic(MNEMONIC);
  const wrapping = wrappingKey(masterSecret, "photos", "2026/cat.jpg");
  const objectId = objectIdOf(masterSecret, "photos", "2026/cat.jpg");
  const wrapped = await wrapKey(wrapping, bytesOf("content key", 32), keyContext(objectId, 1_790_000_000_000), (length) =>
    bytesOf("wrap nonce", length),
  );
  return {
    source: "docs/protocol/keys.md, version 1",
    bytesOf: BYTES_OF,
    mnemonic: MNEMONIC,
    address: wallet.address,
    masterSecret: hex(masterSecret),
    applicationSecret: hex(deriveApplicationSecret(bytesOf("application root", 32), "my-app", wallet.address)),
    bucket: "photos",
    key: "2026/cat.jpg",
    bucketId: hex(bucketIdOf(masterSecret, "photos")),
    listingKey: hex(listingKey(masterSecret, "photos")),
    wrappingKey: hex(wrapping),
    objectId: hex(objectId),
    wrappedContentKey: hex(wrapped),
  };
}

async function seal() {
  const plan = planObject({ sizeBytes: 9_000, k: 2, n: 4, cellBytes: 4_096 });
  const plaintext = bytesOf("plaintext", 9_000);
  const context = {
    contentKey: bytesOf("content key", 32),
    applicationSecret: bytesOf("application secret", 32),
    salt: bytesOf("salt", 32),
    fillKey: bytesOf("fill key", 32),
    objectId: bytesOf("object id", 32),
    objectVersion: 1_790_000_000_000,
    objectHeader: { suite: SUITE_GCM_CTR, frameBytes: plan.frameBytes },
  };
  const sealer = createSealer(context, plan.header.cellBytes);
  const cells: unknown[] = [];
  for (let cell = 0; cell < plan.header.rows * plan.header.k; cell += 1) {
    const length = cell < 2 ? plan.header.cellBytes : plan.header.lastCellBytes;
    const frame = frameOfCell(plan, cell);
    const bytes = frame === undefined ? new Uint8Array() : plaintext.subarray(frame.plainOffset, frame.plainOffset + frame.plainLength);
    const sealed = await sealer.sealCell(cell, length, frame, bytes);
    cells.push({ cell, length, sha256: sha256(sealed), first64: hex(sealed.subarray(0, 64)) });
  }
  const recordKeys = {
    key: bytesOf("record key", 32),
    applicationSecret: context.applicationSecret,
    context: bytesOf("record context", 40),
  };
  const record = await sealRecord(recordKeys, bytesOf("record", 100), (length) => bytesOf("record salt", length));
  return {
    source: "docs/protocol/seal.md, version 1; plaintext is bytesOf('plaintext', 9000), keys are bytesOf of their names, 32 bytes each",
    bytesOf: BYTES_OF,
    objectVersion: context.objectVersion,
    header: plan.header,
    commitment: hex(sealer.commitment),
    cells,
    record: { plaintext: hex(bytesOf("record", 100)), sealed: hex(record) },
  };
}

export const MANIFEST: Manifest = {
  objectId: bytesOf("object id", 32),
  objectVersion: 1_790_000_000_000,
  objectHeader: OBJECT_HEADER,
  sizeBytes: 9_000,
  sha256: bytesOf("sha256", 32),
  createdAt: 1_790_000_000_001,
  contentType: "image/jpeg",
  wrappedKey: bytesOf("wrapped key", 60),
  parts: [
    {
      dealId: bytesOf("deal id", 32),
      dealSalt: bytesOf("deal salt", 32),
      header: { k: 2, n: 4, cellBytes: 4_096, lastCellBytes: 512, rows: 2 },
      offset: 0,
      sizeBytes: 9_000,
      salt: bytesOf("salt", 32),
      fillKey: bytesOf("fill key", 32),
      commitment: bytesOf("commitment", 32),
    },
  ],
};

async function manifest() {
  return {
    source: "docs/protocol/manifest.md, version 1; ids, keys and hashes are bytesOf of their names",
    encoded: hex(encodeManifest(MANIFEST)),
  };
}

async function index() {
  const bucket = {
    bucket: "photos",
    entries: [
      { key: "a.txt", modifiedAt: 1_790_000_000_000, content: { kind: "inline", contentType: "text/plain", bytes: bytesOf("inline", 11) } },
      { key: "b/\u{ffee}", modifiedAt: 1_790_000_000_001, content: { kind: "stored", manifest: MANIFEST } },
      { key: "b/\u{1f408}", modifiedAt: 1_790_000_000_002, content: { kind: "inline", contentType: "", bytes: new Uint8Array() } },
    ],
  } as const;
  return {
    source: "docs/protocol/index.md, version 1; the stored entry is the manifest of manifest.json",
    encoded: hex(encodeIndex(bucket)),
  };
}

async function head() {
  const record = {
    bucketId: bytesOf("bucket id", 32),
    seq: 3,
    dealId: bytesOf("deal id", 32),
    offset: 0,
    length: 1_234,
    hash: bytesOf("hash", 32),
  };
  return {
    source: "docs/protocol/index.md, version 1; ids and hash are bytesOf of their names",
    seq: 3,
    offset: 0,
    length: 1_234,
    encoded: hex(encodeHead(record)),
  };
}

/** File name to what belongs in it. */
export const vectors: Readonly<Record<string, () => Promise<unknown>>> = {
  headers,
  placement,
  erasure,
  tree,
  "range-proofs": rangeProofs,
  challenge,
  "typed-data": typedData,
  messages: () => messageVectors(signer),
  keys,
  seal,
  manifest,
  index,
  head,
};
