/**
 * Whose slots a data folder holds. A provider drops what its chain does not know, so it must never be let loose on another network's or
 * another provider's folder.
 */
import { join } from "node:path";
import { type AddressBook, PpioError } from "@ppio/core";
import { atomicWriteFile, readJsonFile } from "@ppio/daemon";

interface Identity {
  readonly version: 1;
  readonly chainId: number;
  readonly market: string;
  readonly providerId: number;
}

/** Writes it at the first start. @throws CONFIG when the folder is another one's */
export async function checkIdentity(dataDir: string, book: AddressBook, providerId: number): Promise<void> {
  const path = join(dataDir, "identity.json");
  const own: Identity = { version: 1, chainId: book.chainId, market: book.market, providerId };
  const known = await readJsonFile<Partial<Identity>>(path);
  if (known === undefined) {
    await atomicWriteFile(path, `${JSON.stringify(own)}\n`, { mode: 0o600 });
    return;
  }
  const isSame =
    known.chainId === own.chainId && known.market?.toLowerCase() === own.market.toLowerCase() && known.providerId === providerId;
  if (isSame) return;
  throw new PpioError(
    "CONFIG",
    `${dataDir} holds the slots of provider ${known.providerId} of market ${known.market} on chain ${known.chainId}, and this is ` +
      `provider ${providerId} of market ${own.market} on chain ${own.chainId}; give another data folder or the right network and key.`,
  );
}
