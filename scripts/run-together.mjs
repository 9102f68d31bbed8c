#!/usr/bin/env node
/** Runs npm scripts side by side and prints each one's output whole, in order; fails when one of them does. The first streams. */
import { spawn } from "node:child_process";

const names = process.argv.slice(2);

function run(name, isLive) {
  const child = spawn("npm", ["run", "--silent", name], { stdio: ["ignore", isLive ? "inherit" : "pipe", isLive ? "inherit" : "pipe"] });
  const pieces = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece) => pieces.push(piece));
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ name, failed: code !== 0 || signal !== null, output: Buffer.concat(pieces) }));
  });
}

const runs = names.map((name, at) => run(name, at === 0));
let failed = false;
for (const running of runs) {
  const { name, output, ...result } = await running;
  process.stdout.write(output);
  if (result.failed) console.error(`${name} failed`);
  failed ||= result.failed;
}
process.exitCode = failed ? 1 : 0;
