/** What does a period's proof cost, and does it grow with the slots on the provider's line? */
import { solidityPackedKeccak256 } from "ethers";
import { SAMPLES } from "../../test/support/contracts/parameters.ts";
import { plantLine, plantSlot, randomLeaf } from "../../test/support/contracts/planted.ts";
import type { SampleStruct, World } from "../../test/support/contracts/world.ts";
import { calldataFloor, gasOf } from "./transaction.ts";

/** 2^22 leaves of 64 bytes: slots of 256 MiB. */
export const DEPTH = 22;
const PAY_GWEI = 1_000n;
const END = 100_000;
const PERIODS_MAX = 200;

/** The calldata and what signs it: what an L2 writes to the chain below. */
export const PROOF_BYTES = 4_772 + 110;

export interface ProofGas {
  readonly gas: number;
  /** What its calldata alone costs (EIP-7623): no contract could be cheaper with these samples. */
  readonly floor: number;
  readonly dataBytes: number;
}

interface Draw {
  readonly slot: bigint;
  readonly leaf: bigint;
}

function drawsOf(seed: string, providerId: number, period: number, slots: number): Draw[] {
  return Array.from({ length: SAMPLES }, (_, draw) => {
    const point = BigInt(solidityPackedKeccak256(["bytes32", "uint32", "uint32", "uint32"], [seed, providerId, period, draw]));
    const leaf = BigInt(
      solidityPackedKeccak256(["bytes32", "uint32", "uint32", "uint32", "string"], [seed, providerId, period, draw, "leaf"]),
    );
    return { slot: (point % (BigInt(slots) * PAY_GWEI)) / PAY_GWEI, leaf: leaf % 2n ** BigInt(DEPTH) };
  });
}

/**
 * The second proof and later of a provider whose line has `slots` slots of `slots` deals: the period's bitmap word is in use, nothing else is
 * warm. Slots that no draw hits are on the line but in no deal, because no call reads them. Of the periods until one draws as many
 * slots as there are samples: a slot drawn twice would be cheaper.
 */
export async function measureProve(world: World, slots: number, index = 0): Promise<ProofGas> {
  const { providerId } = await world.addProvider(index);
  const lengthGwei = BigInt(slots) * PAY_GWEI;
  await plantLine(world, { providerId, lengthGwei });
  let proofs = 0;
  for (let tried = 0; tried < PERIODS_MAX; tried++) {
    const period = (await world.next()) - 1;
    await world.seed(period);
    const draws = drawsOf(await world.proofs.seedOf(period), providerId, period, slots);
    if (new Set(draws.map(({ slot }) => slot)).size < SAMPLES) continue;
    const samples: SampleStruct[] = [];
    for (const { slot, leaf } of draws) {
      const name = `slot ${slot} of ${slots} in ${period}`;
      const dealId = solidityPackedKeccak256(["string"], [name]);
      const slotIndex = Number(slot % 16n);
      const { root, proof } = randomLeaf(name, leaf, DEPTH);
      const place = { providerId, startGwei: slot * PAY_GWEI, payGwei: PAY_GWEI, leafCount: 2 ** DEPTH, from: 1, end: END };
      await plantSlot(world, { dealId, slotIndex, root, ...place });
      samples.push({ dealId, slotIndex, proof });
    }
    const transaction = await world.proofs.prove(providerId, period, samples);
    const gas = await gasOf(Promise.resolve(transaction));
    proofs += 1;
    // The first of every 256 periods pays 17,100 more for a new word of the bitmap.
    if (proofs > 1 && period % 256 !== 0)
      return { gas, floor: calldataFloor(transaction.data), dataBytes: (transaction.data.length - 2) / 2 };
  }
  throw new Error(`no period in ${PERIODS_MAX} draws ${SAMPLES} slots`);
}
