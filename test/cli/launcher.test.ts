/** The launcher of `ppio`: what a daemon's process begins with. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const LAUNCHER = fileURLToPath(new URL("../../cli/bin/ppio.cjs", import.meta.url));
/** Read by every Node that starts: who it is, and what its allocator was told. */
const WITNESS = `require("node:fs").appendFileSync(process.env.WITNESSED, JSON.stringify({
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
  async function startsOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<readonly Start[]> {
    const witnessed = join(folder, "starts");
    await rm(witnessed, { force: true });
    const { MALLOC_ARENA_MAX: _arenas, MALLOC_TRIM_THRESHOLD_: _trim, ...clean } = process.env;
    const flags = ["--stack-size=900", "--require", join(folder, "witness.cjs")];
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

  it("leaves settings alone that are there, and commands that end soon", async () => {
    expect((await startsOf(["provider", "start", "--help"], { MALLOC_ARENA_MAX: "4" })).map(({ arenas }) => arenas)).to.deep.equal(["4"]);
    expect(await startsOf(["provider", "--help"])).to.have.length(1);
  });
});
