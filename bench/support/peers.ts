/** The peers' packages: many, so the repository's own install leaves them out and the first bench that needs them brings them. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../peers/", import.meta.url));
/** Written by npm at the end of an install that worked. */
const INSTALLED = new URL("../peers/node_modules/.package-lock.json", import.meta.url);

/** Installs them from their own lockfile where they are missing; false, and a sentence on the console, where that fails. */
export function hasPeers(): boolean {
  if (existsSync(INSTALLED)) return true;
  console.log("Installing the peers from bench/peers/package-lock.json, about 400 MB.");
  try {
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", FOLDER], { stdio: "pipe" });
    return true;
  } catch {
    console.log("Skipped: the peers could not be installed; run npm ci --prefix bench/peers and see what it says.");
    return false;
  }
}
