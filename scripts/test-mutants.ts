/**
 * Plants one bug at a time in a copy of the contracts and shows that the tests see it: `npm run test:mutants [-- part of a name]`.
 * A mutant counts as caught when it compiles and the fuzzer or a contract test fails; a patch that does not apply is an error.
 * MUTANT_JOBS (2) run side by side; MUTANT_SECONDS (60) is the fuzzer's budget for each.
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MUTANTS, type Mutant } from "./mutants/list.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const JOBS = Number(process.env.MUTANT_JOBS ?? 2);
const SECONDS = process.env.MUTANT_SECONDS ?? "60";
const COMMAND_TIMEOUT_MS = 900_000;
const COPIED = ["contracts", "test", "package.json", "tsconfig.json", "tsconfig.base.json", "tsconfig.test.json", "hardhat.config.ts"];
/** Contracts that stand apart from the core: not compiled, to save time. */
const APART = /(^|\/)(Bandwidth|Bucket|Escrow|Sponsor|Verifier|Committee|Pool|PpioTimelock|Bls12381Double)[A-Za-z]*\.sol$/;
/** The fuzzer first, since it sees most; then what it cannot see, the quick ones first. */
const TESTS = [
  "fuzz",
  "registry",
  "proofs",
  "market",
  "rules",
  "repair",
  "challenges",
  "fraud",
  "halts",
  "renewal",
  "tenures",
  "held-before",
  "slot-money",
].map((name) => `test/contracts/${name}.test.ts`);

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function run(folder: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn("npx", ["hardhat", ...args], { cwd: folder, env: { ...process.env, ...env }, timeout: COMMAND_TIMEOUT_MS });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** The whole copy without what does not belong to the core, and with a compiler that does not optimise: five times as fast. */
async function makeBase(folder: string): Promise<void> {
  for (const name of COPIED) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true, filter: (source) => !APART.test(source) });
  }
  await cp(join(ROOT, "typechain-types"), join(folder, "typechain-types"), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const config = await readFile(join(folder, "hardhat.config.ts"), "utf8");
  const quick = config
    // Mutants run side by side already, and only one after the other do the files stop at the first failure.
    .replace("parallel: true, jobs: 2", "parallel: false")
    .replace("optimizer: { enabled: true, runs: 200 }", "optimizer: { enabled: false }")
    .replace('default: { type: "edr-simulated",', 'default: { type: "edr-simulated", allowUnlimitedContractSize: true,');
  if (quick === config) throw new Error("hardhat.config.ts has changed: the quick build does not apply");
  await writeFile(join(folder, "hardhat.config.ts"), quick);
}

const build = (folder: string): Promise<Outcome> => run(folder, ["build"]);
const test = (folder: string, seconds: string): Promise<Outcome> =>
  run(folder, ["test", "mocha", "--no-compile", "--bail", ...TESTS], { FUZZ_SECONDS: seconds });

async function plant(folder: string, { name, file, from, to }: Mutant): Promise<void> {
  const path = join(folder, "contracts", file);
  const text = await readFile(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`"${name}" does not apply: its string is not once in ${file}`);
  await writeFile(
    path,
    text.replace(from, () => to),
  );
}

/** What saw it: the invariant's number, or the test's error. */
function reasonOf(output: string): string {
  const found = /FUZZ_SEED=\d+ .*/.exec(output) ?? /^ +(?:AssertionError|Error|ProviderError|HardhatError).*/m.exec(output);
  return (found?.[0] ?? "a test failed").trim().slice(0, 110);
}

async function tryMutant(base: string, work: string, mutant: Mutant): Promise<{ caught: boolean; reason: string }> {
  const folder = await mkdtemp(join(work, "mutant-"));
  try {
    await cp(base, folder, { recursive: true, verbatimSymlinks: true });
    // The compiler's cache names files by their place; without it everything would be compiled anew.
    const cache = join(folder, "cache", "compile-cache.json");
    await writeFile(cache, (await readFile(cache, "utf8")).replaceAll(base, folder));
    await plant(folder, mutant);
    const built = await build(folder);
    if (built.code !== 0) throw new Error(`"${mutant.name}" does not compile:\n${built.output.slice(-2_000)}`);
    const tested = await test(folder, SECONDS);
    return { caught: tested.code !== 0, reason: tested.code === 0 ? "SURVIVED" : reasonOf(tested.output) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const part = process.argv[2] ?? "";
  const mutants = MUTANTS.filter(({ name }) => name.includes(part));
  const work = await mkdtemp(join(tmpdir(), "mutants-"));
  const base = join(work, "base");
  try {
    await mkdir(base);
    await makeBase(base);
    for (const mutant of mutants) await plantCheck(base, mutant);
    const built = await build(base);
    if (built.code !== 0) throw new Error(`the copy does not compile:\n${built.output.slice(-2_000)}`);
    const sound = await test(base, "1");
    if (sound.code !== 0) throw new Error(`the tests fail without any mutant:\n${sound.output.slice(-4_000)}`);

    const waiting = [...mutants];
    let caught = 0;
    const worker = async (): Promise<void> => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const outcome = await tryMutant(base, work, mutant);
        if (outcome.caught) caught += 1;
        console.log(`${outcome.caught ? "caught  " : "SURVIVED"}  ${mutant.name.padEnd(44)}  ${outcome.reason}`);
      }
    };
    await Promise.all(Array.from({ length: JOBS }, worker));
    console.log(`${caught}/${mutants.length} caught`);
    if (caught !== mutants.length) process.exitCode = 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function plantCheck(base: string, { name, file, from }: Mutant): Promise<void> {
  const text = await readFile(join(base, "contracts", file), "utf8");
  if (text.split(from).length !== 2) throw new Error(`"${name}" does not apply: its string is not once in ${file}`);
}

await main();
