export { equalBytes, LEAF_BYTES, NODE_BYTES, treeDepth, zeroNode } from "./nodes.ts";
export * from "./range-proof.ts";
export * from "./slot-tree.ts";
