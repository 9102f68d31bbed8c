/**
 * `node bench/provider-idle.ts`: what a provider needs that holds BENCH_SLOTS (100,000) slots and is asked for nothing: resident memory
 * (<= 150 MB) and processor time (< 1 % of a core) over BENCH_SECONDS (60), once it has read its folder and its line. The daemon, its folder
 * and its HTTP are real; the chain is a recording behind an RPC address (`support/recorded-chain.ts`), because opening a hundred thousand
 * deals on a node takes hours. The slots are of 128 bytes, and the scrub is off: its reading is work that its rate decides. BENCH_DIR names a
 * folder that is kept, for another run over the same slots; BENCH_NODE_FLAGS are given to the daemon's Node ("--cpu-prof").
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AddressBook, type DealHeader, encodeDealHeader } from "@ppio/core";
import { encodeMeta, uploadIdOf, useFastKeccak } from "@ppio/provider";
import { hexlify, Wallet } from "ethers";
import { wholeFromEnvironment } from "./support/numbers.ts";
import { RecordedChain } from "./support/recorded-chain.ts";

const SLOTS = wholeFromEnvironment("BENCH_SLOTS", 100_000);
const SECONDS = wholeFromEnvironment("BENCH_SECONDS", 60);
const HEADER: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 128, rows: 1 };
const TARGET_MB = 150;
const TARGET_PERCENT = 1;
const WRITTEN_AT_ONCE = 64;
const TICKS_PER_SECOND = 100;
const LAUNCHER = fileURLToPath(new URL("../cli/bin/ppio.cjs", import.meta.url));

const address = (byte: string): string => `0x${byte.repeat(20)}`;
const contracts = {
  registry: address("22"),
  market: address("33"),
  proofs: address("44"),
  beacon: address("66"),
  challenges: address("77"),
  escrow: address("a2"),
};
useFastKeccak();
const operator = Wallet.createRandom();
/** Fixed, so that a kept folder fits the next run. */
const owner = address("b0");
const domain = { chainId: 31_337n, market: contracts.market };
const kept = process.env["BENCH_DIR"];
const folder = kept ?? (await mkdtemp(join(tmpdir(), "ppio-idle-")));
const isWritten = existsSync(join(folder, "slots"));
const chain = await RecordedChain.start({ slots: SLOTS, operator: operator.address, addresses: contracts, domain, owner, leafCount: 2 });

async function writeSlot(at: number): Promise<void> {
  const { dealId, dealSalt, root } = chain.slot(at);
  const uploadId = uploadIdOf(dealId, 1);
  const dir = join(folder, "slots", uploadId);
  await mkdir(dir, { recursive: true });
  const meta = encodeMeta({
    ...{ version: 1, uploadId, dealId, dealSalt, slotIndex: 1, owner, payer: owner, header: hexlify(encodeDealHeader(HEADER)) },
    ...{ state: "sealed", root, createdAt: Date.now(), offeredUntil: 1 },
  });
  await Promise.all([writeFile(join(dir, "meta.json"), meta), writeFile(join(dir, "data"), new Uint8Array(128))]);
}

interface Usage {
  readonly rssMb: number;
  /** Of it, what belongs to this process alone: without the program files that processes share. */
  readonly anonMb: number;
  readonly peakMb: number;
  readonly cpuSeconds: number;
}

function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mb = (name: string): number => (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024) / 1e6;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  return { rssMb: mb("VmRSS"), anonMb: mb("RssAnon"), peakMb: mb("VmHWM"), cpuSeconds };
}

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

try {
  for (let at = 0; at < SLOTS && !isWritten; at += WRITTEN_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(WRITTEN_AT_ONCE, SLOTS - at) }, (_, index) => writeSlot(at + index)));
  }
  const book: AddressBook = {
    ...{ version: 1, chainId: 31_337, rpcUrl: chain.url, beaconUrl: chain.url, fromBlock: 0, ...contracts },
    ...{ token: address("11"), policy: address("55"), repair: address("88"), fraudProofs: address("99"), committee: address("a1") },
    ...{ buckets: address("a3"), sponsorPools: address("a4"), timelock: address("a5") },
  };
  const network = join(folder, "addresses.json");
  await writeFile(network, JSON.stringify(book));
  const flags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
  const args = [...flags, LAUNCHER, "provider", "start", "--network", network, "--data-dir", folder, "--scrub-bytes-per-second", "0"];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PPIO_PRIVATE_KEY: operator.privateKey },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const pid = child.pid ?? 0;
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("provider is ready")) resolve();
    });
    child.once("exit", () => reject(new Error(`the provider ended: ${log}`)));
  });
  try {
    const ready = usageOf(pid);
    // Housekeeping asks for slots once the line is read; the rest is for what the reading left.
    while (!chain.counts.has("slot")) await sleep(1);
    const read = usageOf(pid);
    await sleep(SECONDS);
    const before = usageOf(pid);
    chain.counts.clear();
    await sleep(SECONDS);
    const after = usageOf(pid);
    const percent = ((after.cpuSeconds - before.cpuSeconds) * 100) / SECONDS;
    console.log(`${SLOTS} slots, ${SECONDS} s                measured / target / ratio`);
    console.log(`resident memory        ${after.rssMb.toFixed(0)} MB  ${TARGET_MB} MB  ${(after.rssMb / TARGET_MB).toFixed(2)}`);
    console.log(`processor when idle    ${percent.toFixed(2)} %  ${TARGET_PERCENT} %  ${(percent / TARGET_PERCENT).toFixed(2)}`);
    const used = ({ rssMb, cpuSeconds }: Usage): string => `${rssMb.toFixed(0)} MB after ${cpuSeconds.toFixed(1)} s of the processor`;
    console.log(`  (${after.anonMb.toFixed(0)} MB of it anonymous; peak ${after.peakMb.toFixed(0)} MB)`);
    console.log(`  (ready, the folder read: ${used(ready)}; the line read as well: ${used(read)})`);
    console.log(`  (RPC: ${[...chain.counts].map(([what, count]) => `${what} ${count}`).join(", ")})`);
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }
} finally {
  await chain.stop();
  if (kept === undefined) await rm(folder, { recursive: true, force: true });
}
