/** CoreDeployer: who may use it (D1), once (D2), and where its two contracts come to be (D3). */
import { expect } from "chai";
import { ZeroHash } from "ethers";
import { network } from "hardhat";

const { ethers, networkHelpers } = await network.create();
const MARKET_ROOM = 20;

async function world() {
  const [deployer, stranger] = await ethers.getSigners();
  const core = await ethers.deployContract("CoreDeployer");
  const settlement = await ethers.deployContract("Settlement");
  const beacon = await ethers.deployContract("PpioToken");
  const at = await beacon.getAddress();
  const market = { token: at, registry: at, proofs: at, policy: at, challenges: at, repair: at, committee: at };
  const proofs = {
    ...{ registry: at, market: at, policy: at, beacon: at, fraudProofs: at, committee: at, genesisTime: 1, periodSeconds: 1 },
    ...{ seedDelaySeconds: 1, reportWindowPeriods: 1, reportDelayBlocks: 1, samplesPerProof: 1 },
  };
  return {
    core,
    settlement,
    market,
    proofs,
    deployer: deployer as NonNullable<typeof deployer>,
    stranger: stranger as NonNullable<typeof stranger>,
  };
}

/** Creation code of a contract whose whole code is its constructor's: returns `length` bytes of what follows. */
function codeThatReturns(runtime: string): string {
  const length = (runtime.length / 2).toString(16).padStart(2, "0");
  return `0x60${length}600c60003960${length}6000f3${runtime}`;
}

describe("CoreDeployer", () => {
  it("D1: refuses everybody but its deployer", async () => {
    const { core, market, proofs, stranger } = await networkHelpers.loadFixture(world);
    const strangers = core.connect(stranger);
    await expect(strangers.deployMarket("0x00", [], market))
      .to.be.revertedWithCustomError(core, "NotDeployer")
      .withArgs(stranger.address);
    await expect(strangers.deployProofs("0x00", proofs)).to.be.revertedWithCustomError(core, "NotDeployer").withArgs(stranger.address);
  });

  it("refuses links to nothing and links out of the code", async () => {
    const { core, market, settlement, stranger } = await networkHelpers.loadFixture(world);
    const code = codeThatReturns("00".repeat(MARKET_ROOM));
    const library = await settlement.getAddress();
    const size = code.length / 2 - 1;
    const to = (library_: string, offset: number) => core.deployMarket(code, [{ library_, offsets: [offset] }], market);
    await expect(to(stranger.address, 0)).to.be.revertedWithCustomError(core, "InvalidLink").withArgs(stranger.address, 0);
    await expect(to(library, size - MARKET_ROOM + 1))
      .to.be.revertedWithCustomError(core, "InvalidLink")
      .withArgs(library, size - MARKET_ROOM + 1);
    await expect(core.deployMarket("0x60", [{ library_: library, offsets: [0] }], market)).to.be.revertedWithCustomError(
      core,
      "InvalidLink",
    );
  });

  it("D2, D3: creates each once, where it always said, with libraries in their places", async () => {
    const { core, market, proofs, settlement } = await networkHelpers.loadFixture(world);
    const [marketAt, proofsAt] = [await core.market(), await core.proofs()];
    expect(marketAt).not.to.equal(proofsAt);
    const library = await settlement.getAddress();
    const code = codeThatReturns("00".repeat(MARKET_ROOM));
    const links = [{ library_: library, offsets: [code.length / 2 - 1 - MARKET_ROOM] }];
    await expect(core.deployMarket(code, links, market))
      .to.emit(core, "Deployed")
      .withArgs(marketAt);
    expect(await ethers.provider.getCode(marketAt)).to.equal(library.toLowerCase());
    expect(await core.market()).to.equal(marketAt);
    await expect(core.deployMarket(code, links, market)).to.be.revertedWithCustomError(core, "FailedDeployment");
    expect(await ethers.provider.getCode(proofsAt)).to.equal("0x");
    await expect(core.deployProofs(codeThatReturns("00"), proofs))
      .to.emit(core, "Deployed")
      .withArgs(proofsAt);
    await expect(core.deployProofs(codeThatReturns("00"), proofs)).to.be.revertedWithCustomError(core, "FailedDeployment");
  });

  it("passes on why a constructor failed", async () => {
    const { core, market } = await networkHelpers.loadFixture(world);
    const revertWith = `0x7f${ZeroHash.slice(2, 58)}deadbeef6000526004601cfd`;
    await expect(core.deployMarket(revertWith, [], market)).to.be.revert(ethers);
    expect(await ethers.provider.getCode(await core.market())).to.equal("0x");
  });
});
