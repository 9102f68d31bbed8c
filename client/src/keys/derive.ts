/**
 * Every key, from one mnemonic (docs/protocol/keys.md). The chain wallet and the master secret come from the same words by separate
 * ways, so that no signature can ever reveal a storage key.
 */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { PpioError } from "@ppio/core";
import { getBytes, HDNodeWallet, Mnemonic } from "ethers";
import { deriveKey } from "./hkdf.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface UserKeys {
  readonly wallet: HDNodeWallet;
  /** 32 bytes; root of everything but the wallet. */
  readonly masterSecret: Uint8Array;
}

/** @throws USAGE when the words are no BIP-39 mnemonic */
export function keysFromMnemonic(words: string): UserKeys {
  let mnemonic: Mnemonic;
  try {
    mnemonic = Mnemonic.fromPhrase(words.trim().replace(/\s+/g, " "));
  } catch (cause) {
    throw new PpioError("USAGE", "The mnemonic is not valid; check its words and their order.", { cause });
  }
  const masterSecret = deriveKey(getBytes(mnemonic.computeSeed()), utf8("ppio/v1"), "ppio/v1/user-master");
  return { wallet: HDNodeWallet.fromMnemonic(mnemonic), masterSecret };
}

/**
 * The developer's secret for one user: HKDF of the application root over application and user. The user keeps it, so everything can
 * be opened when the developer is gone.
 */
export function deriveApplicationSecret(applicationRoot: Uint8Array, applicationId: string, userAddress: string): Uint8Array {
  return deriveKey(applicationRoot, utf8(applicationId), `ppio/v1/application/${userAddress.toLowerCase()}`);
}

/** A link of the chain of path keys: whoever has a prefix's key derives all below it, and nothing beside it. */
function childKey(parent: Uint8Array, component: string): Uint8Array {
  return hmac(sha256, parent, new Uint8Array([0, ...utf8(component)]));
}

/** A key of a node for one use; the leading byte keeps it apart from children. */
function purposeKey(node: Uint8Array, purpose: string): Uint8Array {
  return hmac(sha256, node, new Uint8Array([1, ...utf8(purpose)]));
}

function bucketNode(masterSecret: Uint8Array, bucket: string): Uint8Array {
  return childKey(purposeKey(masterSecret, "paths"), bucket);
}

/** Wraps the content keys of an object: a link per bucket and path component, then the purpose. */
export function wrappingKey(masterSecret: Uint8Array, bucket: string, key: string): Uint8Array {
  return purposeKey(key.split("/").reduce(childKey, bucketNode(masterSecret, bucket)), "wrap");
}

/** Seals a bucket's head and wraps the content keys of its index. */
export function listingKey(masterSecret: Uint8Array, bucket: string): Uint8Array {
  return purposeKey(bucketNode(masterSecret, bucket), "listing");
}

/** Seals what a client keeps of deals for the time when the chain is away. */
export function keptDealKey(masterSecret: Uint8Array): Uint8Array {
  return purposeKey(masterSecret, "kept-deals");
}

/** What the network calls a bucket: 32 bytes that say nothing of its name. */
export function bucketIdOf(masterSecret: Uint8Array, bucket: string): Uint8Array {
  return purposeKey(bucketNode(masterSecret, bucket), "id");
}

/** Names an object without its name; bound to every frame. */
export function objectIdOf(masterSecret: Uint8Array, bucket: string, key: string): Uint8Array {
  return purposeKey(key.split("/").reduce(childKey, bucketNode(masterSecret, bucket)), "object");
}
