/**
 * A slot of 64 MiB over HTTP on loopback until its signed offer is there, all flushed: against `dd conv=fsync` (>= 0.50), and against a
 * bare loop that hashes and writes the same bytes in one process (processor time of the provider's process <= 1.3 times).
 */
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SlotTreeBuilder, slotBytes } from "@ppio/core";
import { toBeHex } from "ethers";
import { call, makeUpload, startWorld, TERMS } from "../test/support/provider/world.ts";
import { interleave, printRatio } from "./support/measure.ts";

const HEADER = { k: 1, n: 2, cellBytes: 65_536, lastCellBytes: 65_536, rows: 1024 };
const MIB = slotBytes(HEADER) / 2 ** 20;
const ROUNDS = 7;
/** In memory, so that reading the source costs no disk. */
const SOURCE = `/dev/shm/ppio-bench-${process.pid}`;

type Order = "next" | "cpu" | "bare" | "drop";

interface Answer {
  readonly url?: string;
  readonly id?: string;
  readonly root?: string;
  readonly cpuMs?: number;
}

/** The provider's process: does as it is told over its channel. */
async function serve(source: string): Promise<void> {
  // As the launcher does.
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const world = await startWorld({
    config: { capacityBytes: 2 ** 34, undealtBytesPerPayer: 2 ** 34, pricePerGibPeriodWei: 10n ** 12n },
    limits: { stallMs: 30_000 },
  });
  const { data, root } = await makeUpload(world, {}, HEADER);
  await writeFile(source, data);
  const ids: string[] = [];
  // All of them before the first is measured: making them is none of an upload's, nor is a collection that forgets compiled code.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const { id, body } = await makeUpload(world, { dealSalt: toBeHex(round + 1, 32) }, HEADER);
    await call(world, "POST", "/v1/uploads", body);
    ids.push(id);
  }
  collectGarbage();
  let last = "";
  const orders: Record<Order, () => Promise<Answer>> = {
    next: async () => {
      last = ids.shift() ?? "";
      return { url: world.url, id: last, root };
    },
    cpu: async () => ({ cpuMs: cpuMs() }),
    bare: async () => {
      const before = cpuMs();
      await bare(data);
      return { cpuMs: cpuMs() - before };
    },
    drop: async () => {
      await world.context.store.drop(last);
      return {};
    },
  };
  process.send?.({});
  process.on("message", async (order: Order) => void process.send?.(await orders[order]()));
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function bare(data: Uint8Array): Promise<void> {
  const path = join(tmpdir(), `ppio-bench-bare-${process.pid}`);
  const file = await open(path, "w");
  const tree = new SlotTreeBuilder(HEADER);
  for (let at = 0; at < data.length; at += 1 << 20) {
    const piece = data.subarray(at, at + (1 << 20));
    tree.push(piece);
    await file.writev([piece], at);
  }
  tree.finish();
  await file.datasync();
  await file.close();
  await rm(path);
}

async function compare(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ["serve", SOURCE]);
  const ask = async (order: Order): Promise<Answer> => {
    child.send(order);
    return (await once(child, "message"))[0] as Answer;
  };
  await once(child, "message");
  const agent = new Agent({ keepAlive: true });
  const cpu: number[] = [];
  const upload = async (): Promise<number> => {
    const { url = "", id = "", root = "" } = await ask("next");
    const data = await readFile(SOURCE);
    const before = (await ask("cpu")).cpuMs ?? 0;
    const since = performance.now();
    await send(agent, "PUT", `${url}/v1/uploads/${id}?offset=0`, data);
    await send(agent, "POST", `${url}/v1/uploads/${id}/finish`, Buffer.from(JSON.stringify({ root, ...TERMS })));
    const ms = performance.now() - since;
    cpu.push(((await ask("cpu")).cpuMs ?? 0) - before);
    await ask("drop");
    return (MIB * 1000) / ms;
  };
  const dd = async (): Promise<number> => {
    const path = join(tmpdir(), `ppio-bench-dd-${process.pid}`);
    const since = performance.now();
    await promisify(execFile)("dd", [`if=${SOURCE}`, `of=${path}`, "bs=1M", "conv=fsync"]);
    const ms = performance.now() - since;
    await rm(path);
    return (MIB * 1000) / ms;
  };
  try {
    const figures = await interleave(
      [
        { name: "upload", run: upload },
        { name: "dd", run: dd },
        { name: "upload's cpu", run: async () => cpu.at(-1) ?? Number.NaN },
        { name: "bare cpu", run: async () => (await ask("bare")).cpuMs ?? Number.NaN },
      ],
      ROUNDS,
    );
    const [ours = Number.NaN, peer = Number.NaN, ourCpu = Number.NaN, bareCpu = Number.NaN] = figures;
    printRatio("upload of 64 MiB, flushed / dd conv=fsync", ours, peer, "MiB/s");
    printRatio("processor time / bare hash and write", ourCpu, bareCpu, "ms");
  } finally {
    agent.destroy();
    child.kill();
    await rm(SOURCE, { force: true });
  }
}

async function send(agent: Agent, method: string, url: string, body: Uint8Array): Promise<void> {
  const headers = method === "POST" ? { "content-type": "application/json" } : {};
  const sent = request(url, { method, agent, headers: { ...headers, "content-length": body.length } });
  sent.end(body);
  const [response] = await once(sent, "response");
  let text = "";
  for await (const piece of response) text += String(piece);
  if (response.statusCode !== 200) throw new Error(`${method} ${url} gave ${response.statusCode}: ${text}`);
}

if (process.argv[2] === "serve") await serve(process.argv[3] ?? SOURCE);
else await compare();
