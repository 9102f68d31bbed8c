/**
 * Where somebody stands in an order that all can compute and none can choose: of many processes that could do the same thing, each waits for
 * its share of a bounded time, so that mostly one does it and the others see it done.
 */

/** As many as a JavaScript number holds with room to multiply. */
const HASH_BITS = 48n;
const WORD_BITS = 256n;

/** From 0 to below 1: what hashes low goes first. @param hash 32 bytes, 0x hex, of what is to be done and who would do it */
export function turnShare(hash: string): number {
  return Number(BigInt(hash) >> (WORD_BITS - HASH_BITS)) / 2 ** Number(HASH_BITS);
}
