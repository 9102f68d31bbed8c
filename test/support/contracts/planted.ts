/**
 * Deals and lines written straight into the contracts' storage, for states that would take thousands of transactions to reach. The words
 * are those of the structs in contracts/market/MarketState.sol and ProviderLines.sol; `plantSlot` and `plantLine` read them back through
 * the contracts' own views, so that a layout that has changed is an error and not a wrong figure.
 */
import { AbiCoder, concat, dataSlice, getBytes, hexlify, id, keccak256, sha256, toBeHex, zeroPadValue } from "ethers";
import { networkHelpers } from "./chain.ts";
import { HEADER } from "./parameters.ts";
import type { World } from "./world.ts";

/** Places of the mappings: StorageMarket keeps two strings of EIP712 before its state; PossessionProofs two bitmaps. */
const HEADS = 2n;
const SLOTS = 3n;
const LINES = 2n;
const COMPACTIONS = 3n;
const PROVEN = 6n;
export const ACTIVE = 1n;
export const FILLED = 1n;

const word = (value: bigint): string => zeroPadValue(toBeHex(value), 32);

/** Of (value, bits) pairs, the first in the lowest bits, as solc packs a struct. */
function pack(...fields: readonly (readonly [bigint | number, number])[]): string {
  let packed = 0n;
  let shift = 0n;
  for (const [value, bits] of fields) {
    if (BigInt(value) >> BigInt(bits) !== 0n) throw new Error(`${value} has more than ${bits} bits`);
    packed |= BigInt(value) << shift;
    shift += BigInt(bits);
  }
  return word(packed);
}

function mapped(key: bigint | string, slot: bigint | string): string {
  const place = typeof slot === "bigint" ? word(slot) : slot;
  return keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "bytes32"], [key, place]));
}

export interface PlantedSlot {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
  readonly startGwei: bigint;
  readonly payGwei: bigint;
  readonly leafCount: number;
  readonly from: number;
  readonly end: number;
  readonly root: string;
}

/** A deal of 16 of which only this slot exists, with terms of its own: nothing is warm that would not be in a deal opened by a call. */
export async function plantSlot(world: World, s: PlantedSlot): Promise<void> {
  const market = await world.market.getAddress();
  const terms = dataSlice(id(`terms of ${s.dealId}`), 12);
  const roots = Array.from({ length: 16 }, (_, i) => (i === s.slotIndex ? s.root : id(`${s.dealId}/${i}`)));
  const owner = world.user.address;
  await networkHelpers.setCode(terms, concat(["0x00", owner, owner, "0x00000000", HEADER, ...roots]));
  const head = pack([BigInt(terms), 160], [s.from, 24], [s.end, 24], [10, 8], [16, 8], [ACTIVE, 8], [16, 8], [0, 8]);
  await networkHelpers.setStorageAt(market, mapped(s.dealId, HEADS), head);
  const slot = pack(
    [s.providerId, 32],
    [s.startGwei, 48],
    [s.payGwei, 40],
    [1_000_000n, 40],
    [s.leafCount, 40],
    [s.from, 24],
    [s.from, 24],
    [FILLED, 8],
  );
  await networkHelpers.setStorageAt(market, mapped(BigInt(s.slotIndex), mapped(s.dealId, SLOTS)), slot);
  const read = await world.market.slotForProof(s.dealId, s.slotIndex, s.providerId);
  const expected = [s.root, s.startGwei, s.payGwei, BigInt(s.leafCount), BigInt(s.from), BigInt(s.end)];
  if (read.some((value, i) => value !== expected[i])) throw new Error(`planted ${expected}, the market reads ${read}`);
}

export interface PlantedLine {
  readonly providerId: number;
  readonly lengthGwei: bigint;
  readonly liveGwei?: bigint;
  readonly lockedGwei?: bigint;
  readonly cursor?: number;
  /** What `compact` has left behind: draws inside are skipped. */
  readonly gap?: { readonly startGwei: bigint; readonly endGwei: bigint };
}

/** A line of any length without a change since it was written. */
export async function plantLine(world: World, line: PlantedLine): Promise<void> {
  const proofs = await world.proofs.getAddress();
  const live = line.liveGwei ?? line.lengthGwei;
  const fields = pack(
    [line.lengthGwei, 48],
    [live, 48],
    [0, 48],
    [0, 24],
    [line.cursor ?? 0, 24],
    [line.lockedGwei ?? 0n, 56],
    [line.gap === undefined ? 0 : 2, 8],
  );
  await networkHelpers.setStorageAt(proofs, mapped(BigInt(line.providerId), LINES), fields);
  if (line.gap !== undefined) {
    const gap = pack([line.gap.startGwei, 56], [line.gap.endGwei, 56], [1, 32]);
    await networkHelpers.setStorageAt(proofs, mapped(BigInt(line.providerId), COMPACTIONS), gap);
  }
  const read = await world.proofs.inventory(line.providerId);
  if (read.lengthGwei !== line.lengthGwei || read.liveGwei !== live) throw new Error(`planted ${line.lengthGwei}, the line reads ${read}`);
  const { gapEndGwei } = await world.proofs.compactionOf(line.providerId);
  if (gapEndGwei !== (line.gap?.endGwei ?? 0n)) throw new Error(`the gap ends at ${gapEndGwei}`);
}

/** Writes 256 periods' worth of proofs, [256 x word, 256 x (word + 1)). */
export async function plantProven(world: World, providerId: number, wordIndex: number, bits: bigint): Promise<void> {
  const proofs = await world.proofs.getAddress();
  await networkHelpers.setStorageAt(proofs, mapped(BigInt(wordIndex), mapped(BigInt(providerId), PROVEN)), word(bits));
}

export interface RandomLeaf {
  readonly root: string;
  readonly proof: string;
}

/** A leaf and siblings that look random, and the root to which they lead from `index`. */
export function randomLeaf(seed: string, index: bigint, depth: number): RandomLeaf {
  const leaf = concat([id(`${seed}/leaf`), id(`${seed}/leaf'`)]);
  const siblings = Array.from({ length: depth }, (_, height) => id(`${seed}/${height}`));
  let node = sha256(leaf);
  for (const [height, sibling] of siblings.entries()) {
    node = sha256((index >> BigInt(height)) & 1n ? concat([sibling, node]) : concat([node, sibling]));
  }
  return { root: node, proof: hexlify(getBytes(concat([leaf, ...siblings]))) };
}
