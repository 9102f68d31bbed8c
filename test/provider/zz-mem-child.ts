import { PROVIDER_LIMITS } from "@ppio/provider";
import { startWorld } from "../support/provider/world.ts";

const world = await startWorld({
  config: { capacityBytes: 2 ** 34, undealtBytesPerPayer: 2 ** 34, pricePerGibPeriodWei: 1n },
  limits: PROVIDER_LIMITS,
});
console.log(world.port);
