/** Buckets: their head and their owner. */
import { bucketKeyOf } from "@ppio/core";
import { id } from "ethers";
import type { Stage } from "../stage.ts";
import { machineOf } from "./machine.ts";

const NAME = "films";

const roles = ({ buckets }: Stage) => ({
  owner: buckets.signer(1),
  heir: buckets.signer(2),
  writer: buckets.signer(3),
  thief: buckets.signer(4),
  key: bucketKeyOf(buckets.signer(1).address, id(NAME)),
});
const create = (c: Stage) => c.buckets.create(roles(c).owner, NAME);
const offer = (c: Stage) => c.buckets.registry.connect(roles(c).owner).offerOwnership(roles(c).key, roles(c).heir);
const move = (c: Stage, by = roles(c).owner, seq = 1) => c.buckets.move(by, roles(c).key, NAME, seq);
const setWriter = (c: Stage, by = roles(c).owner, writer = roles(c).writer) =>
  c.buckets.registry.connect(by).setWriter(roles(c).key, writer, true);

export const bucket = machineOf<Stage>({
  start: async (stage) => stage,
  states: {
    None: async () => {},
    Owned: create,
    async Offered(c) {
      await create(c);
      await offer(c);
    },
  },
  calls: {
    createBucket: async (c) => () => create(c),
    moveHead: async (c) => () => move(c),
    setWriter: async (c) => () => setWriter(c),
    clearWriters: async (c) => () => c.buckets.registry.connect(roles(c).owner).clearWriters(roles(c).key),
    offerOwnership: async (c) => () => offer(c),
    acceptOwnership: async (c) => () => c.buckets.registry.connect(roles(c).heir).acceptOwnership(roles(c).key),
  },
  also: {
    "Owned: moveHead by a stranger": async (c) => () => move(c, roles(c).thief),
    "Owned: moveHead from a head that is gone": async (c) => {
      await move(c);
      return () => move(c);
    },
    "Owned: setWriter by another than the owner": async (c) => () => setWriter(c, roles(c).thief),
    "Owned: setWriter for the owner itself": async (c) => () => setWriter(c, roles(c).owner, roles(c).owner),
    "Offered: acceptOwnership by another": async (c) => () => c.buckets.registry.connect(roles(c).thief).acceptOwnership(roles(c).key),
    "Offered: moveHead by the old owner, once accepted": async (c) => {
      await c.buckets.registry.connect(roles(c).heir).acceptOwnership(roles(c).key);
      return () => move(c);
    },
  },
  async stateOf(c) {
    const { key } = roles(c);
    if (BigInt(await c.buckets.registry.ownerOf(key)) === 0n) return "None";
    return BigInt(await c.buckets.registry.pendingOwnerOf(key)) === 0n ? "Owned" : "Offered";
  },
});
