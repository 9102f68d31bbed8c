/** What does the relay pay to bring a round of the beacon? */
import { networkHelpers } from "../../test/support/contracts/chain.ts";
import type { World } from "../../test/support/contracts/world.ts";
import { gasOf } from "./transaction.ts";

/** `submit` of a round that nobody brought before, in time, by the precompiles of EIP-2537. */
export async function measureBeacon(world: World): Promise<number> {
  const round = await world.proofs.seedRound(await world.period());
  await networkHelpers.time.increaseTo(await world.beacon.timeOfRound(round));
  return gasOf(world.beacon.submit(round, world.group.sign(round).signature));
}
