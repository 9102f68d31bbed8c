/** What providers do: prove, lose, hand over, compact, bond and unbond, change keys, lie. */
import { concat, keccak256, solidityPackedKeccak256, ZeroHash } from "ethers";
import { SAMPLES } from "../contracts/parameters.ts";
import type { SampleStruct } from "../contracts/world.ts";
import type { Fuzz, FuzzProvider } from "./fuzz.ts";
import { GWEI, type Interval, intervals, OFF_LINE_GWEI, SLOT } from "./state.ts";

const ETHER = 10n ** 18n;

const ANSWER_TYPES = {
  ReadAnswer: [
    { name: "dealId", type: "bytes32" },
    { name: "slotIndex", type: "uint8" },
    { name: "firstCell", type: "uint64" },
    { name: "rootsHash", type: "bytes32" },
    { name: "servedAt", type: "uint64" },
  ],
};

export const lineOf = (f: Fuzz, providerId: number): Interval[] =>
  intervals(f.state, f.model).filter((i) => i.providerId === BigInt(providerId) && i.start !== OFF_LINE_GWEI);

/** Draw d of the point or, with "leaf", of the leaf (docs/protocol/challenge.md). */
function drawn(seed: string, providerId: number, period: bigint, draw: number, leaf: boolean): bigint {
  const types = ["bytes32", "uint32", "uint32", "uint32"].concat(leaf ? ["string"] : []);
  return BigInt(solidityPackedKeccak256(types, [seed, providerId, period, draw].concat(leaf ? ["leaf"] : [])));
}

export type Fault = "none" | "lost" | "leaf" | "hole";

/** Answers to the samples of the period that has just closed; with a fault in the first live one. */
export function samplesOf(f: Fuzz, providerId: number, period: bigint, fault: Fault): SampleStruct[] | undefined {
  const seed = f.seeds.get(period);
  const provider = f.state.providers[providerId - 1];
  if (seed === undefined || provider === undefined || provider.lengthAtCloseGwei === 0n) return undefined;
  const line = lineOf(f, providerId);
  const samples: SampleStruct[] = [];
  const gone = new Set<string>();
  let isFaulty = fault !== "none";
  let live = 0;
  for (let draw = 0; live < SAMPLES && draw < 256; draw += 1) {
    const point = drawn(seed, providerId, period, draw, false) % provider.lengthAtCloseGwei;
    if (provider.gapStartGwei <= point && point < provider.gapEndGwei) continue;
    const slot = line.find(({ start, pay }) => start <= point && point < start + pay);
    if (slot === undefined) return undefined;
    const isLive = slot.from <= period && period < slot.until && !gone.has(slot.key);
    let proof = "0x";
    if (isLive) {
      const tree = f.treeOf(slot.dealId, slot.slotIndex);
      const right = tree.prove(Number(drawn(seed, providerId, period, draw, true) % BigInt(tree.leafCount)));
      proof = isFaulty && fault !== "leaf" ? "0x" : isFaulty ? concat(["0x01", `0x${right.slice(4)}`]) : right;
      if (isFaulty && fault === "leaf" && proof === right) proof = concat(["0x02", `0x${right.slice(4)}`]);
      if (isFaulty && fault === "lost") gone.add(slot.key);
      else live += 1;
      isFaulty = false;
    }
    samples.push({ dealId: slot.dealId, slotIndex: slot.slotIndex, proof });
  }
  // Nothing but holes: nothing is owed.
  return live < SAMPLES ? undefined : samples;
}

/** Whether a provider keeps its duty in this period. */
function isUp(f: Fuzz, { habit, providerId }: FuzzProvider): boolean {
  if (habit === "losing") return f.random.chance(0.8);
  if (habit === "lazy") return f.random.chance(0.45);
  if (habit === "flapping") return (Number(f.state.current) + providerId) % 7 < 4;
  return true;
}

async function proveOne(f: Fuzz, provider: FuzzProvider, period: bigint): Promise<void> {
  const { providerId } = provider;
  const fault = provider.habit === "losing" && f.random.chance(0.15) ? "lost" : "none";
  const samples = samplesOf(f, providerId, period, fault);
  if (samples === undefined) return;
  const sender = fault === "lost" ? provider.operator : (f.random.pick([provider.operator, f.world.reporter]) ?? provider.operator);
  const done = await f.send(`prove provider ${providerId} period ${period} ${fault}`, () =>
    f.world.proofs.connect(sender).prove(providerId, period, samples),
  );
  if (!done) return;
  if (f.random.chance(0.2)) {
    await f.forbid(`second proof ${providerId}`, () => f.world.proofs.prove(providerId, period, samples));
  }
}

/** The beacon of the last period, if it comes, and the proofs of those who keep their duty. */
export async function proofRound(f: Fuzz, isUpAll = false): Promise<void> {
  const period = f.state.current - 1n;
  if (period < 1n || f.seeds.has(period)) return;
  if (!isUpAll && f.random.chance(0.07)) {
    f.log.push(`beacon of ${period} is out`);
    return;
  }
  const round = f.seedRound(period);
  await f.waitUntil(f.timeOfRound(round));
  if (await f.submit(round)) f.seeds.set(period, f.sign(round).randomness);
  for (const provider of f.random.shuffle(f.alive)) {
    if (isUpAll || isUp(f, provider)) await proveOne(f, provider, period);
  }
}

