/** Deploys the core network of contracts on the simulated chain. */
import { getCreateAddress } from "ethers";
import { TestGroup } from "./beacon.ts";
import { ethers, networkHelpers } from "./chain.ts";
import {
  ANSWER_SECONDS,
  CHALLENGE_BOND_WEI,
  MAX_LAG_SECONDS,
  PARAMS,
  PERIOD_SECONDS,
  REPORT_DELAY_BLOCKS,
  REPORT_WINDOW,
  RESERVATION_BOND_BPS,
  RESERVATION_SECONDS,
  ROUND_SECONDS,
  SAMPLES,
  SEED_DELAY_SECONDS,
  UNBONDING_SECONDS,
} from "./parameters.ts";
import { World } from "./world.ts";

/** Deploys everything; addresses that depend on each other come from the deployer's nonce. */
export async function deployWorld(): Promise<World> {
  const signers = await ethers.getSigners();
  const [deployer] = signers;
  if (deployer === undefined) throw new Error("no signers");
  const genesis = BigInt(await networkHelpers.time.latest()) + 1n;
  const token = await ethers.deployContract("PpioToken");
  for (let i = 0; i < 5; i++) {
    await token.faucet(deployer);
    await networkHelpers.time.increase(86_400);
  }
  const group = new TestGroup();
  const beacon = await ethers.deployContract("DrandBeacon", [group.publicKey, genesis, ROUND_SECONDS, MAX_LAG_SECONDS]);
  const policy = await ethers.deployContract("PenaltyPolicy", [signers[3] ?? "", PARAMS]);
  const libraries = { Settlement: await ethers.deployContract("Settlement"), SlotTransfers: await ethers.deployContract("SlotTransfers") };
  const nonce = await deployer.getNonce();
  const at = (offset: number): string => getCreateAddress({ from: deployer.address, nonce: nonce + offset });
  const [registryAt, proofsAt, marketAt, challengesAt, repairAt, fraudAt] = [0, 1, 2, 3, 4, 5].map(at) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const committee = signers[4] ?? "";
  const registry = await ethers.deployContract("ProviderRegistry", [token, marketAt, proofsAt, UNBONDING_SECONDS]);
  const proofs = await ethers.deployContract("PossessionProofs", [
    {
      registry: registryAt,
      market: marketAt,
      policy,
      beacon,
      fraudProofs: fraudAt,
      committee,
      genesisTime: genesis,
      periodSeconds: PERIOD_SECONDS,
      seedDelaySeconds: SEED_DELAY_SECONDS,
      reportWindowPeriods: REPORT_WINDOW,
      reportDelayBlocks: REPORT_DELAY_BLOCKS,
      samplesPerProof: SAMPLES,
    },
  ]);
  const market = await ethers.deployContract(
    "StorageMarket",
    [{ token, registry: registryAt, proofs: proofsAt, policy, challenges: challengesAt, repair: repairAt, committee }],
    { libraries },
  );
  const challenges = await ethers.deployContract("SlotChallenges", [
    {
      token,
      market,
      registry,
      beacon,
      timelock: signers[3] ?? "",
      answerSeconds: ANSWER_SECONDS,
      seedDelaySeconds: SEED_DELAY_SECONDS,
      bondWei: CHALLENGE_BOND_WEI,
      minBondWei: 1n,
      maxBondWei: 10n ** 20n,
    },
  ]);
  const repair = await ethers.deployContract("SlotRepair", [
    {
      token,
      market,
      beacon,
      reservationSeconds: RESERVATION_SECONDS,
      seedDelaySeconds: SEED_DELAY_SECONDS,
      bondBps: RESERVATION_BOND_BPS,
    },
  ]);
  const fraud = await ethers.deployContract("FraudProofs", [market, registry, proofs]);
  const world = new World({ token, beacon, policy, registry, proofs, market, challenges, repair, fraud }, signers);
  await world.next();
  return world;
}
