/** What touches precompiles, on two implementations of the EVM: Hardhat's (Rust) and @ethereumjs/vm (JavaScript). */
import { readFileSync } from "node:fs";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { publicKeyForEvm, signatureForEvm } from "@ppio/core/drand";
import { expect } from "chai";
import { concat, getBytes, hexlify, type Interface, id, sha256, toBeHex, zeroPadValue } from "ethers";
import type { DrandBeacon, MerkleHarness } from "../../typechain-types/index.ts";
import { encodeG1, TestGroup } from "../support/contracts/beacon.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { randomLeaf } from "../support/contracts/planted.ts";
import { type Outcome, SecondEvm } from "../support/contracts/second-evm.ts";
import { distinctTree } from "../support/contracts/tree.ts";

const quicknet = JSON.parse(readFileSync(new URL("../vectors/drand.json", import.meta.url), "utf8")) as {
  genesisTime: number;
  periodSeconds: number;
  publicKey: string;
  rounds: { round: number; signature: string; randomness: string }[];
};
const LAG_SECONDS = 30n;
const FIELD = bls12_381.fields.Fp;

/** A point of the curve outside the subgroup that signatures are in: the curve's cofactor is large, so nearly any will do. */
function outOfSubgroup(): string {
  for (let x = 1n; ; x += 1n) {
    const right = FIELD.add(FIELD.mul(FIELD.mul(x, x), x), 4n);
    try {
      const point = bls12_381.G1.Point.fromAffine({ x, y: FIELD.sqrt(right) });
      if (!point.isTorsionFree()) return encodeG1(point);
    } catch {
      // No y for this x.
    }
  }
}

/** The same contract on both, and calls that must end alike. */
class Pair<T extends DrandBeacon | MerkleHarness> {
  readonly second: SecondEvm;
  readonly contract: T;
  readonly #firstAt: string;
  readonly #secondAt: string;

  private constructor(second: SecondEvm, contract: T, firstAt: string, secondAt: string) {
    this.second = second;
    this.contract = contract;
    this.#firstAt = firstAt;
    this.#secondAt = secondAt;
  }

  static async deploy<T extends DrandBeacon | MerkleHarness>(name: string, args: readonly unknown[]): Promise<Pair<T>> {
    const factory = await ethers.getContractFactory(name);
    const contract = (await ethers.deployContract(name, [...args])) as unknown as T;
    const second = await SecondEvm.create(BigInt(await networkHelpers.time.latest()));
    const creationCode = (await factory.getDeployTransaction(...args)).data;
    return new Pair(second, contract, await contract.getAddress(), await second.deploy(creationCode));
  }

  encode(method: string, args: readonly unknown[]): string {
    return (this.contract.interface as Interface).encodeFunctionData(method, args);
  }

