/** A headless Chromium that opens the page of `page.ts` or `workers-page.ts`, served from this process. */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/** A host name that is not this machine's own, so that its pages count as insecure. */
const INSECURE_HOST = "insecure.test";
const READY_MS = 30_000;
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
];

/** Why there is none, for people who run the tests. */
export const NO_CHROMIUM = "Skipped: no Chromium in PATH (Debian: apt-get install chromium), and CHROMIUM_PATH names none.";

export function findChromium(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = named === undefined ? NAMES.flatMap((name) => folders.map((folder) => join(folder, name))) : [named];
  return candidates.find((path) => existsSync(path));
}

export interface PageOptions {
  /** Of an origin that browsers give no WebCrypto. */
  readonly isInsecure?: boolean;
  readonly contentSecurityPolicy?: string;
  /** The page with Web Workers; `missing` when their script is not served, as in a bundle that left it out. */
  readonly workers?: "served" | "missing";
  /** Whether the page says that it wants to be alone, which lets it share memory between threads. */
  readonly isIsolated?: boolean;
}

export interface TestPage {
  /** Value of an expression over `ppio`, the page's `PageApi`. */
  evaluate(expression: string): Promise<unknown>;
}

export interface TestBrowser {
  open(options?: PageOptions): Promise<TestPage>;
  close(): Promise<void>;
}

const PAGE = "page.ts";
const WORKERS_PAGE = "workers-page.ts";
const WORKER = "../../../client/dist/workers/entry.browser.js";

async function bundle(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(path, import.meta.url))],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: "es2022",
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

/** Scripts by the path that they are served under. */
async function bundleAll(): Promise<ReadonlyMap<string, string>> {
  const [page, workersPage, worker] = await Promise.all([bundle(PAGE), bundle(WORKERS_PAGE), bundle(WORKER)]);
  return new Map([
    ["/page.js", page],
    ["/workers/page.js", workersPage],
    ["/workers/entry.browser.js", worker],
    // The same page beside which no worker is found.
    ["/alone/page.js", workersPage],
  ]);
}

const FOLDERS = { served: "/workers/", missing: "/alone/" } as const;

async function openPage(
  browser: Browser,
  port: number,
  { isInsecure = false, contentSecurityPolicy = "", workers, isIsolated = false }: PageOptions,
): Promise<TestPage> {
  const page = await browser.newPage();
  const host = isInsecure ? INSECURE_HOST : "127.0.0.1";
  const failures: string[] = [];
  page.on("pageerror", (error) => failures.push(String(error)));
  const folder = workers === undefined ? "/" : FOLDERS[workers];
  const query = new URLSearchParams({ policy: contentSecurityPolicy, isolated: String(isIsolated) });
  await page.goto(`http://${host}:${port}${folder}?${query}`, { timeout: READY_MS });
  if (failures.length > 0) throw new Error(`The page failed: ${failures.join("; ")}`);
  return { evaluate: (expression) => page.evaluate(expression) };
}

export async function startChromium(executablePath: string): Promise<TestBrowser> {
  const scripts = await bundleAll();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const policy = url.searchParams.get("policy") ?? "";
    if (policy !== "") response.setHeader("content-security-policy", policy);
    const script = scripts.get(url.pathname);
    if (url.searchParams.get("isolated") === "true") response.setHeader("cross-origin-opener-policy", "same-origin");
    // Workers need it as well as their page.
    response.setHeader("cross-origin-embedder-policy", url.searchParams.get("isolated") === "false" ? "unsafe-none" : "require-corp");
    if (script === undefined && url.pathname.endsWith(".js")) response.statusCode = 404;
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? "<!doctype html><title>ppio</title><script type=module src=page.js></script>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  try {
    const browser = await chromium.launch({ executablePath, args: ARGUMENTS, headless: true, timeout: READY_MS });
    return {
      open: (options = {}) => openPage(browser, port, options),
      close: async () => {
        stop();
        await browser.close();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
