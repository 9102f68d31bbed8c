/**
 * One table of settings per process: flag over environment over file over default. Every value is checked where it comes from, so that
 * an error names the place.
 */
import { readFile } from "node:fs/promises";
import { PpioError } from "@ppio/core";

export type OptionType = "string" | "integer" | "wei" | "boolean";

export interface OptionSpec {
  readonly type: OptionType;
  readonly help: string;
  readonly default?: string;
  /** Not shown, not logged. */
  readonly secret?: boolean;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S["type"] extends "integer"
  ? number
  : S["type"] extends "wei"
    ? bigint
    : S["type"] extends "boolean"
      ? boolean
      : string;
export type ConfigOf<T extends OptionTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** Keeps the literal types of a table. */
export function defineOptions<const T extends OptionTable>(table: T): T {
  return table;
}

/** dataDir -> data-dir */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** dataDir -> PPIO_DATA_DIR */
export function environmentName(key: string): string {
  return `PPIO_${flagName(key).replaceAll("-", "_").toUpperCase()}`;
}

export interface ConfigSources {
  /** Values of flags, by key of the table. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A JSON file with the table's keys. */
  readonly file?: string;
}

/** @throws USAGE, CONFIG naming option and source */
export async function resolveConfig<const T extends OptionTable>(table: T, sources: ConfigSources): Promise<ConfigOf<T>> {
  const file = sources.file === undefined ? {} : await readConfigFile(sources.file);
  const unknown = Object.keys(file).find((key) => !(key in table));
  if (unknown !== undefined) {
    throw new PpioError("CONFIG", `${sources.file} has the unknown setting "${unknown}"; known are ${Object.keys(table).join(", ")}.`);
  }
  const config: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(table)) {
    const [value, source] = [
      [sources.flags[key], `--${flagName(key)}`],
      [sources.environment[environmentName(key)], environmentName(key)],
      [file[key], `"${key}" in ${sources.file}`],
      [spec.default, "the default"],
    ].find(([candidate]) => candidate !== undefined) ?? [undefined, ""];
    if (value === undefined) {
      throw new PpioError("CONFIG", `"${key}" is not set; give --${flagName(key)}, ${environmentName(key)} or "${key}" in the file.`);
    }
    config[key] = parseValue(key, spec.type, value, String(source));
  }
  return config as ConfigOf<T>;
}

async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new PpioError("CONFIG", `The configuration file ${path} cannot be read as JSON.`, { cause });
  }
  throw new PpioError("CONFIG", `The configuration file ${path} is no JSON object.`);
}

function parseValue(key: string, type: OptionType, value: unknown, source: string): unknown {
  const text = String(value).trim();
  const wrong = (expected: string): PpioError => new PpioError("CONFIG", `"${key}" from ${source} is "${text}", but must be ${expected}.`);
  switch (type) {
    case "integer":
      if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw wrong("a whole number");
      return Number(text);
    case "wei":
      if (!/^\d+$/.test(text)) throw wrong("a whole number of wei");
      return BigInt(text);
    case "boolean":
      if (text !== "true" && text !== "false") throw wrong("true or false");
      return text === "true";
    case "string":
      return text;
  }
}

/** The table as Markdown, for docs/operating/configuration.md and help texts. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(
    ([key, spec]) =>
      `| \`${key}\` | \`--${flagName(key)}\` | \`${environmentName(key)}\` | ${spec.default === undefined ? "required" : `\`${spec.default}\``} | ${spec.help} |`,
  );
  return ["| key in the file | flag | environment | default | meaning |", "|---|---|---|---|---|", ...rows].join("\n");
}
