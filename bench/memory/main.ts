/**
 * `npm run bench:memory`: how much memory does a client need? Peak resident memory (VmHWM) of a process that puts BENCH_MIB (10240) at
 * 10/16 to sixteen providers and of another one that gets them back (<= 150 MiB each). The bytes are generated from a seed while they
 * are read and checked when they return. They lie on disk, in the system's temporary folder: 1.6 times as many.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { startNetwork } from "../support/network.ts";
import { mibFromEnvironment } from "../support/numbers.ts";
import { ALLOCATOR, startClient } from "../support/our-client.ts";

// As the launcher of `ppio` starts itself again with: the clients here are started without it.
Object.assign(process.env, ALLOCATOR);

const MIB = mibFromEnvironment(10_240);
const CODE = { k: 10, n: 16 };
const TARGET_MIB = 150;

/** A line of `/proc/PID/FILE` that tells kilobytes. */
function mibOf(pid: number, file: string, name: string): number {
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

const peakMib = (pid: number): number => mibOf(pid, "status", "VmHWM");

/** What it has when it is done: its own pages, and its share of those that other processes map as well, such as Node's program. */
function shareOf(pid: number): string {
  const [own, shared] = [mibOf(pid, "status", "RssAnon"), mibOf(pid, "status", "RssShmem")];
  return `afterwards ${own.toFixed(0)} MiB anonymous, ${shared.toFixed(0)} MiB shared memory, Pss ${mibOf(pid, "smaps_rollup", "Pss").toFixed(0)} MiB`;
}

const network = await startNetwork({ providers: CODE.n, parent: tmpdir() });
try {
  for (const order of ["put", "get"] as const) {
    const client = await startClient(network.home, order);
    const idleMib = peakMib(client.pid);
    const { ms } = await client.ask<{ ms: number }>(order, { key: "object", sizeBytes: MIB * 2 ** 20, isGenerated: true, ...CODE });
    const peak = peakMib(client.pid);
    const figures = `${peak.toFixed(0)} MiB  ${TARGET_MIB} MiB  ${(peak / TARGET_MIB).toFixed(2)}`;
    console.log(`${`peak memory of a ${order} of ${MIB} MiB / target`.padEnd(44)}  ${figures}`);
    console.log(`  (idle ${idleMib.toFixed(0)} MiB; ${(ms / 1000).toFixed(0)} s; ${shareOf(client.pid)})`);
    await client.stop();
  }
  for (const pid of network.pids.slice(0, 1)) console.log(`  (a provider's peak: ${peakMib(pid).toFixed(0)} MiB)`);
} finally {
  await network.stop();
}
