/** Parameters: what is shipped is sound, and every mistake is told in a sentence of its own. */
import { readFileSync } from "node:fs";
import { isPpioError } from "@ppio/core";
import { publicKeyForEvm } from "@ppio/core/drand";
import { expect } from "chai";
import { hexlify } from "ethers";
import { checkDeployment } from "../../cli/dist/deploy/check-parameters.js";
import { publicNetwork } from "../../cli/dist/deploy/networks.js";
import { DEVNET_PARAMETERS, type Deployment, type DeployParameters } from "../../cli/dist/deploy/parameters.js";
import { codeOf, messageOf } from "../support/code-of.ts";

const NOW = 1_800_000_000;
const { deployment } = publicNetwork("base-sepolia");
type Change = (parameters: DeployParameters) => DeployParameters;

const check = async (changed: Deployment): Promise<string> =>
  messageOf((async () => checkDeployment(changed, { isPublic: true, nowSeconds: NOW }))());

function mistakesOf(changed: Deployment): readonly unknown[] {
  try {
    checkDeployment(changed, { isPublic: true, nowSeconds: NOW });
    return [];
  } catch (error) {
    if (!isPpioError(error, "CONFIG")) throw error;
    return error.details["mistakes"] as readonly unknown[];
  }
}

describe("deployment parameters", () => {
  it("of every network are sound, and those of the devnet are refused in public", async () => {
    for (const name of ["sepolia", "base-sepolia"]) expect(await check(publicNetwork(name).deployment), name).to.equal("accepted");
    const devnet = { ...deployment, parameters: DEVNET_PARAMETERS };
    expect(() => checkDeployment(devnet, { isPublic: false, nowSeconds: NOW })).not.to.throw();
    expect(await check(devnet)).to.match(/destroyAfterMisses must cover 24 h.*answerSeconds must be at least 24 h/);
    expect(await codeOf(() => publicNetwork("mainnet"))).to.equal("USAGE");
  });

  it("hold quicknet's key, genesis and rounds as drand publishes them", () => {
    const vectors = JSON.parse(readFileSync(new URL("../vectors/drand.json", import.meta.url), "utf8"));
    for (const name of ["sepolia", "base-sepolia"]) {
      const { deployment: it, beaconUrl } = publicNetwork(name);
      expect(it.beacon.publicKey).to.equal(hexlify(publicKeyForEvm(Buffer.from(vectors.publicKey, "hex"))));
      expect(it.beacon.genesisTime).to.equal(vectors.genesisTime);
      expect(it.parameters.roundSeconds).to.equal(vectors.periodSeconds);
      expect(beaconUrl.endsWith(vectors.chainHash)).to.equal(true);
    }
  });

  const mistakes: readonly (readonly [what: string, change: Change, sentence: RegExp])[] = [
    ["a beacon later than the period", (p) => ({ ...p, maxLagSeconds: 3_000 }), /^The latest beacon .* comes 3603 s .* lasts only 3600 s/],
    ["rounds of nothing", (p) => ({ ...p, roundSeconds: 0 }), /^periodSeconds and roundSeconds must be above 0/],
    [
      "a report window too short to evict",
      (p) => ({ ...p, reportWindowPeriods: 23 }),
      /^reportWindowPeriods must be between destroyAfterMisses/,
    ],
    [
      "a report window too long",
      (p) => ({ ...p, reportWindowPeriods: 257, unbondingSeconds: 950_400, timelockSeconds: 1_036_800 }),
      /^reportWindowPeriods/,
    ],
    ["a report delay too long", (p) => ({ ...p, reportDelayBlocks: 1_025 }), /^reportDelayBlocks/],
    ["no samples", (p) => ({ ...p, samplesPerProof: 0 }), /^samplesPerProof/],
    [
      "collateral that leaves before its misses",
      (p) => ({ ...p, unbondingSeconds: 6 * 86_400 }),
      /^unbondingSeconds must be at least the report/,
    ],
    ["a timelock of a day", (p) => ({ ...p, timelockSeconds: 86_400 }), /^timelockSeconds must be between 2 and 30 days/],
    [
      "rules that change before one can leave",
      (p) => ({ ...p, timelockSeconds: 7 * 86_400 }),
      /^timelockSeconds must be at least unbonding/,
    ],
    ["an eviction within a day", (p) => ({ ...p, penalties: { ...p.penalties, destroyAfterMisses: 23 } }), /^penalties.destroyAfterMisses/],
    [
      "a challenge of an hour",
      (p) => ({ ...p, challenges: { ...p.challenges, answerSeconds: 3_601 } }),
      /^challenges.answerSeconds .* 24 h/,
    ],
    [
      "a reservation shorter than its seed",
      (p) => ({ ...p, repair: { ...p.repair, reservationSeconds: 600 } }),
      /^repair.reservationSeconds/,
    ],
    ["a bond of nothing", (p) => ({ ...p, repair: { ...p.repair, bondBps: 0 } }), /^repair.bondBps/],
    ["a withdrawal at once", (p) => ({ ...p, escrow: { delaySeconds: 0 } }), /^escrow.delaySeconds/],
    ["a fund too small", (p) => ({ ...p, penalties: { ...p.penalties, fundBps: 3_999 } }), /^penalties.fundBps/],
    ["a reporter's part too large", (p) => ({ ...p, penalties: { ...p.penalties, reporterBps: 501 } }), /^penalties.reporterBps/],
    ["a challenger's part too large", (p) => ({ ...p, penalties: { ...p.penalties, challengerBps: 1_001 } }), /^penalties.challengerBps/],
    ["a fee too large", (p) => ({ ...p, penalties: { ...p.penalties, protocolFeeBps: 1_001 } }), /^penalties.protocolFeeBps/],
    ["a miss above its bound", (p) => ({ ...p, penalties: { ...p.penalties, missBps: 101 } }), /^penalties.missBps/],
    ["incidents never forgotten", (p) => ({ ...p, penalties: { ...p.penalties, decayPeriods: 0 } }), /^penalties.decayPeriods/],
    ["lying as cheap as admitting", (p) => ({ ...p, penalties: { ...p.penalties, caughtLossBps: 1_000 } }), /^penalties must order/],
    ["a premium that pays for losses", (p) => ({ ...p, penalties: { ...p.penalties, premiumBps: 400 } }), /^penalties.premiumBps/],
    ["a bond out of its bounds", (p) => ({ ...p, challenges: { ...p.challenges, bondWei: 0n } }), /^challenges must order/],
    ["no time to finalise a term", (p) => ({ ...p, committee: { ...p.committee, termPeriods: 48 } }), /^committee.termPeriods/],
    ["no time to reveal", (p) => ({ ...p, committee: { ...p.committee, revealPeriods: 0 } }), /^committee.commitPeriods/],
    ["leaving within a term", (p) => ({ ...p, committee: { ...p.committee, leaveDelayTerms: 3 } }), /^committee.leaveDelayTerms/],
    ["too few seats", (p) => ({ ...p, committee: { ...p.committee, seatsMin: 3 } }), /^committee must order/],
  ];
  for (const [what, change, sentence] of mistakes) {
    it(`refuse ${what}, in one sentence`, async () => {
      const mistakes = mistakesOf({ ...deployment, parameters: change(deployment.parameters) });
      expect(mistakes).to.have.length(1);
      expect(mistakes[0]).to.match(sentence);
    });
  }

  it("refuse a genesis to come, another key's length, an administrator that is none", async () => {
    expect(await check({ ...deployment, genesisTime: NOW + 1 })).to.match(/^genesisTime must be in the chain's past/);
    expect(await check({ ...deployment, beacon: { ...deployment.beacon, publicKey: "0x1234" } })).to.match(/^The beacon's public key/);
    expect(await check({ ...deployment, administrators: ["0x12"] })).to.match(/^Every administrator/);
  });
});
