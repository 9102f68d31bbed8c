/** The network's address book from a file. */
import { type AddressBook, PpioError, parseAddressBook } from "@ppio/core";
import { readJsonFile } from "./files.ts";

/** @throws CONFIG */
export async function readAddressBookFile(path: string): Promise<AddressBook> {
  const value = await readJsonFile<unknown>(path);
  if (value === undefined) {
    throw new PpioError("CONFIG", `There is no address book at ${path}; start a devnet with "ppio devnet up" or give --network FILE.`);
  }
  return parseAddressBook(JSON.stringify(value));
}
