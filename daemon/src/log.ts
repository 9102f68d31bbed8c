/** The one log format: a JSON object per line, on standard error unless told otherwise. Secrets are struck out by name. */

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly component: string;
  readonly level?: LogLevel;
  readonly write?: (line: string) => void;
  readonly now?: () => number;
  readonly fields?: LogFields;
}

/** RPC libraries quote whole requests in their messages. */
const CAUSE_CHARS_MAX = 300;
const SECRET = /mnemonic|private|secret|password|authorization/i;

export function createLogger(options: LoggerOptions): Logger {
  const { component, level = "info", now = Date.now, fields: bound = {} } = options;
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const threshold = LOG_LEVELS.indexOf(level);
  const at =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(own) < threshold) return;
      const entry = { time: new Date(now()).toISOString(), level: own, component, message, ...bound, ...fields };
      write(`${render(entry)}\n`);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger({ ...options, fields: { ...bound, ...fields } }),
  };
}

function render(entry: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(entry, plain);
  } catch {
    // A field that is no tree must not stop the process that wanted to tell about it.
    const { time, level, component, message } = entry;
    return JSON.stringify({ time, level, component, message, fields: "cannot be shown" });
  }
}

function plain(key: string, value: unknown): unknown {
  if (SECRET.test(key)) return "***";
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return describeError(value);
  return value;
}

function describeError(error: Error): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  const cause = error.cause instanceof Error ? error.cause.message.slice(0, CAUSE_CHARS_MAX) : undefined;
  return { name: error.name, message: error.message, code, cause };
}
