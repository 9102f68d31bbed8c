/** BucketRegistry: heads by compare-and-swap, writers, ownership, revocations, and what signatures can and cannot do. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import {
  ACCEPT_OWNERSHIP_TYPES,
  bucketKeyOf,
  CLEAR_WRITERS_TYPES,
  CREATE_BUCKET_TYPES,
  MOVE_HEAD_TYPES,
  OFFER_OWNERSHIP_TYPES,
  REVOKE_TICKETS_BEFORE_TYPES,
  REVOKE_TICKETS_TYPES,
  SET_WRITER_TYPES,
} from "@ppio/core";
import { expect } from "chai";
import { id, type TypedDataDomain, type TypedDataField, ZeroAddress, ZeroHash } from "ethers";
import { type BucketWorld, deployBucketWorld, listingOf, measureHeadMove } from "../support/contracts/bucket-world.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { FAR } from "../support/contracts/parameters.ts";

const HEAD_MOVE_GAS_MAX = 40_000n;
const NAME = "films";

describe("BucketRegistry", () => {
  let world: BucketWorld;
  let owner: HardhatEthersSigner;
  let writer: HardhatEthersSigner;
  let heir: HardhatEthersSigner;
  let thief: HardhatEthersSigner;
  let key: string;

  const fixture = async () => {
    const made = await deployBucketWorld();
    const created = await made.create(made.signer(1), NAME);
    await made.registry.connect(made.signer(1)).setWriter(created, made.signer(2), true);
    return { made, created };
  };
  beforeEach(async () => {
    ({ made: world, created: key } = await networkHelpers.loadFixture(fixture));
    [owner, writer, heir, thief] = [world.signer(1), world.signer(2), world.signer(3), world.signer(4)];
  });
  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.registry, error);
  const sign = (
    signer: HardhatEthersSigner,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
    domain: TypedDataDomain = world.domain,
  ) => signer.signTypedData(domain, types, value);
  const headOf = async (bucketKey: string) => {
    const { listing, seq } = await world.registry.headOf(bucketKey);
    const { dealId, offsetBytes, lengthBytes, hash } = listing;
    return { seq, listing: { dealId, offsetBytes, lengthBytes, hash } };
  };
  const expectHead = async (seq: bigint, name: string) => {
    const { dealId, offsetBytes, lengthBytes, hash } = listingOf(name);
    const listing = { dealId, offsetBytes, lengthBytes: BigInt(lengthBytes), hash };
    expect(await headOf(key)).to.deep.equal({ seq, listing });
  };

  describe("creation", () => {
    it("K1: creates a bucket once, also not again after it changed hands", async () => {
      await refused(world.create(owner, NAME), "BucketExists");
      await world.registry.connect(owner).offerOwnership(key, heir);
      await world.registry.connect(heir).acceptOwnership(key);
      await refused(world.create(owner, NAME), "BucketExists");
    });

    it("K1: leaves a seen bucket id worthless to a front-runner: it gets a bucket of its own, under another key", async () => {
      const theirs = await world.create(thief, "seen in the mempool");
      const ours = await world.create(owner, "seen in the mempool");
      expect(theirs).to.not.equal(ours);
      expect(await world.registry.ownerOf(ours)).to.equal(owner.address);
      await refused(world.move(thief, ours, "seen in the mempool", 1), "NotWriter");
    });

    it("refuses a listing that lies nowhere", async () => {
      for (const broken of [{ dealId: ZeroHash }, { lengthBytes: 0 }, { offsetBytes: 2n ** 48n }]) {
        await refused(world.registry.createBucket(id("x"), { ...listingOf("x"), ...broken }), "InvalidListing");
        const call = world.registry.connect(owner).moveHead(key, 1, listingOf(`${NAME}/1`).hash, { ...listingOf("x"), ...broken });
        await refused(call, "InvalidListing");
      }
    });

    it("K2: starts at seq 1 with the listing given, and resolves from state alone", async () => {
      await expectHead(1n, `${NAME}/1`);
      expect(await world.registry.bucketKeyOf(owner, id(NAME))).to.equal(key);
      expect(await headOf(id("no such bucket"))).to.deep.equal({
        seq: 0n,
        listing: { dealId: ZeroHash, offsetBytes: 0n, lengthBytes: 0n, hash: `0x${"00".repeat(16)}` },
      });
    });
  });

  describe("moves", () => {
    it("K3: refuses a stale seq, a seq ahead, and the right seq of another history, and hands out the actual head", async () => {
      await world.move(owner, key, NAME, 1);
      const { dealId, offsetBytes, lengthBytes, hash } = listingOf(`${NAME}/2`);
      const actual = [[dealId, offsetBytes, BigInt(lengthBytes), hash], 2n];
      const move = (seq: number, name: string) =>
        world.registry.connect(writer).moveHead(key, seq, listingOf(name).hash, listingOf("mine"));
      for (const call of [() => move(1, `${NAME}/1`), () => move(3, `${NAME}/2`), () => move(2, "a replaced block's")]) {
        await expect(call()).to.be.revertedWithCustomError(world.registry, "StaleHead").withArgs(key, actual);
      }
    });

    it("K3: lets exactly one of two racing writers win, so that no update is lost", async () => {
      const race = [owner, writer].map((mover) =>
        world.registry.connect(mover).moveHead(key, 1, listingOf(`${NAME}/1`).hash, listingOf(mover.address)),
      );
      const ended = await Promise.allSettled(race);
      expect(ended.map(({ status }) => status).sort()).to.deep.equal(["fulfilled", "rejected"]);
      expect((await headOf(key)).seq).to.equal(2n);
    });

    it("K4: refuses strangers, removed writers and buckets that are not there", async () => {
      await refused(world.move(thief, key, NAME, 1), "NotWriter");
      await world.registry.connect(owner).setWriter(key, writer, false);
      await refused(world.move(writer, key, NAME, 1), "NotWriter");
      await refused(world.move(owner, id("nowhere"), NAME, 0), "UnknownBucket");
    });

    it("K2: counts one up per move, by owner and writer, and says who moved", async () => {
      await world.move(owner, key, NAME, 1);
      const { dealId, offsetBytes, lengthBytes, hash } = listingOf(`${NAME}/3`);
      await expect(world.move(writer, key, NAME, 2))
        .to.emit(world.registry, "HeadMoved")
        .withArgs(key, 3n, writer.address, dealId, offsetBytes, lengthBytes, hash);
      await expectHead(3n, `${NAME}/3`);
    });

    it(`costs at most ${HEAD_MOVE_GAS_MAX} gas for the whole transaction, by owner and by writer`, async () => {
      const gas = await measureHeadMove();
      expect(gas.owner).to.be.lessThanOrEqual(HEAD_MOVE_GAS_MAX);
      expect(gas.writer).to.be.lessThanOrEqual(HEAD_MOVE_GAS_MAX);
    });
  });

  describe("writers", () => {
    it("K4: are set and cleared by the owner only, never the owner itself, nor nobody", async () => {
      for (const caller of [writer, thief]) {
        await refused(world.registry.connect(caller).setWriter(key, thief, true), "NotOwner");
        await refused(world.registry.connect(caller).clearWriters(key), "NotOwner");
      }
      await refused(world.registry.connect(owner).setWriter(key, owner, false), "WriterIsOwner");
      await refused(world.registry.connect(owner).setWriter(key, ZeroAddress, true), "ZeroAddress");
      await refused(world.registry.connect(owner).setWriter(id("nowhere"), writer, true), "UnknownBucket");
    });

    it("are all gone after clearing, at a price that does not grow with their number, and can come back", async () => {
      await world.registry.connect(owner).setWriter(key, heir, true);
      await world.registry.connect(owner).clearWriters(key);
      await expectHead(1n, `${NAME}/1`);
      for (const gone of [writer, heir]) {
        expect(await world.registry.isWriter(key, gone)).to.equal(false);
        await refused(world.move(gone, key, NAME, 1), "NotWriter");
      }
      await world.move(owner, key, NAME, 1);
      await world.registry.connect(owner).setWriter(key, writer, true);
      await world.move(writer, key, NAME, 2);
    });

    it("of one bucket are nobody in another", async () => {
      const other = await world.create(owner, "other");
      expect(await world.registry.isWriter(other, writer)).to.equal(false);
      expect(await world.registry.isWriter(id("nowhere"), thief)).to.equal(false);
      await refused(world.move(writer, other, "other", 1), "NotWriter");
    });
  });

  describe("ownership", () => {
    it("K5: is offered by the owner only and taken only by who it is offered to", async () => {
      await refused(world.registry.connect(thief).offerOwnership(key, thief), "NotOwner");
      await refused(world.registry.connect(thief).acceptOwnership(key), "NotOffered");
      await world.registry.connect(owner).offerOwnership(key, heir);
      await refused(world.registry.connect(thief).acceptOwnership(key), "NotOffered");
      await world.registry.connect(owner).offerOwnership(key, ZeroAddress);
      await refused(world.registry.connect(heir).acceptOwnership(key), "NotOffered");
      await refused(world.registry.acceptOwnershipWithSig(key, FAR, "0x"), "NotOffered");
    });

    it("K5: changes hands whole: head and key stay, the old owner and its writers are out, the offer is used up", async () => {
      await world.registry.connect(owner).offerOwnership(key, heir);
      expect(await world.registry.ownerOf(key)).to.equal(owner.address);
      await expect(world.registry.connect(heir).acceptOwnership(key))
        .to.emit(world.registry, "OwnershipTransferred")
        .withArgs(key, owner.address, heir.address);
      await expectHead(1n, `${NAME}/1`);
      for (const out of [owner, writer]) await refused(world.move(out, key, NAME, 1), "NotWriter");
      await refused(world.registry.connect(owner).setWriter(key, owner, true), "NotOwner");
      await refused(world.registry.connect(heir).acceptOwnership(key), "NotOffered");
      await world.move(heir, key, NAME, 1);
    });
  });

  describe("tickets", () => {
    const ids = [id("ticket 1"), id("ticket 2")];

    it("K7: are revoked by id, per issuer, for good", async () => {
      await expect(world.registry.connect(owner).revokeTickets(ids))
        .to.emit(world.registry, "TicketRevoked")
        .withArgs(owner.address, ids[1]);
      await expect(world.registry.connect(owner).revokeTickets(ids)).to.not.emit(world.registry, "TicketRevoked");
      expect(await world.registry.isRevoked(owner, ids[0] ?? "", FAR)).to.equal(true);
      expect(await world.registry.isRevoked(thief, ids[0] ?? "", FAR)).to.equal(false);
      expect(await world.registry.isRevoked(owner, id("another"), FAR)).to.equal(false);
    });

    it("K7: are revoked by time of issue, which never goes back and never lies ahead", async () => {
      const registry = world.registry.connect(owner);
      const now = BigInt(await networkHelpers.time.latest());
      await refused(registry.revokeTicketsBefore(now + 100n), "NotInThePast");
      await expect(registry.revokeTicketsBefore(now)).to.emit(world.registry, "TicketsRevokedBefore").withArgs(owner.address, now);
      await refused(registry.revokeTicketsBefore(now), "AlreadyRevokedBefore");
      await refused(registry.revokeTicketsBefore(now - 1n), "AlreadyRevokedBefore");
      expect(await world.registry.isRevoked(owner, id("unknown"), now - 1n)).to.equal(true);
      expect(await world.registry.isRevoked(owner, id("unknown"), now)).to.equal(false);
      expect(await world.registry.isRevoked(thief, id("unknown"), now - 1n)).to.equal(false);
    });

    it("worst case: 256 fresh ids fit a block's gas with room, 257 are refused", async () => {
      const many = Array.from({ length: 257 }, (_, at) => id(`ticket ${at}`));
      await refused(world.registry.revokeTickets(many), "TooManyTickets");
      const receipt = await (await world.registry.revokeTickets(many.slice(1))).wait();
      expect(receipt?.gasUsed).to.be.lessThan(7_000_000n);
    });
  });

  describe("signatures", () => {
    type Call = (signature: string, deadline?: bigint) => Promise<unknown>;
    interface Form {
      readonly name: string;
      readonly signer: () => HardhatEthersSigner;
      readonly types: Record<string, TypedDataField[]>;
      readonly value: () => Record<string, unknown>;
      readonly send: Call;
      /** Error when the same signature comes again. */
      readonly twice: string;
      readonly prepare?: () => Promise<unknown>;
    }
    const listing = listingOf("signed");
    const hash1 = listingOf(`${NAME}/1`).hash;
    const ids = [id("a"), id("b")];
    const past = 1_000n;
    const forms: readonly Form[] = [
      {
        name: "CreateBucket",
        signer: () => heir,
        types: CREATE_BUCKET_TYPES,
        value: () => ({ creator: heir.address, bucketId: id("new"), ...listing }),
        send: (signature, deadline = FAR) => world.registry.createBucketWithSig(heir, id("new"), listing, deadline, signature),
        twice: "BucketExists",
      },
      {
        name: "MoveHead",
        signer: () => writer,
        types: MOVE_HEAD_TYPES,
        value: () => ({ bucketKey: key, mover: writer.address, expectedSeq: 1, expectedHash: hash1, ...listing }),
        send: (signature, deadline = FAR) => world.registry.moveHeadWithSig(key, writer, 1, hash1, listing, deadline, signature),
        twice: "StaleHead",
      },
      {
        name: "SetWriter",
        signer: () => owner,
        types: SET_WRITER_TYPES,
        value: () => ({ bucketKey: key, writer: heir.address, allowed: true, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.setWriterWithSig(key, heir, true, deadline, signature),
        twice: "InvalidSignature",
      },
      {
        name: "ClearWriters",
        signer: () => owner,
        types: CLEAR_WRITERS_TYPES,
        value: () => ({ bucketKey: key, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.clearWritersWithSig(key, deadline, signature),
        twice: "InvalidSignature",
      },
      {
        name: "OfferOwnership",
        signer: () => owner,
        types: OFFER_OWNERSHIP_TYPES,
        value: () => ({ bucketKey: key, to: heir.address, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.offerOwnershipWithSig(key, heir, deadline, signature),
        twice: "InvalidSignature",
      },
      {
        name: "AcceptOwnership",
        signer: () => heir,
        types: ACCEPT_OWNERSHIP_TYPES,
        value: () => ({ bucketKey: key, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.acceptOwnershipWithSig(key, deadline, signature),
        twice: "NotOffered",
        prepare: () => world.registry.connect(owner).offerOwnership(key, heir),
      },
      {
        name: "RevokeTickets",
        signer: () => heir,
        types: REVOKE_TICKETS_TYPES,
        value: () => ({ issuer: heir.address, ticketIds: ids, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.revokeTicketsWithSig(heir, ids, deadline, signature),
        twice: "InvalidSignature",
      },
      {
        name: "RevokeTicketsBefore",
        signer: () => heir,
        types: REVOKE_TICKETS_BEFORE_TYPES,
        value: () => ({ issuer: heir.address, issuedBefore: past, nonce: 0 }),
        send: (signature, deadline = FAR) => world.registry.revokeTicketsBeforeWithSig(heir, past, deadline, signature),
        twice: "InvalidSignature",
      },
    ];

    for (const { name, signer, types, value, send, twice, prepare } of forms) {
      it(`K6: ${name} counts once, in time, from its signer, here`, async () => {
        await prepare?.();
        const signed = { ...value(), deadline: FAR };
        const now = BigInt(await networkHelpers.time.latest());
        await refused(send(await sign(signer(), types, { ...value(), deadline: now }), now), "AuthorizationExpired");
        await refused(send(await sign(thief, types, signed)), "InvalidSignature");
        await refused(send(await sign(signer(), types, signed, { ...world.domain, chainId: 1n })), "InvalidSignature");
        await refused(send(await sign(signer(), types, signed, { ...world.domain, verifyingContract: thief.address })), "InvalidSignature");
        await refused(send(await sign(signer(), types, { ...signed, deadline: FAR - 1n })), "InvalidSignature");
        await refused(send("0x"), "InvalidSignature");
        const signature = await sign(signer(), types, signed);
        await send(signature);
        await refused(send(signature), twice);
      });
    }

    it("K6: a move signed for one bucket is worthless in another", async () => {
      const other = await world.create(owner, "other");
      await world.registry.connect(owner).setWriter(other, writer, true);
      const signature = await sign(writer, MOVE_HEAD_TYPES, {
        bucketKey: key,
        mover: writer.address,
        expectedSeq: 1,
        expectedHash: listingOf("other/1").hash,
        ...listing,
        deadline: FAR,
      });
      const call = world.registry.moveHeadWithSig(other, writer, 1, listingOf("other/1").hash, listing, FAR, signature);
      await refused(call, "InvalidSignature");
    });

    it("K4: a writer's signed move dies with its right", async () => {
      const signature = await sign(writer, MOVE_HEAD_TYPES, {
        bucketKey: key,
        mover: writer.address,
        expectedSeq: 1,
        expectedHash: hash1,
        ...listing,
        deadline: FAR,
      });
      await world.registry.connect(owner).clearWriters(key);
      await refused(world.registry.moveHeadWithSig(key, writer, 1, hash1, listing, FAR, signature), "NotWriter");
    });

    it("refuses signed orders of an owner where there is none", async () => {
      await refused(world.registry.setWriterWithSig(id("nowhere"), heir, true, FAR, "0x"), "UnknownBucket");
      await refused(world.registry.clearWritersWithSig(id("nowhere"), FAR, "0x"), "UnknownBucket");
      await refused(world.registry.offerOwnershipWithSig(id("nowhere"), heir, FAR, "0x"), "UnknownBucket");
      await refused(world.registry.createBucketWithSig(ZeroAddress, id("new"), listing, FAR, "0x"), "InvalidSignature");
    });

    it("lets a smart account own and write by ERC-1271, as long as it stands by its signature", async () => {
      const wallet = await ethers.deployContract("ContractWallet", [heir]);
      const account = await wallet.getAddress();
      const create = { creator: account, bucketId: id("smart"), ...listing, deadline: FAR };
      const asThief = await sign(thief, CREATE_BUCKET_TYPES, create);
      await refused(world.registry.createBucketWithSig(account, id("smart"), listing, FAR, asThief), "InvalidSignature");
      const signature = await sign(heir, CREATE_BUCKET_TYPES, create);
      await world.registry.createBucketWithSig(account, id("smart"), listing, FAR, signature);
      const smart = bucketKeyOf(account, id("smart"));
      expect(await world.registry.ownerOf(smart)).to.equal(account);
      const move = { bucketKey: smart, mover: account, expectedSeq: 1, expectedHash: listing.hash, ...listing, deadline: FAR };
      const moveSignature = await sign(heir, MOVE_HEAD_TYPES, move);
      await wallet.lock();
      await refused(world.registry.moveHeadWithSig(smart, account, 1, listing.hash, listing, FAR, moveSignature), "InvalidSignature");
    });

    it("says its domain", async () => {
      expect(await world.registry.domainSeparator()).to.equal(ethers.TypedDataEncoder.hashDomain(world.domain));
    });
  });
});
