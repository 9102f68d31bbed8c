// Who may import whom (docs/layout.md). Reads every import of every workspace's sources and fails on a forbidden direction, on a
// relative import that leaves its workspace, and on Node's modules in what must run in a browser.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const ALLOWED = {
  core: [],
  daemon: ["core"],
  client: ["core"],
  provider: ["core", "daemon"],
  oracle: ["core", "daemon"],
  cli: ["core", "daemon", "client", "provider", "oracle"],
};
const BROWSER_SAFE = new Set(["core", "client"]);
/** Files that stand for Node behind a conditional import ("imports" in package.json). */
const NODE_ONLY = /\.node\.ts$/;
const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^"';=(]*?(?:from\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

const problems = [];
for (const [workspace, allowed] of Object.entries(ALLOWED)) {
  for (const file of sources(join(workspace, "src"))) {
    const text = readFileSync(file, "utf8");
    for (const match of text.matchAll(IMPORT)) {
      const target = match[1] ?? match[2];
      const own = /^@ppio\/([a-z]+)/.exec(target)?.[1];
      if (own !== undefined && own !== workspace && !allowed.includes(own))
        problems.push(`${file}: ${workspace} must not import ${target}`);
      if (target.startsWith(".")) {
        const to = relative(".", resolve(dirname(file), target));
        const stays = to.startsWith(`${workspace}${sep}src`) || (workspace === "core" && to.startsWith("typechain-types"));
        if (!stays) problems.push(`${file}: ${target} leaves the workspace`);
      }
      if (BROWSER_SAFE.has(workspace) && target.startsWith("node:") && !NODE_ONLY.test(file)) {
        problems.push(`${file}: ${target} does not exist in browsers`);
      }
    }
    if (BROWSER_SAFE.has(workspace) && !NODE_ONLY.test(file) && /\bBuffer\.(from|alloc|concat)\b/.test(text)) {
      problems.push(`${file}: Buffer does not exist in browsers`);
    }
  }
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log("import directions hold");
