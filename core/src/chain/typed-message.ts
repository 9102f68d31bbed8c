/** One EIP-712 message, whoever checks it: its types, its digest, its signature, its signer. */
import { concat, keccak256, type TypedDataDomain, TypedDataEncoder, type TypedDataField } from "ethers";
import { recoverSigner } from "#secp";

export type Types = Record<string, TypedDataField[]>;

/** The types of one message, from its fields as Solidity writes them. */
export function struct(name: string, fields: string): Types {
  const parsed = fields.split(",").map((field) => {
    const [type = "", fieldName = ""] = field.trim().split(" ");
    return { type, name: fieldName };
  });
  return { [name]: parsed };
}

interface TypedSigner {
  signTypedData(domain: TypedDataDomain, types: Types, value: Record<string, unknown>): Promise<string>;
}

/** One typed message: its digest, its signature and the address that signed it. */
export interface TypedMessage<T extends object, D> {
  digest(domain: D, value: T): string;
  sign(domain: D, value: T, signer: TypedSigner): Promise<string>;
  /** Recovers the signer's address; undefined when signature or value is malformed. */
  recover(domain: D, value: T, signature: string): string | undefined;
}

/** ethers wants an index signature, which an interface does not have. */
function fields(value: object): Record<string, unknown> {
  return { ...value };
}

/**
 * A message under the domain that `domainOf` makes of where its contract lives. Types and domains are hashed once: a provider makes a
 * digest for every read.
 */
export function messageIn<T extends object, D extends object>(domainOf: (domain: D) => TypedDataDomain, types: Types): TypedMessage<T, D> {
  const encoder = TypedDataEncoder.from(types);
  const domainHashes = new WeakMap<D, string>();
  const hashOf = (domain: D): string => {
    const hash = domainHashes.get(domain) ?? TypedDataEncoder.hashDomain(domainOf(domain));
    domainHashes.set(domain, hash);
    return hash;
  };
  const digest = (domain: D, value: T): string => keccak256(concat(["0x1901", hashOf(domain), encoder.hash(fields(value))]));
  return {
    digest,
    sign: (domain, value, signer) => signer.signTypedData(domainOf(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return recoverSigner(digest(domain, value), signature);
      } catch {
        return undefined;
      }
    },
  };
}
