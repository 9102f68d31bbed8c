/**
 * What a command says. Standard output carries the result and nothing else: text for people, or with `--json` exactly one JSON
 * document. Everything on the way (progress, notes) goes to standard error.
 */

export interface Output {
  readonly json: boolean;
  /** The command's result; `text` is shown to people, `data` is the JSON document. */
  result(data: unknown, text: string): void;
  /** What went wrong, on standard error; with `--json` the document too, unless the result was one already. */
  failure(message: string, data: unknown): void;
  /** A line for people on the way; silent with `--json`. */
  note(line: string): void;
}

export function createOutput(json: boolean, stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream): Output {
  let answered = false;
  const document = (data: unknown): string => `${JSON.stringify(data, bigintAsString, 2)}\n`;
  return {
    json,
    result: (data, text) => {
      answered = true;
      stdout.write(json ? document(data) : `${text}\n`);
    },
    failure: (message, data) => {
      stderr.write(`ppio: ${message}\n`);
      if (json && !answered) stdout.write(document(data));
      answered = true;
    },
    note: (line) => {
      if (!json) stderr.write(`${line}\n`);
    },
  };
}

function bigintAsString(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** A plain table: columns as wide as their widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => /^[\d.,\-+ %]*( [A-Za-z]+)?$/.test(row[column] ?? "")));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

const WEI_PER_TOKEN = 10n ** 18n;

/** Tokens with as many decimals as are not zero, at most nine. */
export function formatTokens(wei: bigint): string {
  const sign = wei < 0n ? "-" : "";
  const absolute = wei < 0n ? -wei : wei;
  const fraction = (absolute % WEI_PER_TOKEN).toString().padStart(18, "0").slice(0, 9).replace(/0+$/, "");
  return `${sign}${absolute / WEI_PER_TOKEN}${fraction === "" ? "" : `.${fraction}`} PPIO`;
}
