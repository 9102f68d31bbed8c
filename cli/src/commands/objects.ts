/** `ppio put`, `get`, `ls`, `stat`, `rm`, `resume`: objects by their names. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Client, ObjectInfo, PutProgress, ResumedPut } from "@ppio/client";
import { freeLent, PpioError } from "@ppio/core";
import type { Command } from "commander";
import { openSource, writeWhole } from "../client/files.ts";
import type { OpenedClient } from "../client/open-client.ts";
import { parseCode, parseObjectKeyUri, parseObjectUri } from "../object-uri.ts";
import { formatBytes, formatTokens, type Output, table } from "../output.ts";
import { parseRange, parseWhole } from "./numbers.ts";
import { type Runtime, runWithClient } from "./runtime.ts";

const PERIODS_DEFAULT = 8_640;
/** What a deal of the market holds. */
const PERIODS_MAX = 2 ** 24 - 3;

interface PutFlags {
  readonly code: string;
  readonly periods: number;
  readonly cellBytes?: number;
  readonly contentType?: string;
}

interface GetFlags {
  readonly range?: string;
  readonly force?: boolean;
}

export function addObjectCommands(program: Command): void {
  program
    .command("put")
    .description("store a file: sealed here, coded, spread over providers, paid for in advance; repeated after a cut, it goes on")
    .argument("<file>", 'file to store; "-" for standard input')
    .argument("<uri>", "ppio://bucket/key; a key that ends with / gets the file's name")
    .option("--code <k/n>", "any k of n slots recover the object", "4/8")
    .option("--periods <count>", "periods that are paid for in advance", parseWhole("--periods", 1, PERIODS_MAX), PERIODS_DEFAULT)
    .option("--cell-bytes <bytes>", "cell size, a power of two", parseWhole("--cell-bytes", 4096, 1 << 20))
    .option("--content-type <type>", "what the object is")
    .action((file: string, uri: string, flags: PutFlags, command: Command) =>
      runWithClient(command, (runtime, opened) => put(runtime, opened, file, uri, flags)),
    );
  program
    .command("get")
    .description("fetch an object: verified against the chain, decrypted here")
    .argument("<uri>", "ppio://bucket/key")
    .argument("[file]", 'where to write; "-" for standard output; the key\'s last part without it')
    .option("--range <offset:length>", "only these bytes")
    .option("-f, --force", "replace an existing file")
    .action((uri: string, file: string | undefined, flags: GetFlags, command: Command) =>
      runWithClient(command, (runtime, opened) => get(runtime, opened, uri, file, flags)),
    );
  program
    .command("ls")
    .description("list buckets, or the objects of a bucket")
    .argument("[uri]", "ppio://bucket or ppio://bucket/prefix")
    .action((uri: string | undefined, _flags: unknown, command: Command) =>
      runWithClient(command, (runtime, opened) => list(runtime, opened, uri)),
    );
  program
    .command("stat")
    .description("describe one object")
    .argument("<uri>", "ppio://bucket/key")
    .action((uri: string, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const info = await client.stat(parseObjectKeyUri(uri), signal);
        noteOutage(output, client);
        output.result(info, describeObject(info));
      }),
    );
  program
    .command("rm")
    .description("delete an object; what its deal has not used goes back to the payer")
    .argument("<uri>", "ppio://bucket/key")
    .action((uri: string, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const deleted = await client.delete(parseObjectKeyUri(uri), signal);
        output.result({ ...deleted, dealId: deleted.dealId ?? null }, `deleted ${uri}`);
      }),
    );
  program
    .command("resume")
    .description("finish puts that a crash interrupted after they were paid for")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const resumed = await client.resume(signal);
        const rows = resumed.map((put) => [nameOf(put), put.outcome, put.reason ?? ""]);
        output.result({ resumed }, rows.length === 0 ? "nothing to resume" : table(["object", "outcome", "reason"], rows));
      }),
    );
}

function nameOf({ id, bucket, key }: ResumedPut): string {
  return bucket === undefined || key === undefined ? `record ${id}` : `ppio://${bucket}/${key}`;
}

async function put(
  { output, signal, progress }: Runtime,
  { client }: OpenedClient,
  file: string,
  uri: string,
  flags: PutFlags,
): Promise<void> {
  const code = parseCode(flags.code);
  const { bucket, key: given } = parseObjectUri(uri);
  const opened = await openSource(file);
  const key = given === "" || given.endsWith("/") ? `${given}${opened.name}` : given;
  const bar = progress();
  try {
    for (const earlier of await client.resume(signal)) output.note(`earlier put of ${nameOf(earlier)}: ${earlier.outcome}`);
    const result = await client.put({
      bucket,
      key,
      source: opened.source,
      ...code,
      periods: flags.periods,
      onProgress: ({ stage, sentBytes, totalBytes }: PutProgress) => bar.update(sentBytes, totalBytes, stage),
      signal,
      ...(flags.cellBytes === undefined ? {} : { cellBytes: flags.cellBytes }),
      ...(flags.contentType === undefined ? {} : { contentType: flags.contentType }),
    });
    bar.end();
    const overhead = result.sizeBytes === 0 ? "" : ` (${(result.storedBytes / result.sizeBytes).toFixed(2)} bytes per byte)`;
    const text = [
      `stored   ppio://${bucket}/${key}`,
      `size     ${formatBytes(result.sizeBytes)}, ${formatBytes(result.storedBytes)} on providers${overhead}`,
      ...(result.resumedBytes === 0 ? [] : [`resumed  ${formatBytes(result.resumedBytes)} were there from a put that was cut`]),
      `sha256   ${result.sha256.slice(2)}`,
      `deal     ${result.dealId ?? "none: the object lives in its bucket's listing"}`,
      `escrow   ${formatTokens(result.escrowWei)} for ${flags.periods} periods, listing included`,
    ];
    output.result({ ...result, uri: `ppio://${bucket}/${key}`, dealId: result.dealId ?? null }, text.join("\n"));
  } finally {
    bar.end();
    await opened.close();
  }
}

