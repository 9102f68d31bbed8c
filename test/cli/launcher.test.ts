/** The launcher of `ppio`: what a daemon's process begins with. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const LAUNCHER = fileURLToPath(new URL("../../cli/bin/ppio.cjs", import.meta.url));
/** Read by every Node that starts: who it is, what its allocator was told, and what V8 is told from then on. */
const WITNESS = `const { appendFileSync } = require("node:fs");
const v8 = require("node:v8");
const { setFlagsFromString } = v8;
v8.setFlagsFromString = (flag) => {
  appendFileSync(process.env.WITNESSED + ".told", flag + "\\n");
  setFlagsFromString(flag);
};
appendFileSync(process.env.WITNESSED, JSON.stringify({
  pid: process.pid, flags: process.execArgv, args: process.argv.slice(2), arenas: process.env.MALLOC_ARENA_MAX }) + "\\n");`;

interface Start {
  readonly pid: number;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  readonly arenas?: string;
}

describe("launcher", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ppio-launcher-"));
    await writeFile(join(folder, "witness.cjs"), WITNESS);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  /** Starts of Node that a command takes. */
  async function startsOf(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
  ): Promise<readonly Start[]> {
    const witnessed = join(folder, "starts");
    await rm(witnessed, { force: true });
    const { MALLOC_ARENA_MAX: _arenas, MALLOC_TRIM_THRESHOLD_: _trim, ...clean } = process.env;
    const flags = ["--stack-size=900", "--require", join(folder, "witness.cjs"), ...more];
    await new Promise((resolve) =>
      execFile(process.execPath, [...flags, LAUNCHER, ...args], { env: { ...clean, ...env, WITNESSED: witnessed } }, resolve),
    );
    return (await readFile(witnessed, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Start);
  }

  it("gives a daemon one arena, in the process that was started", async function () {
    if (process.platform !== "linux") this.skip();
    const starts = await startsOf(["provider", "start", "--help"]);
    expect(starts.map(({ arenas }) => arenas)).to.deep.equal([undefined, "1"]);
    const [first, second] = starts;
    expect(second?.pid).to.equal(first?.pid);
    expect(second?.flags).to.deep.equal(first?.flags);
    expect(second?.args).to.deep.equal(["provider", "start", "--help"]);
  });

  it("gives it to what moves objects too, and a small young generation", async function () {
    if (process.platform !== "linux") this.skip();
    const [first, second, ...more] = await startsOf(["put", "--help"]);
    expect([first?.arenas, second?.arenas]).to.deep.equal([undefined, "1"]);
    expect(second?.flags).to.deep.equal([...(first?.flags ?? []), "--max-semi-space-size=2"]);
    expect(more).to.have.length(0);
  });

  it("leaves a young generation alone that somebody has chosen", async function () {
    if (process.platform !== "linux") this.skip();
    const starts = await startsOf(["get", "--help"], { NODE_OPTIONS: "--max-semi-space-size=8" });
    expect(starts.map(({ flags }) => flags.some((flag) => flag.includes("semi-space")))).to.deep.equal([false, false]);
  });

  it("tells V8 how much the old generation may grow, unless somebody has", async () => {
    const told = async (args: readonly string[], ...flags: readonly string[]): Promise<readonly string[]> => {
      const path = join(folder, "starts.told");
      await rm(path, { force: true });
      await startsOf(args, {}, flags);
      const lines = await readFile(path, "utf8").catch(() => "");
      return lines.split("\n").filter((flag) => flag.includes("heap-growing"));
    };
    expect(await told(["put", "--help"])).to.deep.equal(["--heap-growing-percent=30"]);
    expect(await told(["get", "--help"])).to.deep.equal(["--heap-growing-percent=100"]);
    expect(await told(["get", "--help"], "--heap-growing-percent=50")).to.deep.equal([]);
    expect(await told(["deal", "--help"])).to.deep.equal([]);
  });

  it("leaves settings alone that are there, and commands that end soon", async () => {
    expect((await startsOf(["provider", "start", "--help"], { MALLOC_ARENA_MAX: "4" })).map(({ arenas }) => arenas)).to.deep.equal(["4"]);
    expect(await startsOf(["provider", "--help"])).to.have.length(1);
  });
});
