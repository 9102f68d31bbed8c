/** Deploys the core network of contracts on the simulated chain. */
import { type AddressLike, type BaseContract, getCreateAddress } from "ethers";
import type { IVerifierCommittee, PpioToken, VerifierCommittee } from "../../../typechain-types/index.ts";
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
import { type TokenSource, World } from "./world.ts";

/** A committee's terms and seats; its contracts are the world's own. */
export type CommitteeTerms = Omit<IVerifierCommittee.ConfigStruct, "token" | "proofs" | "penalties" | "fund" | "owner">;

/** As our own token's faucet. */
const DRIP_WEI = 10_000n * 10n ** 18n;

/** Deploys everything, with an account in the place of the verifier committee. */
export async function deployWorld(): Promise<World> {
  return (await deployAll(ourToken)).world;
}

/** The same over another token, of which the deployer holds more than enough. */
export async function deployWorldOver(token: BaseContract): Promise<World> {
  // Whatever token it is, only what every ERC-20 has is asked of it.
  const erc20 = token as PpioToken;
  const drip = (to: AddressLike) => erc20.transfer(to, DRIP_WEI);
  return (await deployAll(async () => ({ token: erc20, drip }))).world;
}

/** Deploys everything with a real committee, wired as a deployment wires it: slashes by the proofs, pay out of the market's fund. */
export async function deployWorldWithCommittee(
  terms: CommitteeTerms,
  params: IVerifierCommittee.ParamsStruct,
): Promise<{ world: World; committee: VerifierCommittee; config: IVerifierCommittee.ConfigStruct }> {
  const { world, committeeAt } = await deployAll(ourToken, true);
  const { token, proofs, market } = world;
  const config = { token, proofs, penalties: proofs, fund: market, owner: world.timelock, ...terms };
  const committee = await ethers.deployContract("VerifierCommittee", [config, params]);
  if ((await committee.getAddress()) !== committeeAt) throw new Error(`the committee is not at ${committeeAt}`);
  await world.next();
  return { world, committee, config };
}

/** Our own token, whose faucet drips once a day: the deployer waits until it has something to give away. */
async function ourToken(deployer: AddressLike): Promise<TokenSource> {
  const token = await ethers.deployContract("PpioToken");
  for (let i = 0; i < 5; i++) {
    await token.faucet(deployer);
    await networkHelpers.time.increase(86_400);
  }
  return { token, drip: (to) => token.faucet(to) };
}

/** Addresses that depend on each other come from the deployer's nonce; the committee's is that of its next contract. */
async function deployAll(
  source: (deployer: AddressLike) => Promise<TokenSource>,
  withCommittee = false,
): Promise<{ world: World; committeeAt: string }> {
  const signers = await ethers.getSigners();
  const [deployer] = signers;
  if (deployer === undefined) throw new Error("no signers");
  const genesis = BigInt(await networkHelpers.time.latest()) + 1n;
  const { token, drip } = await source(deployer);
  const group = new TestGroup();
  const beacon = await ethers.deployContract("DrandBeacon", [group.publicKey, genesis, ROUND_SECONDS, MAX_LAG_SECONDS]);
  const policy = await ethers.deployContract("PenaltyPolicy", [signers[3] ?? "", PARAMS]);
  const libraries = { Settlement: await ethers.deployContract("Settlement"), SlotTransfers: await ethers.deployContract("SlotTransfers") };
  const nonce = await deployer.getNonce();
  const at = (offset: number): string => getCreateAddress({ from: deployer.address, nonce: nonce + offset });
  const [registryAt, proofsAt, marketAt, challengesAt, repairAt, fraudAt, committeeAt] = [0, 1, 2, 3, 4, 5, 6].map(at) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const committee = withCommittee ? committeeAt : (signers[4] ?? "");
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
  const world = new World({ token, drip, beacon, policy, registry, proofs, market, challenges, repair, fraud }, signers);
  if (!withCommittee) await world.next();
  return { world, committeeAt };
}
