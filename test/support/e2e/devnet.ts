/** A devnet of real processes in a temporary folder, driven as a user would: through the `ppio` command. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AddressBook } from "@ppio/core";
import { type ChainContracts, connectContracts, createRpc } from "@ppio/daemon";
import type { JsonRpcProvider } from "ethers";

export const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/ppio.cjs", import.meta.url));
const POLL_MS = 250;

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `ppio` to its end. */
export function runPpio(args: readonly string[], input?: Uint8Array, env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(process.execPath, [LAUNCHER, ...args], { env: { ...process.env, ...env } });
    const chunks: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        chunks[name] += text;
      });
    }
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...chunks }));
    child.stdin?.end(input);
  });
}

export interface DevnetJson {
  readonly providers: readonly { readonly name: string; readonly providerId: number }[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

export class Devnet {
  readonly home: string;
  readonly book: AddressBook;
  readonly rpc: JsonRpcProvider;
  readonly contracts: ChainContracts;

  private constructor(home: string, book: AddressBook) {
    this.home = home;
    this.book = book;
    this.rpc = createRpc(book.rpcUrl, book.chainId);
    this.contracts = connectContracts(book, this.rpc);
  }

  /** Brings one up with a funded wallet; its processes get `env` beside their own. */
  static async start(providers: number, env: Readonly<Record<string, string>> = {}): Promise<Devnet> {
    const home = await mkdtemp(join(tmpdir(), "ppio-e2e-"));
    const up = await runPpio(["--home", home, "--json", "devnet", "up", "--providers", String(providers)], undefined, env);
    if (up.status !== 0) throw new Error(`devnet up: ${up.stderr}`);
    const { book } = JSON.parse(up.stdout) as { book: AddressBook };
    const devnet = new Devnet(home, book);
    const init = await devnet.run("init");
    if (init.status !== 0) throw new Error(`init: ${init.stderr}`);
    return devnet;
  }

  /** Ends all of it; fails when a process stays behind. */
  async stop(): Promise<void> {
    this.rpc.destroy();
    const { processes } = await this.json();
    const down = await this.run("devnet", "down");
    if (down.status !== 0) throw new Error(`devnet down: ${down.stderr}`);
    const alive = await Promise.all(processes.map(({ pid }) => isAlive(pid)));
    const left = processes.filter((_, at) => alive[at]);
    if (left.length > 0) throw new Error(`still running: ${left.map(({ name }) => name).join(", ")}`);
    await rm(this.home, { recursive: true, force: true });
  }

  run(...args: readonly string[]): Promise<CommandResult> {
    return runPpio(["--home", this.home, ...args]);
  }

  /** Runs a command that must succeed and returns its JSON document. */
  async ok<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    const result = await this.run("--json", ...args);
    if (result.status !== 0) throw new Error(`ppio ${args.join(" ")}: ${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  }

  path(...parts: readonly string[]): string {
    return join(this.home, ...parts);
  }

  async json(): Promise<DevnetJson> {
    return JSON.parse(await readFile(this.path("devnet", "devnet.json"), "utf8")) as DevnetJson;
  }

  async pidOf(name: string): Promise<number> {
    const found = (await this.json()).processes.find((process) => process.name === name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found.pid;
  }

  /** Folders of a deal's slots on the providers' disks, by slot index. */
  async slotFolders(dealId: string): Promise<Map<number, string>> {
    const folders = new Map<number, string>();
    for (const { name } of (await this.json()).providers) {
      const slots = this.path("devnet", name, "slots");
      for (const entry of await readdir(slots)) {
        const meta = await readIfThere(join(slots, entry, "meta.json"));
        if (meta === undefined) continue;
        const slot = JSON.parse(meta.toString()) as { dealId: string; slotIndex: number };
        if (slot.dealId === dealId) folders.set(slot.slotIndex, join(slots, entry));
      }
    }
    return folders;
  }

  /** The bytes of every file under a folder of this devnet, at any depth. */
  async *filesUnder(...parts: readonly string[]): AsyncGenerator<Buffer> {
    for (const entry of await readdir(this.path(...parts), { recursive: true, withFileTypes: true })) {
      const bytes = entry.isFile() ? await readIfThere(join(entry.parentPath, entry.name)) : undefined;
      if (bytes !== undefined) yield bytes;
    }
  }

  async period(): Promise<number> {
    return Number(await this.contracts.proofs.currentPeriod());
  }

  /** Polls the chain until `check` gives something; the test's own timeout bounds it. */
  async until<T>(check: () => Promise<T | undefined | false>): Promise<T> {
    for (;;) {
      const value = await check();
      if (value !== undefined && value !== false) return value as T;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** A file that a daemon may be deleting at this moment: of a slot whose deal is over, for one. */
async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A process that has ended but was not collected yet does not count. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
}
