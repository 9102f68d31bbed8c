/** Starts client.ts as JavaScript, like the command that users run: Node's type stripping would count as its memory and start. */
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Worker } from "./worker.ts";

/** Inside the repository, so that the packages are found. */
const BUNDLE = fileURLToPath(new URL("../../node_modules/.cache/ppio-bench/client.mjs", import.meta.url));

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

/** @param home of the user, as `ppio --home` takes it */
export function startClient(home: string, execArgv: readonly string[] = []): Promise<Worker> {
  buildSync({
    entryPoints: [fileURLToPath(new URL("./client.ts", import.meta.url))],
    outfile: BUNDLE,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node22",
  });
  return Worker.start(BUNDLE, [home], execArgv);
}