  async #first(data: string): Promise<Outcome> {
    try {
      return { ok: true, data: await ethers.provider.call({ to: this.#firstAt, data }) };
    } catch (error) {
      return { ok: false, data: (error as { data?: string }).data ?? "0x" };
    }
  }

  /** Calls both, expects them to agree to the byte, and decodes. */
  async call(method: string, args: readonly unknown[]): Promise<Outcome & { readonly values: readonly unknown[] }> {
    const data = this.encode(method, args);
    const outcome = await this.second.call(this.#secondAt, data);
    expect(outcome, method).to.deep.equal(await this.#first(data));
    const values = outcome.ok ? [...(this.contract.interface as Interface).decodeFunctionResult(method, outcome.data)] : [];
    return { ...outcome, values };
  }

  /** Sends to both in a block of the same time, and expects the same gas to the unit. */
  async send(method: string, args: readonly unknown[], timestamp: bigint): Promise<bigint> {
    const data = this.encode(method, args);
    await networkHelpers.time.setNextBlockTimestamp(timestamp);
    const [signer] = await ethers.getSigners();
    const receipt = await (await signer?.sendTransaction({ to: this.#firstAt, data }))?.wait();
    this.second.timestamp = timestamp;
    const { ok, gasUsed } = await this.second.send(this.#secondAt, data);
    expect(ok, method).to.equal(true);
    expect(gasUsed, method).to.equal(receipt?.gasUsed);
    return gasUsed;
  }
}

describe("A second EVM", function () {
  this.timeout(120_000);

  describe("DrandBeacon with quicknet's key", () => {
    let pair: Pair<DrandBeacon>;
    before(async () => {
      const key = hexlify(publicKeyForEvm(getBytes(`0x${quicknet.publicKey}`)));
      pair = await Pair.deploy("DrandBeacon", [key, quicknet.genesisTime, quicknet.periodSeconds, LAG_SECONDS]);
    });

    for (const { round, signature, randomness } of quicknet.rounds) {
      const real = hexlify(signatureForEvm(getBytes(`0x${signature}`)));
      const word = (at: number, value: bigint) =>
        concat([real.slice(0, 2 + 128 * at), toBeHex(value, 64), `0x${real.slice(2 + 128 * (at + 1))}`]);
      const y = BigInt(`0x${real.slice(130)}`);

      it(`takes round ${round}, as published`, async () => {
        expect((await pair.call("verify", [round, real])).values).to.deep.equal([true, `0x${randomness}`]);
      });

      for (const [what, changed] of [
        ["its negation", word(1, FIELD.ORDER - y)],
        ["a point off the curve", word(1, y + 1n)],
        ["a coordinate above the field", word(1, y + FIELD.ORDER)],
        ["infinity", `0x${"00".repeat(128)}`],
        ["a point outside the subgroup", outOfSubgroup()],
        ["another group's signature", new TestGroup().sign(BigInt(round)).signature],
      ] as const) {
        it(`refuses ${what} for round ${round}`, async () => {
          expect((await pair.call("verify", [round, changed])).values).to.deep.equal([false, ethers.ZeroHash]);
        });
      }

      it(`refuses round ${round}'s signature for its neighbours, and other lengths`, async () => {
        for (const other of [round - 1, round + 1]) expect((await pair.call("verify", [other, real])).values[0]).to.equal(false);
        for (const bytes of ["0x", real.slice(0, -2), `${real}00`]) expect((await pair.call("verify", [round, bytes])).ok).to.equal(false);
      });
    }

    it("refuses keys that are no points of the group", async () => {
      const key = publicKeyForEvm(getBytes(`0x${quicknet.publicKey}`));
      key[200] = (key[200] ?? 0) ^ 1;
      for (const bad of [hexlify(key), `0x${"00".repeat(256)}`]) {
        const factory = await ethers.getContractFactory("DrandBeacon");
        const { data } = await factory.getDeployTransaction(bad, 1, 3, LAG_SECONDS);
        const refusal = await pair.second.deploy(data).then(
          () => "deployed",
          (error: Error) => error.message,
        );
        expect(refusal).to.contain("revert");
        await expect(ethers.deployContract("DrandBeacon", [bad, 1, 3, LAG_SECONDS])).to.be.revert(ethers);
      }
    });
  });

  it("keeps rounds of a group of our own at the same gas to the unit", async () => {
    const group = new TestGroup();
    const genesis = BigInt(await networkHelpers.time.latest()) + 100n;
    const pair = await Pair.deploy<DrandBeacon>("DrandBeacon", [group.publicKey, genesis, 3, LAG_SECONDS]);
    for (const round of [1n, 2n, 77n, 4_000n]) {
      const { signature, randomness } = group.sign(round);
      const gas = await pair.send("submit", [round, signature], genesis + 3n * round + 1n);
      expect(gas).to.be.lessThanOrEqual(175_000n);
      expect((await pair.call("randomness", [round])).values).to.deep.equal([randomness]);
    }
  });

  describe("the slot tree", () => {
    let pair: Pair<MerkleHarness>;
    before(async () => {
      pair = await Pair.deploy("MerkleHarness", []);
    });

    it("verifies leaves of every depth, and refuses changed ones", async () => {
      for (let depth = 0; depth <= 40; depth++) {
        const index = BigInt(id(`index ${depth}`)) % 2n ** BigInt(depth);
        const { root, proof } = randomLeaf(`depth ${depth}`, index, depth);
        expect((await pair.call("verify", [root, index, proof])).values, `depth ${depth}`).to.deep.equal([true]);
        const bytes = getBytes(proof);
        const at = Number(BigInt(id(`at ${depth}`)) % BigInt(bytes.length));
        bytes[at] = (bytes[at] ?? 0) ^ 4;
        expect((await pair.call("verify", [root, index, hexlify(bytes)])).values, `byte ${at} of depth ${depth}`).to.deep.equal([false]);
        if (depth === 0) continue;
        const other = index ^ (1n << (BigInt(id(`bit ${depth}`)) % BigInt(depth)));
        expect((await pair.call("verify", [root, other, proof])).values, `${other} for ${index}`).to.deep.equal([false]);
      }
    });

    it("agrees with the slow twin on trees with filled-up ends", async () => {
      for (const leafCount of [1, 2, 3, 5, 8, 13]) {
        const tree = distinctTree("second EVM", leafCount);
        for (let leaf = 0; leaf < leafCount; leaf++) {
          expect((await pair.call("verify", [tree.root, leaf, tree.prove(leaf)])).values).to.deep.equal([true]);
        }
      }
    });

    it("asks for exactly the length that the leaf count's depth needs", async () => {
      for (const leafCount of [1n, 2n, 3n, 4n, 5n, 8n, 9n, 1023n, 1024n, 1025n, 2n ** 39n + 1n, 2n ** 40n - 1n, 2n ** 64n - 1n]) {
        const expected = 64 + 32 * (leafCount - 1n).toString(2).replace(/^0$/, "").length;
        expect((await pair.call("depth", [leafCount])).values).to.deep.equal([BigInt(expected - 64) / 32n]);
        for (const length of [
          0,
          1,
          31,
          32,
          63,
          64,
          96,
          expected - 32,
          expected - 1,
          expected,
          expected + 1,
          expected + 32,
          8_192,
          8_256,
          2 ** 40,
        ]) {
          const { values } = await pair.call("isProofLength", [length, leafCount]);
          expect(values, `${length} bytes for ${leafCount} leaves`).to.deep.equal([length === expected]);
        }
      }
    });

    it("folds runs of nodes into their root", async () => {
      const nodes = Array.from({ length: 8 }, (_, i) => id(`node ${i}`));
      const pairUp = (level: readonly string[]) =>
        level.flatMap((node, i) => (i % 2 === 0 ? [sha256(concat([node, level[i + 1] ?? ""]))] : []));
      const root = pairUp(pairUp(pairUp(nodes)))[0];
      expect((await pair.call("rangeRoot", [nodes, 0, 8, 3])).values).to.deep.equal([root]);
      const [a = "", b = "", c = "", d = "", e = "", f = "", g = "", h = ""] = nodes;
      const siblings = [a, sha256(concat([g, h]))];
      expect((await pair.call("rangeRoot", [[b, c, d, e, f, ...siblings], 1, 5, 3])).values).to.deep.equal([root]);
      expect((await pair.call("rangeRoot", [[c, b, d, e, f, ...siblings], 1, 5, 3])).values).to.not.deep.equal([root]);
    });
  });

  it("would notice a difference", async () => {
    const pair = await Pair.deploy<MerkleHarness>("MerkleHarness", []);
    const other = await SecondEvm.create(1n);
    const at = await other.deploy(concat(["0x600a5f5360205ff3", zeroPadValue("0x", 1)]));
    expect(await other.call(at, pair.encode("depth", [4]))).to.not.deep.equal(await pair.second.call(at, pair.encode("depth", [4])));
  });
});
