/**
 * `npm run bench:memory`: how much memory does a client need? Peak resident memory (VmHWM) of a process that puts BENCH_MIB (10240) at
 * 10/16 to sixteen providers and of another one that gets them back (<= 150 MiB each). The bytes are generated from a seed while they
 * are read and checked when they return. They lie on disk, in the system's temporary folder: 1.6 times as many.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { startNetwork } from "../support/network.ts";
import { mibFromEnvironment } from "../support/numbers.ts";
import { startClient } from "../support/our-client.ts";

const MIB = mibFromEnvironment(10_240);
const CODE = { k: 10, n: 16 };
const TARGET_MIB = 150;

function peakMib(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

const network = await startNetwork({ providers: CODE.n, parent: tmpdir() });
try {
  for (const order of ["put", "get"]) {
    const client = await startClient(network.home);
    const idleMib = peakMib(client.pid);
    const { ms } = await client.ask<{ ms: number }>(order, { key: "object", sizeBytes: MIB * 2 ** 20, isGenerated: true, ...CODE });
    const peak = peakMib(client.pid);
    const figures = `${peak.toFixed(0)} MiB  ${TARGET_MIB} MiB  ${(peak / TARGET_MIB).toFixed(2)}`;
    console.log(`${`peak memory of a ${order} of ${MIB} MiB / target`.padEnd(44)}  ${figures}`);
    console.log(`  (idle ${idleMib.toFixed(0)} MiB; ${(ms / 1000).toFixed(0)} s)`);
    await client.stop();
  }
  for (const pid of network.pids.slice(0, 1)) console.log(`  (a provider's peak: ${peakMib(pid).toFixed(0)} MiB)`);
} finally {
  await network.stop();
}
