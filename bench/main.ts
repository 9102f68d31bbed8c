/** `npm run bench`: every question of this folder, or those whose names hold a word: `npm run bench -- decode`. `gas/` has its own. */
import { readdirSync } from "node:fs";

const words = process.argv.slice(2);
const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".ts") && file !== "main.ts");
const chosen = files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
console.log(`${"name".padEnd(46)}${"ours".padStart(8)}${"peer".padStart(8)}${"ratio".padStart(9)}`);
for (const file of chosen.sort()) await import(new URL(file, import.meta.url).href);
