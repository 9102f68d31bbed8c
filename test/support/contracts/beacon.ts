/** A drand group of one for the contract tests: signs rounds of scheme bls-unchained-g1-rfc9380 in the layout of EIP-2537. */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { concat, getBytes, hexlify, sha256, toBeHex, zeroPadValue } from "ethers";

const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

type G1Point = ReturnType<typeof bls12_381.G1.Point.fromHex>;
type G2Point = ReturnType<typeof bls12_381.G2.Point.fromHex>;

const fieldElement = (value: bigint): string => zeroPadValue(toBeHex(value), 64);

/** 128 bytes: x, y. */
export function encodeG1(point: G1Point): string {
  const { x, y } = point.toAffine();
  return concat([fieldElement(x), fieldElement(y)]);
}

/** 256 bytes: x.c0, x.c1, y.c0, y.c1. */
export function encodeG2(point: G2Point): string {
  const { x, y } = point.toAffine();
  return concat([x.c0, x.c1, y.c0, y.c1].map(fieldElement));
}

export const decompressG1 = (hex: string): string => encodeG1(bls12_381.G1.Point.fromHex(hex));
export const decompressG2 = (hex: string): string => encodeG2(bls12_381.G2.Point.fromHex(hex));

/** drand's message of a round. */
export function roundMessage(round: bigint): Uint8Array {
  return getBytes(sha256(zeroPadValue(toBeHex(round), 8)));
}

export function hashRoundToCurve(round: bigint): G1Point {
  return bls12_381.G1.hashToCurve(roundMessage(round), { DST });
}

export interface SignedRound {
  /** 128 bytes. */
  readonly signature: string;
  readonly randomness: string;
}

export class TestGroup {
  readonly #secret: bigint;

  constructor(secret = 0x5eedn) {
    this.#secret = secret;
  }

  get publicKey(): string {
    return encodeG2(bls12_381.G2.Point.BASE.multiply(this.#secret));
  }

  sign(round: bigint): SignedRound {
    const point = hashRoundToCurve(round).multiply(this.#secret);
    return { signature: encodeG1(point), randomness: sha256(hexlify(point.toBytes(true))) };
  }
}
