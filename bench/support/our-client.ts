/** Starts client.ts as JavaScript, like the command that users run: Node's type stripping would count as its memory and start. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Worker } from "./worker.ts";

/** Inside the repository, so that the packages are found. */
const BUNDLE = fileURLToPath(new URL("../../node_modules/.cache/ppio-bench/client.mjs", import.meta.url));

/** What the launcher of `ppio` starts a process again with that moves objects; the clients here are started without it. */
interface MemorySettings {
  readonly ALLOCATOR: Readonly<Record<string, string>>;
  readonly YOUNG_GENERATION: string;
  readonly OLD_GENERATION: Readonly<Record<"put" | "get", string>>;
}

export const { ALLOCATOR, YOUNG_GENERATION, OLD_GENERATION }: MemorySettings = createRequire(import.meta.url)("../../cli/bin/memory.cjs");

export interface Got {
  readonly ms: number;
  /** Until the first byte. */
  readonly firstMs: number;
  readonly length: number;
}

export interface Put {
  readonly ms: number;
  /** Until the first batch was acknowledged, all bytes were, and the stages of a put after that. */
  readonly reachedMs: Readonly<Record<"first" | "sent" | "stored" | "dealt" | "indexed", number>>;
}

/**
 * @param home of the user, as `ppio --home` takes it
 * @param command of which it has the memory settings; it takes orders of the other one too
 */
export function startClient(home: string, command: "put" | "get", execArgv: readonly string[] = []): Promise<Worker> {
  buildSync({
    entryPoints: [fileURLToPath(new URL("./client.ts", import.meta.url))],
    outfile: BUNDLE,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node22",
  });
  return Worker.start(BUNDLE, [home], [YOUNG_GENERATION, OLD_GENERATION[command], ...execArgv]);
}
