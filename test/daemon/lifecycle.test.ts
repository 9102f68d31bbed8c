import { spawn } from "node:child_process";
import { createLogger, type LogFields, pause, repeat } from "@ppio/daemon";
import { expect } from "chai";

interface Ended {
  readonly status: number | null;
  readonly lines: readonly string[];
}

const HEAD = `
  import { createLogger, runUntilStopped } from "@ppio/daemon";
  import { PpioError } from "@ppio/core";
  const say = (line) => process.stdout.write(line + "\\n");
  const log = createLogger({ component: "test", write: () => undefined });
  const stayAlive = setInterval(() => undefined, 1000);
`;

/** Runs a small daemon; `signals` are sent one after the other, each once a line has come. */
function run(body: string, signals: readonly NodeJS.Signals[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", HEAD + body], { stdio: ["ignore", "pipe", "inherit"] });
    const lines: string[] = [];
    const left = [...signals];
    child.stdout.on("data", (data: Buffer) => {
      for (const line of data.toString().trim().split("\n")) {
        lines.push(line);
        const signal = left.shift();
        if (signal !== undefined) child.kill(signal);
      }
    });
    child.once("error", reject);
    // Not "exit": its last lines may still be on their way then.
    child.once("close", (status) => resolve({ status, lines }));
  });
}

describe("a process' life", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    it(`closes what was opened in reverse order on ${signal}, whatever one of them throws, and ends with 0`, async () => {
      const ended = await run(
        `await runUntilStopped(log, async ({ signal, onStop }) => {
          onStop("timer", () => clearInterval(stayAlive));
          for (const name of ["first", "second", "third"]) onStop(name, async () => {
            say(name + " " + signal.aborted);
            if (name === "second") throw new Error("stuck");
          });
          say("ready");
        });`,
        [signal],
      );
      expect(ended).to.deep.equal({ status: 0, lines: ["ready", "third true", "second true", "first true"] });
    });
  }

  it("ends at once on a second signal", async () => {
    const ended = await run(
      `await runUntilStopped(log, async ({ onStop }) => {
        onStop("never", () => { setTimeout(() => say("closing"), 300); return new Promise(() => undefined); });
        say("ready");
      });`,
      ["SIGTERM", "SIGTERM"],
    );
    expect(ended).to.deep.equal({ status: 130, lines: ["ready", "closing"] });
  });

  it("takes the signal that its launcher passes on for the terminal's own", async () => {
    const ended = await run(
      // By a clock that stands still: a pause of a busy machine must not make a second wish of it.
      `let nowMs = 1_000;
      performance.now = () => nowMs;
      process.once("SIGINT", () => setTimeout(() => { nowMs += 200; process.emit("SIGINT", "SIGINT"); }, 20));
      await runUntilStopped(log, async ({ onStop }) => {
        onStop("slow", () => new Promise((done) => setTimeout(() => { say("closed"); clearInterval(stayAlive); done(); }, 100)));
        say("ready");
      });`,
      ["SIGINT"],
    );
    expect(ended).to.deep.equal({ status: 0, lines: ["ready", "closed"] });
  });

  it("ends with the error's status when it cannot start, and closes what it had", async () => {
    const ended = await run(
      `await runUntilStopped(log, async ({ onStop }) => {
        onStop("lock", () => { say("released"); clearInterval(stayAlive); });
        throw new PpioError("CONFIG", "no");
      });`,
      [],
    );
    expect(ended).to.deep.equal({ status: 3, lines: ["released"] });
  });
});

describe("repeated work", () => {
  it("goes on after failures, tells the same one once, and stops with the signal", async () => {
    const lines: string[] = [];
    const log = createLogger({ component: "test", write: (line) => void lines.push(line) });
    const controller = new AbortController();
    let runs = 0;
    await repeat({
      name: "work",
      intervalMs: 0,
      signal: controller.signal,
      log,
      work: async () => {
        runs += 1;
        if (runs === 6) controller.abort();
        if (runs !== 4) throw new Error("node away");
      },
    });
    expect(runs).to.equal(6);
    expect(lines.filter((line) => line.includes("node away"))).to.have.length(2);
  });

  it("does not wait for its next step with what is due before", async () => {
    const controller = new AbortController();
    let runs = 0;
    const work = async (): Promise<void> => {
      runs += 1;
      if (runs === 3) controller.abort();
    };
    const log = createLogger({ component: "test", write: () => undefined });
    // Overdue counts as due now.
    await repeat({ name: "work", intervalMs: 3_600_000, signal: controller.signal, log, work, dueInMs: () => (runs === 1 ? 5 : -5) });
    expect(runs).to.equal(3);
  });

  it("does not pause for a process that is stopping", async () => {
    await pause(60_000, AbortSignal.abort());
    const controller = new AbortController();
    const waiting = pause(60_000, controller.signal);
    controller.abort();
    await waiting;
  });
});

describe("the log", () => {
  const entryOf = (fields: LogFields): Record<string, unknown> => {
    const lines: string[] = [];
    createLogger({ component: "test", now: () => 0, write: (text) => lines.push(text) }).info("hello\nthere", fields);
    const [line = ""] = lines;
    expect(line.trimEnd()).not.to.include("\n");
    return JSON.parse(line) as Record<string, unknown>;
  };

  it("is one JSON object a line, big integers included", () => {
    const entry = entryOf({ gas: 12n, error: new Error("bad", { cause: new Error("worse") }) });
    expect(entry).to.include({ time: "1970-01-01T00:00:00.000Z", level: "info", component: "test", message: "hello\nthere", gas: "12" });
    expect(entry["error"]).to.include({ message: "bad", cause: "worse" });
  });

  it("strikes out secrets at any depth", () => {
    const text = JSON.stringify(entryOf({ privateKey: "0xabc", inner: { Authorization: "t", mnemonic: "w" } }));
    expect(text).not.to.match(/0xabc|"t"|"w"/);
  });

  it("does not fail over a field that is no tree", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    expect(entryOf({ loop })["message"]).to.equal("hello\nthere");
  });
});
