/** An address as operator (hot key) of a provider. */
import { id, ZeroAddress } from "ethers";
import { escrowOf } from "../sponsor-world.ts";
import type { Stage } from "../stage.ts";
import type { TestProvider } from "../world.ts";
import { machineOf } from "./machine.ts";

interface Context extends Stage {
  /** The address in question. */
  readonly key: TestProvider["owner"];
  /** Whose key it is to be; it has slot 0 of the stage's deal. */
  readonly employer: TestProvider;
}

const rotate = ({ world, employer }: Context, to: TestProvider["owner"] | string, by = employer.owner) =>
  world.registry.connect(by).rotateOperator(employer.providerId, to);

export const operator = machineOf<Context>({
  async start(stage) {
    const { world, providers } = stage;
    await world.fund(world.user, 100n * escrowOf(stage.deal.terms));
    return { ...stage, key: world.signer(12), employer: providers[0] };
  },
  states: {
    Free: async () => {},
    Live: (c) => rotate(c, c.key),
    async Replaced(c) {
      await rotate(c, c.key);
      await rotate(c, c.world.signer(11));
    },
  },
  calls: {
    "register with it":
      async ({ world, key }) =>
      () =>
        world.registry.connect(world.user).register(key, "http://x", 1n, 1n, id("")),
    "rotateOperator to it":
      async ({ world, key, providers: [, p2] }) =>
      () =>
        world.registry.connect(p2.owner).rotateOperator(p2.providerId, key),
    async "openDeals with its offer"({ world, key, employer, providers: [, p2] }) {
      const { terms } = await world.makeTerms([{ ...employer, operator: key }, p2]);
      return () => world.market.connect(world.user).openDeals([terms]);
    },
    "update by it":
      async ({ world, key, employer }) =>
      () =>
        world.registry.connect(key).update(employer.providerId, "http://y", 1n, 1n, id("")),
    "declareLost by it":
      async ({ world, key, deal }) =>
      () =>
        world.market.connect(key).declareLost(deal.dealId, 0),
    async "compact by it"({ world, key, employer }) {
      const period = await world.period();
      return () => world.proofs.connect(key).compact(employer.providerId, period, []);
    },
  },
  also: {
    "Free: rotateOperator to nobody": async (c) => () => rotate(c, ZeroAddress),
    "Live: rotateOperator by it": async (c) => () => rotate(c, c.world.signer(10), c.key),
    "Live: setOperatorCap by it":
      async ({ world, key, employer }) =>
      () =>
        world.registry.connect(key).setOperatorCap(employer.providerId, 0n),
    "Live: offerOwnership by it":
      async ({ world, key, employer }) =>
      () =>
        world.registry.connect(key).offerOwnership(employer.providerId, key),
    "Live: startUnbonding by it":
      async ({ world, key, employer }) =>
      () =>
        world.registry.connect(key).startUnbonding(employer.providerId, 10n ** 9n),
    async "Live: openDeals above the cap"({ world, key, employer, providers: [, p2] }) {
      await world.registry.connect(employer.owner).setOperatorCap(employer.providerId, 10n ** 9n);
      const { terms } = await world.makeTerms([{ ...employer, operator: key }, p2]);
      return () => world.market.connect(world.user).openDeals([terms]);
    },
    "Live: useOperatorCap by it":
      async ({ world, key, employer }) =>
      () =>
        world.registry.connect(key).useOperatorCap(employer.providerId, 1, 1n),
  },
  async stateOf({ world, key, employer }) {
    if ((await world.registry.providerOfOperator(key)) !== 0n) return "Live";
    const epochs = Number(await world.registry.operatorEpochOf(employer.providerId));
    for (let epoch = 1; epoch < epochs; epoch += 1) {
      if ((await world.registry.operatorAt(employer.providerId, epoch)) === key.address) return "Replaced";
    }
    return "Free";
  },
});
