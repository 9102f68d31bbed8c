/** A devnet of real processes in a temporary folder, driven as a user would: through the `ppio` command. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AddressBook } from "@ppio/core";
import { type ChainContracts, connectContracts, createRpc, isAlive } from "@ppio/daemon";
import type { JsonRpcProvider } from "ethers";
import { ownPorts } from "../ports.ts";

export const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/ppio.cjs", import.meta.url));
const POLL_MS = 100;

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `ppio` to its end. @param onStart given the process, for whoever wants to end it sooner */
export function runPpio(
  args: readonly string[],
  input?: Uint8Array,
  env: Readonly<Record<string, string>> = {},
  onStart?: (child: ChildProcess) => void,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(process.execPath, [LAUNCHER, ...args], { env: { ...process.env, ...env } });
    onStart?.(child);
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
  readonly providers: readonly {
    readonly name: string;
    readonly providerId: number;
    readonly port: number;
    readonly ownerKey: string;
    readonly operatorKey: string;
  }[];
  readonly verifiers: readonly { readonly name: string; readonly port: number; readonly key: string; readonly payerKey: string }[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

export interface SlotOnDisk {
  /** Of the provider. */
  readonly name: string;
  readonly providerId: number;
  readonly folder: string;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly state: "receiving" | "sealed";
  /** Flushed or not. */
  readonly bytes: number;
}

export class Devnet {
  readonly home: string;
  readonly book: AddressBook;
  readonly rpc: JsonRpcProvider;
  readonly contracts: ChainContracts;

  /** Of its daemons, also of those that are started anew. */
  readonly #env: Readonly<Record<string, string>>;

  private constructor(home: string, book: AddressBook, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.#env = env;
    this.book = book;
    this.rpc = createRpc(book.rpcUrl, book.chainId);
    this.contracts = connectContracts(book, this.rpc);
  }

  /** Brings one up with a funded wallet; `env` goes to its daemons too. */
  static async start(providers: number, env: Readonly<Record<string, string>> = {}, ...more: readonly string[]): Promise<Devnet> {
    const home = await mkdtemp(join(tmpdir(), "ppio-e2e-"));
    const { first, last } = ownPorts();
    const up = await runPpio(["--home", home, "--json", "devnet", "up", "--providers", String(providers), ...more], undefined, {
      ...env,
      PPIO_DEVNET_PORTS: `${first}-${last}`,
    });
    if (up.status !== 0) throw new Error(`devnet up: ${up.stderr}`);
    const { book } = JSON.parse(up.stdout) as { book: AddressBook };
    const devnet = new Devnet(home, book, env);
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
    return runPpio(["--home", this.home, ...args], undefined, this.#env);
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
    const slots = await this.slotsOnDisks();
    return new Map(slots.filter((slot) => slot.dealId === dealId).map(({ slotIndex, folder }) => [slotIndex, folder]));
  }

  /** What lies on the providers' disks, what is still coming in included. */
  async slotsOnDisks(): Promise<SlotOnDisk[]> {
    const found: SlotOnDisk[] = [];
    for (const { name, providerId } of (await this.json()).providers) {
      const slots = this.path("devnet", name, "slots");
      for (const entry of await readdir(slots)) {
        const folder = join(slots, entry);
        const meta = await readIfThere(join(folder, "meta.json"));
        if (meta === undefined) continue;
        const { dealId, slotIndex, state } = JSON.parse(meta.toString()) as Pick<SlotOnDisk, "dealId" | "slotIndex" | "state">;
        const bytes = await stat(join(folder, "data")).then(
          ({ size }) => size,
          () => 0,
        );
        found.push({ name, providerId, folder, dealId, slotIndex, state, bytes });
      }
    }
    return found;
  }

  /** Polls until a put has brought so many bytes of slots to providers' disks; those slots. */
  untilReceiving(bytes: number): Promise<SlotOnDisk[]> {
    return this.until(async () => {
      const receiving = (await this.slotsOnDisks()).filter(({ state }) => state === "receiving");
      return receiving.reduce((sum, slot) => sum + slot.bytes, 0) >= bytes && receiving;
    });
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

  /** Polls until `check` gives something; the test's own timeout bounds it. */
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
