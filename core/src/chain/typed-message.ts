/** One EIP-712 message, whoever checks it: its types, its digest, its signature, its signer. */
import { type TypedDataDomain, TypedDataEncoder, type TypedDataField, verifyTypedData } from "ethers";

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
  /** Recovers the signer's address; the zero-length or malformed signature recovers to nothing. */
  recover(domain: D, value: T, signature: string): string | undefined;
}

/** ethers wants an index signature, which an interface does not have. */
function fields(value: object): Record<string, unknown> {
  return { ...value };
}

/** A message under the domain that `domainOf` makes of where its contract lives. */
export function messageIn<T extends object, D>(domainOf: (domain: D) => TypedDataDomain, types: Types): TypedMessage<T, D> {
  return {
    digest: (domain, value) => TypedDataEncoder.hash(domainOf(domain), types, fields(value)),
    sign: (domain, value, signer) => signer.signTypedData(domainOf(domain), types, fields(value)),
    recover: (domain, value, signature) => {
      try {
        return verifyTypedData(domainOf(domain), types, fields(value), signature);
      } catch {
        return undefined;
      }
    },
  };
}
