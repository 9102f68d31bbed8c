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
  /** Bounds of a whole number, both included. */
  readonly min?: number;
  readonly max?: number;
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
  const unknown = Object.keys(file).find((key) => !Object.hasOwn(table, key));
  if (unknown !== undefined) {
    throw new PpioError("CONFIG", `${sources.file} has the unknown setting "${unknown}"; known are ${Object.keys(table).join(", ")}.`);
  }
  const config: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(table)) {
    const [value, source] = [
      [sources.flags[key], `--${flagName(key)}`],
      // An empty variable counts as unset: compose files and shells leave such behind.
      [sources.environment[environmentName(key)] || undefined, environmentName(key)],
      [file[key], `"${key}" in ${sources.file}`],
      [spec.default, "the default"],
    ].find(([candidate]) => candidate !== undefined) ?? [undefined, ""];
    if (value === undefined) {
      throw new PpioError("CONFIG", `"${key}" is not set; give --${flagName(key)}, ${environmentName(key)} or "${key}" in the file.`);
    }
    config[key] = parseValue(key, spec, value, String(source));
  }
  return config as ConfigOf<T>;
}

async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new PpioError("CONFIG", `The configuration file ${path} cannot be read; correct the path or its permissions.`, { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new PpioError("CONFIG", `The configuration file ${path} is not JSON.`, { cause });
  }
  throw new PpioError("CONFIG", `The configuration file ${path} is no JSON object.`);
}

function parseValue(key: string, spec: OptionSpec, value: unknown, source: string): unknown {
  const shown = spec.secret === true ? "not usable" : JSON.stringify(value);
  const wrong = (expected: string): PpioError => new PpioError("CONFIG", `"${key}" from ${source} is ${shown}, but must be ${expected}.`);
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
    throw wrong("a string, a number, true or false");
  const text = String(value).trim();
  switch (spec.type) {
    case "integer":
      return parseInteger(text, spec, wrong);
    case "wei":
      // JSON numbers above 2^53 have lost digits before anybody could look at them.
      if (typeof value === "number" && !Number.isSafeInteger(value)) throw wrong("written in quotes, being so large");
      if (!/^\d+$/.test(text)) throw wrong("a whole number of wei");
      return BigInt(text);
    case "boolean":
      if (text !== "true" && text !== "false") throw wrong("true or false");
      return text === "true";
    case "string":
      return text;
  }
}

function parseInteger(
  text: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: OptionSpec,
  wrong: (expected: string) => PpioError,
): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw wrong("a whole number");
  if (number < min || number > max) throw wrong(max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`);
  return number;
}

/** The table as Markdown, for docs/operating/configuration.md and help texts. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(
    ([key, spec]) =>
      `| \`${key}\` | \`--${flagName(key)}\` | \`${environmentName(key)}\` | ${describeDefault(spec.default)} | ${spec.help} |`,
  );
  return ["| key in the file | flag | environment | default | meaning |", "|---|---|---|---|---|", ...rows].join("\n");
}

function describeDefault(value: string | undefined): string {
  if (value === undefined) return "required";
  return value === "" ? "empty" : `\`${value}\``;
}