/** Lies that this read, or an earlier one, has met. */
async function noteLies(output: Output, client: Client): Promise<void> {
  const liars = new Set((await client.lies()).map(({ providerId }) => providerId));
  if (liars.size > 0)
    output.note(`providers ${[...liars].join(", ")} signed lies; "ppio fraud prove" takes their collateral and pays you a part`);
}

function noteOutage(output: Output, client: Client): void {
  if (client.isChainAway()) output.note("the chain does not answer; read by what this machine knows of its deals");
}

async function get(
  { output, signal, progress }: Runtime,
  { client }: OpenedClient,
  uri: string,
  file: string | undefined,
  flags: GetFlags,
): Promise<void> {
  const name = parseObjectKeyUri(uri);
  const range = flags.range === undefined ? undefined : parseRange(flags.range);
  const target = file ?? basename(name.key);
  if (target === "-" && output.json)
    throw new PpioError("USAGE", "Standard output cannot carry the object and a JSON document; name a file.");
  const { info, bytes } = await client.get({ ...name, signal, ...(range === undefined ? {} : { range }) });
  const total = range === undefined ? info.sizeBytes : Math.max(0, Math.min(range.length, info.sizeBytes - range.offset));
  const bar = progress();
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    bar.update(done, total, "reading");
  };
  try {
    const checked = range === undefined ? checkHash(bytes, info) : bytes;
    if (target === "-") await writeToStandardOutput(checked, onBytes);
    else await writeWhole(target, checked, onBytes, flags.force === true);
  } finally {
    bar.end();
    noteOutage(output, client);
    await noteLies(output, client);
  }
  if (target !== "-") {
    const data = { uri, file: target, sizeBytes: total, sha256: range === undefined ? info.sha256 : null };
    output.result(data, `fetched  ${uri} to ${target}, ${formatBytes(total)}, verified`);
  }
}

/** Every byte was verified on its way; this also holds the whole against what was stored. */
async function* checkHash(bytes: AsyncIterable<Uint8Array>, info: ObjectInfo): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
  if (`0x${hash.digest("hex")}` !== info.sha256) {
    throw new PpioError("CORRUPT", "The object's hash is not the one it was stored with; nothing was written. Report this.");
  }
}

async function writeToStandardOutput(bytes: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): Promise<void> {
  for await (const piece of bytes) {
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(piece, (error) =>
        error ? reject(new PpioError("IO", "Standard output was closed.", { cause: error })) : resolve(),
      );
    });
    onBytes(piece.length);
    freeLent(piece);
  }
}

async function list({ output, signal }: Runtime, { client }: OpenedClient, uri: string | undefined): Promise<void> {
  if (uri === undefined) {
    const buckets = await client.listBuckets();
    output.result({ buckets }, buckets.length === 0 ? "no buckets yet" : buckets.map((bucket) => `ppio://${bucket}`).join("\n"));
    return;
  }
  const { bucket, key: prefix } = parseObjectUri(uri);
  const objects = await client.list(bucket, prefix, signal);
  noteOutage(output, client);
  const rows = objects.map((info) => [info.key, formatBytes(info.sizeBytes), new Date(info.modifiedAt).toISOString(), codeOf(info)]);
  output.result({ bucket, prefix, objects }, rows.length === 0 ? "no objects" : table(["key", "size", "modified", "code"], rows));
}

function codeOf(info: ObjectInfo): string {
  const part = info.parts[0];
  return part === undefined ? "inline" : `${part.k}/${part.n}`;
}

function describeObject(info: ObjectInfo): string {
  const lines = [
    `object    ppio://${info.bucket}/${info.key}`,
    `size      ${info.sizeBytes} bytes`,
    `type      ${info.contentType}`,
    `modified  ${new Date(info.modifiedAt).toISOString()}`,
    `sha256    ${info.sha256.slice(2)}`,
  ];
  if (info.inline) lines.push("stored    inside the bucket's listing");
  for (const part of info.parts)
    lines.push(`deal      ${part.dealId} (${part.k}/${part.n}, ${part.rows} rows of ${formatBytes(part.cellBytes)} cells)`);
  return lines.join("\n");
}
