/** The local beacon's key: made once, kept in a file that only its user can read. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { PpioError } from "@ppio/core";
import { drandPublicKey, drandSecretKey, publicKeyForEvm } from "@ppio/core/drand";
import { atomicWriteFile, readJsonFile } from "@ppio/daemon";
import { getBytes, hexlify, isHexString } from "ethers";

export interface BeaconKey {
  readonly secretKey: Uint8Array;
  /** Compressed, 96 bytes, hex without 0x, as drand writes it. */
  readonly publicKeyHex: string;
  /** In the layout of EIP-2537, 256 bytes, as the contract takes it. */
  readonly publicKey: Uint8Array;
}

interface KeyFile {
  readonly version: 1;
  readonly secretKey: string;
}

export async function loadOrCreateBeaconKey(path: string): Promise<BeaconKey> {
  const file = await readJsonFile<Partial<KeyFile>>(path);
  if (file === undefined) return createKey(path);
  if (file.version !== 1 || !isHexString(file.secretKey, 32)) {
    throw new PpioError("CONFIG", `${path} holds no beacon key; restore it. A new key would not fit the deployed contract.`);
  }
  return describe(getBytes(file.secretKey));
}

async function createKey(path: string): Promise<BeaconKey> {
  const secretKey = drandSecretKey();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file: KeyFile = { version: 1, secretKey: hexlify(secretKey) };
  await atomicWriteFile(path, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  return describe(secretKey);
}

function describe(secretKey: Uint8Array): BeaconKey {
  const compressed = drandPublicKey(secretKey);
  return { secretKey, publicKeyHex: hexlify(compressed).slice(2), publicKey: publicKeyForEvm(compressed) };
}
