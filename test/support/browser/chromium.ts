/** A headless Chromium that opens the page of `page.ts`, served from this process. */
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
}

export interface TestPage {
  /** Value of an expression over `ppio`, the page's `PageApi`. */
  evaluate(expression: string): Promise<unknown>;
}

export interface TestBrowser {
  open(options?: PageOptions): Promise<TestPage>;
  close(): Promise<void>;
}

async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))],
    bundle: true,
    write: false,
    platform: "browser",
    format: "iife",
    target: "es2022",
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

async function openPage(
  browser: Browser,
  port: number,
  { isInsecure = false, contentSecurityPolicy = "" }: PageOptions,
): Promise<TestPage> {
  const page = await browser.newPage();
  const host = isInsecure ? INSECURE_HOST : "127.0.0.1";
  const failures: string[] = [];
  page.on("pageerror", (error) => failures.push(String(error)));
  await page.goto(`http://${host}:${port}/?policy=${encodeURIComponent(contentSecurityPolicy)}`, { timeout: READY_MS });
  if (failures.length > 0) throw new Error(`The page failed: ${failures.join("; ")}`);
  return { evaluate: (expression) => page.evaluate(expression) };
}

export async function startChromium(executablePath: string): Promise<TestBrowser> {
  const script = await bundlePage();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const policy = url.searchParams.get("policy") ?? "";
    if (policy !== "") response.setHeader("content-security-policy", policy);
    const isScript = url.pathname === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : "<!doctype html><title>ppio</title><script src=page.js></script>");
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
