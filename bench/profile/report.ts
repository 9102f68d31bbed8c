/** Sampled profiles of many processes added up: what each function, and each group of them, cost per byte. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  /** Microseconds of a clock that all processes share. */
  readonly startTime: number;
  readonly endTime: number;
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Window {
  readonly startTime: number;
  readonly endTime: number;
}

/** The first one that fits. */
const GROUPS: readonly (readonly [name: string, functions: RegExp, files: RegExp])[] = [
  ["collecting garbage", /^\(garbage collector\)$/, /^/],
  ["ECDSA (@noble/curves)", /^/, /@noble\/curves/],
  ["keccak, EIP-712, ABI (ethers, @noble/hashes)", /^/, /@noble\/hashes|ethers\//],
  ["SHA-256 of pairs", /^/, /sha\.node\.js|hashtree/],
  ["node:crypto", /^/, /internal\/crypto/],
  ["erasure kernels", /^/, /^wasm:/],
  ["express and its packages", /^/, /node_modules\/(express|router|body-parser|qs)\//],
  ["our JavaScript", /^/, /\/(core|client|provider|daemon|cli)\/dist\/|bench/],
  ["files", /^/, /node:(internal\/)?fs/],
  ["files", /^(openFileHandle|read|close|writeBuffers|fstat|fdatasync)$/, /^$/],
  ["sockets, system calls included", /^(writev|write\w*String|writeBuffer)$/, /^$/],
  ["node's HTTP, streams, promises, timers", /^/, /^node:/],
];

export function readProfiles(folder: string): Profile[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  return files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Profile);
}

/** Prints groups and the `count` dearest functions, of the samples inside the window. */
export function printCosts(title: string, profiles: readonly Profile[], window: Window, bytes: number, count: number): void {
  const groups = new Map<string, number>();
  const functions = new Map<string, number>();
  let busyUs = 0;
  for (const { frame, us } of samplesIn(profiles, window)) {
    if (frame.functionName === "(idle)") continue;
    busyUs += us;
    add(groups, groupOf(frame), us);
    add(functions, nameOf(frame), us);
  }
  console.log(`\n${title}: ${((busyUs * 1000) / bytes).toFixed(1)} ns/B`);
  const line = ([name, us]: readonly [string, number]): void =>
    console.log(`${((100 * us) / busyUs).toFixed(1).padStart(6)} % ${((us * 1000) / bytes).toFixed(2).padStart(8)} ns/B  ${name}`);
  dearest(groups).forEach(line);
  console.log("  of which");
  dearest(functions).slice(0, count).forEach(line);
}

function* samplesIn(profiles: readonly Profile[], { startTime, endTime }: Window): Generator<{ frame: Frame; us: number }> {
  for (const profile of profiles) {
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    let at = profile.startTime;
    for (const [index, id] of profile.samples.entries()) {
      const us = profile.timeDeltas[index] ?? 0;
      at += us;
      const frame = frames.get(id);
      if (frame !== undefined && at >= startTime && at <= endTime) yield { frame, us };
    }
  }
}

function groupOf({ functionName, url }: Frame): string {
  return GROUPS.find(([, functions, files]) => functions.test(functionName) && files.test(url))?.[0] ?? "other";
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const file = url.replace(/^file:\/\//, "").replace(/^.*\/(node_modules|core|client|provider|daemon|cli)\//, "$1/");
  return `${functionName === "" ? "(anonymous)" : functionName}${file === "" ? "" : ` ${file}:${lineNumber + 1}`}`;
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}

function dearest(sums: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return [...sums].sort(([, a], [, b]) => b - a);
}
