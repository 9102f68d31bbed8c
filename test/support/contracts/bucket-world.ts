/** A bucket registry on the simulated chain, with what its tests and its gas figures need. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { bucketDomain, bucketKeyOf } from "@ppio/core";
import { type ContractTransactionResponse, hexlify, id, type TypedDataDomain } from "ethers";
import type { BucketRegistry, IBucketRegistry } from "../../../typechain-types/index.ts";
import { ethers } from "./chain.ts";

export type Listing = IBucketRegistry.ListingStruct & { hash: string };

/** Every byte that can be is set, so that calldata is never dearer than here. */
export function listingOf(name: string): Listing {
  return {
    dealId: id(`deal ${name}`),
    offsetBytes: 0xfedc_ba98_7654n,
    lengthBytes: 0xfedc_ba98,
    hash: hexlify(Buffer.from(id(`hash ${name}`).slice(2, 34), "hex")),
  };
}

export class BucketWorld {
  readonly registry: BucketRegistry;
  readonly signers: readonly HardhatEthersSigner[];
  readonly domain: TypedDataDomain;

  constructor(registry: BucketRegistry, signers: readonly HardhatEthersSigner[], domain: TypedDataDomain) {
    this.registry = registry;
    this.signers = signers;
    this.domain = domain;
  }

  signer(index: number): HardhatEthersSigner {
    const signer = this.signers[index];
    if (signer === undefined) throw new Error(`no signer ${index}`);
    return signer;
  }

  /** Creates the signer's bucket `name` with the listing `name/1`. */
  async create(creator: HardhatEthersSigner, name: string): Promise<string> {
    await this.registry.connect(creator).createBucket(id(name), listingOf(`${name}/1`));
    return bucketKeyOf(creator.address, id(name));
  }

  /** Moves `name` from its listing `seq` to the next one. */
  move(mover: HardhatEthersSigner, key: string, name: string, seq: number): Promise<ContractTransactionResponse> {
    return this.registry.connect(mover).moveHead(key, seq, listingOf(`${name}/${seq}`).hash, listingOf(`${name}/${seq + 1}`));
  }
}

export async function deployBucketWorld(): Promise<BucketWorld> {
  const registry = await ethers.deployContract("BucketRegistry");
  const { chainId } = await ethers.provider.getNetwork();
  const domain = bucketDomain({ chainId, bucketRegistry: await registry.getAddress() });
  return new BucketWorld(registry, await ethers.getSigners(), domain);
}

export interface HeadMoveGas {
  readonly owner: bigint;
  readonly writer: bigint;
}

async function gasOf(transaction: Promise<ContractTransactionResponse>): Promise<bigint> {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error("not mined");
  return receipt.gasUsed;
}

/** Gas of the whole transaction that moves an existing bucket's head, its second move and later, by its owner and by a writer. */
export async function measureHeadMove(): Promise<HeadMoveGas> {
  const world = await deployBucketWorld();
  const [owner, writer] = [world.signer(1), world.signer(2)];
  const key = await world.create(owner, "gas");
  await world.registry.connect(owner).setWriter(key, writer, true);
  await world.move(owner, key, "gas", 1);
  return { owner: await gasOf(world.move(owner, key, "gas", 2)), writer: await gasOf(world.move(writer, key, "gas", 3)) };
}
