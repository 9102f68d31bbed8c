/** Values of options, checked where they come in. */
import { PpioError } from "@ppio/core";
import { Option } from "commander";
import { getAddress, isAddress, parseUnits } from "ethers";

export function parseWhole(name: string, least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const bound = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `${least} to ${most}`;
    throw new PpioError("USAGE", `${name} is "${text}", but must be a whole number, ${bound}.`);
  };
}

/** An amount of tokens with up to 18 decimals, in wei. */
export function parseTokens(name: string): (text: string) => bigint {
  return (text) => {
    if (/^\d+(\.\d{1,18})?$/.test(text)) return parseUnits(text, 18);
    throw new PpioError("USAGE", `${name} is "${text}", but must be an amount of tokens such as 12.5.`);
  };
}

/** An account, in its checksummed form. */
export function parseAddress(name: string): (text: string) => string {
  return (text) => {
    if (isAddress(text)) return getAddress(text);
    throw new PpioError("USAGE", `${name} is "${text}", but must be an address: 0x and 40 hex digits.`);
  };
}

/** Where a daemon is reached. */
export function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new PpioError("USAGE", `--endpoint is "${text}", but must be a URL such as http://host:port.`);
}

/** `OFFSET:LENGTH` or `OFFSET:` in bytes. */
export function parseRange(text: string): { readonly offset: number; readonly length: number } {
  const match = /^(\d{1,15}):(\d{0,15})$/.exec(text);
  if (match === null) throw new PpioError("USAGE", `The range is "${text}", but must be OFFSET:LENGTH in bytes, for example 0:4096.`);
  return { offset: Number(match[1]), length: match[2] === "" ? Number.MAX_SAFE_INTEGER : Number(match[2]) };
}

/** An amount whose default is shown as it would be typed. */
export function tokensOption(flags: string, description: string, byDefault: string): Option {
  const parse = parseTokens(flags.split(" ")[0] ?? flags);
  return new Option(flags, description).argParser(parse).default(parse(byDefault), byDefault);
}

export interface DataDirFlags {
  readonly dataDir: string;
}

export function dataDirOption(): Option {
  return new Option("--data-dir <folder>", "the provider's data folder").default(".ppio/provider").env("PPIO_DATA_DIR");
}
