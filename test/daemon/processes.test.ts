/** Whether a process runs: one that has ended does not, also when nobody has collected it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock, isAlive } from "@ppio/daemon";
import { expect } from "chai";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

describe("a process that has ended and was not collected", () => {
  afterEach(removeTemporaryFolders);

  it("does not run, and holds no folder", async function () {
    // Elsewhere the system does not tell such processes from others.
    if (!existsSync("/proc/self/stat")) this.skip();
    const parent = spawn("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const [line] = await once(parent.stdout, "data");
      const pid = Number(String(line));
      while (await isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(() => process.kill(pid, 0), "its id is still taken").not.to.throw();
      expect(await isAlive(parent.pid ?? 0)).to.equal(true);
      const folder = await temporaryFolder();
      await writeFile(join(folder, "lock"), String(pid));
      await (await acquireLock(folder)).release();
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