export async function compact(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.alive);
  if (provider === undefined) return;
  const { providerId } = provider;
  const line = lineOf(f, providerId).sort((a, b) => (a.start < b.start ? -1 : 1));
  const { gapEndGwei } = f.state.providers[providerId - 1] ?? { gapEndGwei: 0n };
  const rest = line.filter(({ start }) => start >= gapEndGwei);
  if (rest.length === 0) return;
  const first = gapEndGwei === 0n ? f.random.int(0, rest.length - 1) : 0;
  const count = f.random.chance(0.6) ? rest.length : f.random.int(1, rest.length);
  const slots = rest.slice(first, first + count).map(({ dealId, slotIndex }) => ({ dealId, slotIndex }));
  await f.send(`compact ${providerId} ${slots.length} from ${first}`, () =>
    f.world.proofs.connect(provider.operator).compact(providerId, f.state.current, slots),
  );
}

export async function declareLost(f: Fuzz): Promise<void> {
  const held = f.views.filter(({ state }) => state.slot.status === SLOT.filled || state.slot.status === SLOT.challenged);
  const losing = held.filter(({ state }) => f.provider(state.slot.providerId)?.habit === "losing");
  const view = f.random.pick(losing.length > 0 ? losing : held);
  const provider = view && f.provider(view.state.slot.providerId);
  if (view === undefined || provider === undefined) return;
  await f.send(`lost ${view.key}`, () => f.world.market.connect(provider.owner).declareLost(view.dealId, view.slotIndex));
}

export async function handOver(f: Fuzz): Promise<void> {
  const held = f.views.filter(({ state }) => state.slot.status === SLOT.filled);
  const leaving = held.filter(({ state }) => f.provider(state.slot.providerId)?.habit === "leaving");
  const view = f.random.pick(leaving.length > 0 ? leaving : held);
  const deal = view && f.dealOf(view.dealId);
  const [from, to] = [view && f.provider(view.state.slot.providerId), f.random.pick(f.alive)];
  if (view === undefined || deal === undefined || from === undefined || to === undefined) return;
  const { offer, refill } = await f.world.refillOffer(deal, view.slotIndex, to);
  await f.send(`handOver ${view.key} to ${to.providerId}`, () =>
    f.world.market.connect(from.operator).handOver(view.dealId, view.slotIndex, offer, refill),
  );
}

export async function moveCollateral(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.providers);
  const state = provider && f.state.providers[provider.providerId - 1];
  if (provider === undefined || state === undefined) return;
  const { providerId, owner } = provider;
  const registry = f.world.registry.connect(owner);
  const kind = f.random.int(0, 3);
  if (kind === 0) {
    const amount = BigInt(f.random.int(1, 4_000)) * GWEI * 1_000_003n;
    await f.send(`deposit ${providerId} ${amount}`, () => registry.depositCollateral(providerId, amount));
  } else if (kind === 1) {
    const amount = (state.freeWei / 10n / GWEI) * GWEI;
    await f.send(`unbond ${providerId} ${amount}`, () => registry.startUnbonding(providerId, amount));
  } else if (kind === 2) {
    const asked = f.model.unbonding.get(BigInt(providerId));
    if (asked !== undefined && f.time < asked.until - 1n) {
      await f.forbid(`early withdrawal ${providerId}`, () => registry.withdrawCollateral(providerId));
    } else await f.send(`withdrawCollateral ${providerId}`, () => registry.withdrawCollateral(providerId));
  } else {
    const over = state.freeWei + GWEI;
    await f.forbid(`unbonding of what is locked ${providerId}`, () => registry.startUnbonding(providerId, over));
  }
}

export async function changeKeys(f: Fuzz): Promise<void> {
  const provider = f.random.pick(f.providers);
  if (provider === undefined) return;
  const { providerId } = provider;
  const registry = f.world.registry.connect(provider.owner);
  const kind = f.random.int(0, 3);
  if (kind === 0) {
    const next = f.world.signer(60 + f.random.int(0, 60));
    if (await f.send(`rotate ${providerId}`, () => registry.rotateOperator(providerId, next))) provider.operator = next;
  } else if (kind === 1) {
    const cap = f.random.pick([0n, ETHER, 3n * ETHER]) ?? 0n;
    await f.send(`cap ${providerId} ${cap}`, () => registry.setOperatorCap(providerId, cap));
  } else if (kind === 2) {
    const price = BigInt(f.random.int(1, 9));
    await f.send(`update ${providerId}`, () => registry.update(providerId, "http://moved", price, 1n, ZeroHash));
  } else {
    const next = f.random.pick(f.providers)?.owner ?? provider.owner;
    await f.send(`offerOwnership ${providerId}`, () => registry.offerOwnership(providerId, next));
    const done = await f.send(`acceptOwnership ${providerId}`, () => f.world.registry.connect(next).acceptOwnership(providerId));
    if (done) provider.owner = next;
  }
}

/** A provider signs a root that is not the slot's. */
export async function lie(f: Fuzz): Promise<void> {
  const provider = f.alive.find(({ habit }) => habit === "lying");
  if (provider === undefined || !f.random.chance(0.15)) return;
  const slot = f.random.pick(lineOf(f, provider.providerId));
  if (slot === undefined) return;
  const rootsHash = keccak256(concat(["0x00000001", ZeroHash]));
  const answer = { dealId: slot.dealId, slotIndex: slot.slotIndex, firstCell: 0, rootsHash, servedAt: f.time * 1_000n };
  const signature = await provider.operator.signTypedData(await f.world.domain(), ANSWER_TYPES, answer);
  const epoch = f.state.providers[provider.providerId - 1]?.provider.operatorEpoch ?? 0n;
  await f.send(`lie ${provider.providerId}`, () =>
    f.world.fraud.connect(f.world.reporter).proveLie(provider.providerId, epoch, answer, signature, 1, [ZeroHash]),
  );
}
