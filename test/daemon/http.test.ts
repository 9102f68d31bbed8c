import { createHash, randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { json as jsonOf } from "node:stream/consumers";
import { setTimeout as sleep, setImmediate as turnOfEventLoop } from "node:timers/promises";
import { PpioError } from "@ppio/core";
import { createHttpApp, createLogger, type Listener, listen, RequestBody } from "@ppio/daemon";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { rawHttp } from "../support/raw-http.ts";

/** For what is about no time at all: no pause of a busy machine is as long. */
const PATIENT = { headersMs: 30_000, bodyMs: 30_000, stallMs: 30_000, connectionsMax: 8 };
/** For what must be given up soon. */
const SOON_MS = 60;
/** Long enough for a sender on a busy machine, and less than its consumer takes. */
const SLOW_STALL_MS = 1_000;
const log = createLogger({ component: "test", write: () => undefined });

describe("daemons over HTTP", () => {
  let listener: Listener;
  /** What the last slow or broken stream saw. */
  const slow = new EventEmitter();
  let seen: { bytes: number; readFromSocket: number; code: string };

  const start = async (limits: typeof PATIENT): Promise<Listener> => {
    const app = createHttpApp(
      log,
      (routes) => {
        routes.post("/echo", (request, response) => void response.json(request.body));
        routes.put("/stream", async (request, response) => {
          const body = new RequestBody(request, limits.stallMs);
          const buffer = new Uint8Array(64);
          let bytes = 0;
          for (let filled = 1; filled > 0; bytes += filled) filled = await body.fill(buffer);
          response.json({ bytes });
        });
        routes.put("/slow", async (request, response) => {
          seen = { bytes: 0, readFromSocket: 0, code: "" };
          const body = new RequestBody(request, SLOW_STALL_MS);
          const buffer = new Uint8Array(1 << 20);
          const take = async (): Promise<void> => {
            await body.more();
            slow.emit("begun");
            // Longer than a sender may stall: the time that a consumer takes is not the sender's.
            await sleep(2 * SLOW_STALL_MS);
            seen.readFromSocket = request.socket.bytesRead;
            for (let filled = 1; filled > 0; seen.bytes += filled) filled = await body.fill(buffer);
          };
          seen.code = await codeOf(take());
          slow.emit("ended");
          response.json(seen);
        });
        routes.put("/taken", async (request, response) => {
          // What has come by then is node:http's to keep.
          while (request.query["from"] === "late" && request.readableLength === 0) await turnOfEventLoop();
          const body = new RequestBody(request, limits.stallMs);
          const hash = createHash("sha256");
          for (let size = 1, filled = 1; filled > 0; size = (size * 7 + 3) % 100_003) {
            const target = new Uint8Array(size);
            filled = await body.fill(target);
            hash.update(target.subarray(0, filled));
          }
          expect(await body.more()).to.equal(false);
          body.release();
          response.json(hash.digest("hex"));
        });
        routes.put("/refuse", async (request) => {
          const body = new RequestBody(request, limits.stallMs);
          await body.more();
          body.release();
          throw new PpioError("TOO_LARGE", "A byte is too much.");
        });
        routes.get("/defect", () => {
          throw new TypeError("secret of /var/lib");
        });
        routes.get("/disk", () => {
          throw new PpioError("IO", "/var/lib/ppio cannot be used", { cause: Object.assign(new Error("EIO"), { syscall: "read" }) });
        });
        routes.get("/items/:id", (request, response) => void response.json(request.params.id));
      },
      limits,
    );
    return listen(app, { host: "127.0.0.1", port: 0, limits });
  };

  beforeEach(async () => {
    listener = await start(PATIENT);
  });

  afterEach(() => listener.close());

  /** One limit is short, so that nothing else is given up while the machine is busy. */
  const hurry = async (limit: "headersMs" | "bodyMs" | "stallMs"): Promise<void> => {
    await listener.close();
    listener = await start({ ...PATIENT, [limit]: SOON_MS });
  };

  async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; code: string; message: string }> {
    const response = await fetch(`${listener.url}${path}`, init);
    const { error } = (await response.json()) as { error?: { code: string; message: string } };
    return { status: response.status, code: error?.code ?? "", message: error?.message ?? "" };
  }

  const json = (body: string): RequestInit => ({ method: "POST", headers: { "content-type": "application/json" }, body });

  it("answers what is wrong with a request by the family's table", async () => {
    expect(await ask("/echo", json('{"a":'))).to.include({ status: 400, code: "BAD_FORMAT" });
    expect(await ask("/echo", json(JSON.stringify("x".repeat(70_000))))).to.include({ status: 413, code: "TOO_LARGE" });
    expect(await ask("/items/%E0%A4%A")).to.include({ status: 400, code: "BAD_FORMAT" });
    expect(await ask("/nowhere")).to.include({ status: 404, code: "NOT_FOUND" });
    const zipped = { ...json("{}"), headers: { "content-type": "application/json", "content-encoding": "gzip" } };
    expect(await ask("/echo", zipped)).to.include({ status: 400, code: "BAD_FORMAT" });
  });

  it("keeps to itself what its disk and its defects say", async () => {
    const defect = await ask("/defect");
    expect(defect).to.include({ status: 500, code: "INTERNAL" });
    const disk = await ask("/disk");
    expect(disk).to.include({ status: 500, code: "IO" });
    expect(defect.message + disk.message).not.to.include("/var");
  });

  it("refuses giant headers", async () => {
    expect(await rawHttp(listener.port, `GET / HTTP/1.1\r\nx: ${"a".repeat(40_000)}\r\n\r\n`)).to.match(/^HTTP\/1.1 431/);
  });

  it("hangs up on headers that never end", async () => {
    await hurry("headersMs");
    expect(await rawHttp(listener.port, "GET / HTTP/1.1\r\nhost: x\r\nslow: ")).to.match(/^(HTTP\/1.1 408|$)/);
  });

  it("hangs up on a JSON body that never ends", async () => {
    await hurry("bodyMs");
    const head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    expect(await rawHttp(listener.port, head, '{"a":')).to.equal("");
  });

  it("takes a stream of any type raw, and ends one that stalls with an error", async () => {
    const put = await fetch(`${listener.url}/stream`, { method: "PUT", headers: { "content-type": "application/json" }, body: "[1,2]" });
    expect(await put.json()).to.deep.equal({ bytes: 5 });
    await hurry("stallMs");
    const answer = await rawHttp(listener.port, "PUT /stream HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n", "half");
    expect(answer)
      .to.match(/^HTTP\/1.1 504/)
      .and.include("TIMEOUT");
  });

  it("holds a sender back whose consumer is slow, and does not count that against it", async () => {
    const body = new Uint8Array(8 << 20).fill(7);
    const put = await fetch(`${listener.url}/slow`, { method: "PUT", body });
    expect(await put.json()).to.deep.include({ bytes: body.length, code: "accepted" });
    expect(seen.readFromSocket).to.be.lessThan(1 << 20);
  });

  it("brings a body's bytes where they are wanted, whatever sizes come and are asked for, one body after the other", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const [from, lengths] of [
        ["start", [1, 70_000, 3, 64, 5_000]],
        ["late", [300_000, 1]],
        ["start", []],
        ["late", [10]],
        ["start", [1 << 20, 17, 1 << 19]],
      ] as const) {
        for (const isChunked of [true, false]) {
          const pieces = lengths.map((length) => randomBytes(length));
          const all = Buffer.concat(pieces);
          const headers = isChunked ? {} : { "content-length": all.length };
          const sent = httpRequest(`${listener.url}/taken?from=${from}`, { method: "PUT", agent, headers });
          for (const piece of pieces) await new Promise((resolve) => sent.write(piece, resolve));
          sent.end();
          const [response] = (await once(sent, "response")) as [IncomingMessage];
          expect(await jsonOf(response)).to.equal(createHash("sha256").update(all).digest("hex"));
        }
      }
    } finally {
      agent.destroy();
    }
  });

  it("gives out what came before a sender broke off", async () => {
    const socket = connect(listener.port, "127.0.0.1");
    const [begun, ended] = [once(slow, "begun"), once(slow, "ended")];
    socket.write("PUT /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    await begun;
    socket.destroy();
    await ended;
    expect(seen).to.include({ bytes: 4, code: "TRUNCATED" });
  });

  it("tells a sender what is wrong before it has sent everything", async () => {
    expect(await ask("/refuse", { method: "PUT", body: new Uint8Array(300_000) })).to.include({ status: 413, code: "TOO_LARGE" });
  });

  it("hears the next request on a connection whose body it did not want", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    try {
      for (const bytes of [10, 300_000, 4 << 20]) {
        const sent = httpRequest(`${listener.url}/refuse`, { method: "PUT", agent, headers: { "content-length": bytes } });
        sent.end(new Uint8Array(bytes));
        const [refused] = (await once(sent, "response")) as [IncomingMessage];
        expect(refused.statusCode).to.equal(413);
        await jsonOf(refused);
        ports.add(sent.socket?.localPort);
      }
      expect(ports.size, "one connection").to.equal(1);
    } finally {
      agent.destroy();
    }
  });

  it("says in a sentence that an address is taken", async () => {
    const app = createHttpApp(log, () => undefined);
    expect(await codeOf(listen(app, { host: "127.0.0.1", port: listener.port }))).to.equal("CONFIG");
  });

  it("closes with open connections", async () => {
    const socket = connect(listener.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const closed = once(socket, "close");
    await listener.close();
    await closed;
  });
});
