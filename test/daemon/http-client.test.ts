/** Requests over plain sockets, to servers that behave and to servers that do not. */
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { queryObjects } from "node:v8";
import { answerReader, readAll, type TransportResponse } from "@ppio/core";
import { Connections } from "@ppio/daemon/http-client/connections";
import { createNodeTransport, type NodeTransport } from "@ppio/daemon/http-client/transport";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { TestAuthority } from "../support/reach/certificates.ts";

const BODY = new Uint8Array(300_000).map((_, at) => (at * 7 + (at >> 8)) & 0xff);

describe("the HTTP client", () => {
  let transport: NodeTransport;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  beforeEach(() => {
    transport = createNodeTransport();
  });
  afterEach(async () => {
    transport.close();
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) {
      server.close();
      await once(server, "close");
    }
  });

  async function listening(server: Server): Promise<string> {
    servers.push(server);
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }
  const http = (listener: RequestListener): Promise<string> => listening(createHttpServer(listener));
  /** Answers every request that ends with an empty line, as `answer` says. */
  const tcp = (answer: (socket: Socket, count: number) => void): Promise<string> => {
    let count = 0;
    return listening(
      createTcpServer((socket) => {
        socket.on("data", (bytes) => {
          if (!bytes.toString("latin1").endsWith("\r\n\r\n")) return;
          count += 1;
          answer(socket, count);
        });
      }),
    );
  };
  const get = (url: string, signal?: AbortSignal): Promise<TransportResponse> =>
    transport.request({ method: "GET", url: `${url}/a?b=c`, ...(signal === undefined ? {} : { signal }) });
  const text = async ({ body }: TransportResponse): Promise<string> => new TextDecoder().decode(await readAll(body, 1 << 20));

  it("sends what it is asked to, and takes an answer in pieces of any length", async () => {
    const url = await http((request, response) => {
      let length = 0;
      request.on("data", (bytes: Uint8Array) => {
        length += bytes.length;
      });
      request.on("end", () => response.end(`${request.method} ${request.url} ${request.headers["x-one"]} ${length}`));
    });
    const put = { method: "PUT", url: `${url}/p?q=1`, headers: { "x-one": "1" }, body: BODY } as const;
    expect(await text(await transport.request(put))).to.equal("PUT /p?q=1 1 300000");

    const long = await http((_, response) => response.end(BODY));
    const reader = answerReader((await get(long)).body);
    const out = new Uint8Array(BODY.length);
    for (let at = 0, step = 1; at < out.length; at += step, step = Math.min(step * 3, out.length - at)) {
      await reader.readInto([out.subarray(at, at + step)]);
    }
    await reader.end();
    expect(out).to.deep.equal(BODY);
  });

  it("uses a connection again once its answer is taken, and another one meanwhile", async () => {
    const ports: (number | undefined)[] = [];
    const url = await http((request, response) => {
      ports.push(request.socket.remotePort);
      response.end(BODY);
    });
    const first = await get(url);
    const second = await get(url);
    await readAll(first.body, 1 << 20);
    await readAll(second.body, 1 << 20);
    await readAll((await get(url)).body, 1 << 20);
    expect(new Set(ports).size).to.equal(2);
    expect(ports[2]).to.be.oneOf(ports.slice(0, 2));
  });

  it("gives up what was not taken, and never uses that connection again", async () => {
    const ports: (number | undefined)[] = [];
    const url = await http((request, response) => {
      ports.push(request.socket.remotePort);
      response.end(BODY);
    });
    const reader = answerReader((await get(url)).body);
    await reader.readExactly(10);
    await reader.close();
    for await (const _ of (await get(url)).body) break;
    await readAll((await get(url)).body, 1 << 20);
    expect(new Set(ports).size).to.equal(3);
  });

  it("asks again when the connection that it kept had been closed", async () => {
    const url = await tcp((socket, count) => {
      // The second request finds its connection gone.
      if (count === 2) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    expect(await text(await get(url))).to.equal("ok");
    expect(await text(await get(url))).to.equal("ok");
  });

  it("takes none that has ended at this very moment, as one does that nobody used for seconds", async () => {
    const url = new URL(await http((_, response) => response.end()));
    const connections = new Connections();
    for (const end of [true, false, true]) {
      const first = await connections.take(url);
      first.give(true);
      if (end) first.connection.destroy();
      const next = await connections.take(url);
      expect(next.wasUsed).to.equal(!end);
      expect(next.connection.isIdle).to.equal(true);
      next.give(true);
    }
    connections.close();
  });

  it("does not send again what may have had an effect", async () => {
    const url = await tcp((socket, count) => {
      if (count === 2) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    expect(await text(await get(url))).to.equal("ok");
    expect(await codeOf(() => transport.request({ method: "DELETE", url }))).to.equal("NETWORK");
  });

  it("trusts no connection on which something came unasked", async () => {
    const seen = new Set<Socket>();
    const url = await tcp((socket) => {
      seen.add(socket);
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      setImmediate(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"));
    });
    expect(await text(await get(url))).to.equal("ok");
    const [first] = seen;
    if (first !== undefined && !first.destroyed) await once(first, "close");
    expect(await text(await get(url))).to.equal("ok");
    expect(seen.size).to.equal(2);
  });

  for (const [name, answer, expected] of [
    [
      "pieces of an unknown sum",
      "transfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\n",
      "abc0123456789",
    ],
    ["a body that ends with its connection", "\r\nall of it", "all of it"],
    ["the same length twice", "content-length: 3\r\nContent-Length: 3\r\n\r\nabc", "abc"],
    ["an empty body", "content-length: 0\r\n\r\n", ""],
  ] as const) {
    it(`reads ${name}, however it is cut`, async () => {
      const whole = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${answer}`;
      for (const piece of [1, 5, whole.length]) {
        const url = await tcp((socket) => {
          socket.setNoDelay(true);
          void (async () => {
            for (let at = 0; at < whole.length; at += piece) {
              socket.write(whole.slice(at, at + piece));
              await new Promise((resolve) => setImmediate(resolve));
            }
            socket.end();
          })();
        });
        expect(await text(await get(url))).to.equal(expected);
        const reader = answerReader((await get(url)).body);
        expect(new TextDecoder().decode(await reader.readExactly(expected.length))).to.equal(expected);
        await reader.end();
      }
    });
  }

  it("takes a head of any length, and nothing of the body right behind it", async () => {
    const lengths = [440, 940].flatMap((from) => Array.from({ length: 60 }, (_, at) => from + at));
    const url = await tcp((socket, count) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: ${"y".repeat(lengths[count - 1] ?? 0)}\r\n\r\nabc`);
    });
    for (const length of lengths) expect(await text(await get(url)), `${length}`).to.equal("abc");
  });

  for (const [name, answer, code] of [
    ["no HTTP", "SSH-2.0-x\r\n\r\n", "BAD_FORMAT"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "BAD_FORMAT"],
    ["a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabcd", "BAD_FORMAT"],
    ["a coding that was not asked for", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "BAD_FORMAT"],
    ["a header without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "BAD_FORMAT"],
    ["a head without an end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}`, "BAD_FORMAT"],
    ["a piece without a length", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "BAD_FORMAT"],
    ["half a body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "NETWORK"],
    ["half of its pieces", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "NETWORK"],
    ["nothing", "", "NETWORK"],
  ] as const) {
    it(`calls it ${code} when the answer is ${name}`, async () => {
      const url = await tcp((socket) => socket.end(answer));
      expect(await codeOf(async () => text(await get(url)))).to.equal(code);
      expect(await codeOf(async () => answerReader((await get(url)).body).readExactly(10))).to.equal(code);
    });
  }

  it("says that nothing listens", async () => {
    const url = await http(() => {});
    servers[0]?.close();
    await get(url).then(
      () => expect.fail("nothing listens there"),
      (error: Error) => expect(error.message).to.match(/nothing listens there/),
    );
  });

  it("ends at once when it is told to: before the answer, amidst it, and while it waits for its turn", async () => {
    const url = await http((request, response) => {
      if (request.url === "/a?b=c") response.write("begun");
    });
    const stop = new AbortController();
    const begun = await get(url, stop.signal);
    const silent = transport.request({ method: "GET", url: `${url}/silent`, signal: stop.signal });
    const filling = answerReader(begun.body).readExactly(100);
    const others = Array.from({ length: 8 }, () => get(url, stop.signal));
    const ends = Promise.allSettled([silent, filling, ...others]);
    setImmediate(() => stop.abort());
    for (const { status } of (await ends).slice(0, 2)) expect(status).to.equal("rejected");
    expect(await codeOf(() => get(url, stop.signal))).to.equal("NETWORK");
  });

  it("puts what comes into many pieces at once, whatever the lengths of pieces and framing", async () => {
    for (const framing of ["length", "chunked"]) {
      const url = await http((_, response) => {
        if (framing === "length") response.setHeader("content-length", BODY.length);
        for (let at = 0; at < BODY.length; at += 70_001) response.write(BODY.subarray(at, at + 70_001));
        response.end();
      });
      const { body } = await get(url);
      const reader = answerReader(body);
      const out = new Uint8Array(BODY.length);
      const pieces = [0, 1, 0, 2, 65_536, 65_537, 100_000, 3, BODY.length - 231_079 - 10];
      const startOf = (piece: number): number => pieces.slice(0, piece).reduce((sum, length) => sum + length, 0);
      await reader.readInto(pieces.map((_, at) => out.subarray(startOf(at), startOf(at + 1))));
      const rest = out.subarray(startOf(pieces.length));
      await reader.readInto([rest.subarray(0, 4), rest.subarray(4)]);
      await reader.end();
      expect(out, framing).to.deep.equal(BODY);
      const again = answerReader((await get(url)).body);
      const more = [new Uint8Array(BODY.length - 1), new Uint8Array(5)];
      expect(await codeOf(() => again.readInto(more)), framing).to.equal("TRUNCATED");
    }
  });

  it("keeps nothing of a request that is over, however long its connection lives", async () => {
    const ports = new Set<number | undefined>();
    const url = await http((request, response) => {
      ports.add(request.socket.remotePort);
      request.resume().on("end", () => response.end("x"));
    });
    const ask = async (): Promise<string> => text(await transport.request({ method: "PUT", url, body: BODY }));
    const promises = (): number => queryObjects(Promise, { format: "count" });
    await ask();
    const before = promises();
    for (let asked = 0; asked < 100; asked += 1) await ask();
    expect(ports.size).to.equal(1);
    expect(promises() - before).to.be.below(50);
  });

  it("keeps eight connections to a host at most, and lets the others wait", async () => {
    let [open, most] = [0, 0];
    const url = await http((_, response) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        response.end("ok");
      });
    });
    const answers = await Promise.all(Array.from({ length: 30 }, async () => text(await get(url))));
    expect(answers).to.deep.equal(Array.from({ length: 30 }, () => "ok"));
    expect(most).to.be.at.most(8);
    expect(sockets.size).to.be.at.most(8);
  });

  it("sends a body bit by bit while its answer comes, and uses the connection again", async () => {
    const ports = new Set<number | undefined>();
    const url = await http((request, response) => {
      ports.add(request.socket.remotePort);
      request.on("data", (bytes: Uint8Array) => response.write(`${bytes.length} `));
      request.on("end", () => response.end("all"));
    });
    for (let run = 0; run < 2; run += 1) {
      const { response, write, end } = transport.stream?.({ method: "PUT", url }) ?? expect.fail("it can");
      await write(BODY.subarray(0, 10));
      const { body } = await response;
      const reader = answerReader(body);
      expect(new TextDecoder().decode(await reader.readExactly(3))).to.equal("10 ");
      await write(BODY.subarray(0, 7));
      expect(new TextDecoder().decode(await reader.readExactly(2))).to.equal("7 ");
      end();
      expect(new TextDecoder().decode(await reader.readExactly(3))).to.equal("all");
      await reader.end();
    }
    expect(ports.size).to.equal(1);
  });

  it("answers who is refused amidst a body, and gives that connection up", async () => {
    const ports = new Set<number | undefined>();
    const url = await http((request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(413).end("too much");
    });
    const { response, write } = transport.stream?.({ method: "PUT", url }) ?? expect.fail("it can");
    await write(BODY);
    const answer = await response;
    expect([answer.status, await text(answer)]).to.deep.equal([413, "too much"]);
    expect((await get(url)).status).to.equal(413);
    expect(ports.size).to.equal(2);
  });

  it("says what keeps a body from being sent", async () => {
    const url = await http(() => {});
    servers[0]?.close();
    const { response } = transport.stream?.({ method: "PUT", url }) ?? expect.fail("it can");
    expect(await codeOf(() => response)).to.equal("NETWORK");
    const stop = new AbortController();
    const silent = await http(() => {});
    const stopped = transport.stream?.({ method: "PUT", url: silent, signal: stop.signal });
    await stopped?.write(BODY);
    stop.abort();
    expect(await codeOf(() => stopped?.response ?? expect.fail("it can"))).to.equal("NETWORK");
  });

  it("says that there is an answer when the body has left, and no sooner", async () => {
    let socket: Socket | undefined;
    const url = await listening(
      createTcpServer((found) => {
        socket = found;
        found.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        found.pause();
      }),
    );
    let isAnswered = false;
    const answered = transport.request({ method: "PUT", url, body: new Uint8Array(32 << 20) }).then((response) => {
      isAnswered = true;
      return response;
    });
    while (socket === undefined) await new Promise((resolve) => setImmediate(resolve));
    await readAll((await get(await http((_, response) => response.end("later")))).body, 100);
    expect(isAnswered).to.equal(false);
    socket.resume();
    expect(await text(await answered)).to.equal("ok");
  });

  it("speaks TLS with whom an authority vouches for, and with nobody else", async () => {
    const authority = await TestAuthority.create();
    const before = getCACertificates("default");
    const vouched = await authority.issue(["127.0.0.1"]);
    const url = (await listening(createHttpsServer(vouched, (_, response) => response.end(BODY)))).replace("http:", "https:");
    expect(await codeOf(() => get(url))).to.equal("NETWORK");
    setDefaultCACertificates([...before, authority.pem]);
    try {
      expect(await readAll((await get(url)).body, 1 << 20)).to.deep.equal(BODY);
      const reader = answerReader((await get(url)).body);
      expect(await reader.readExactly(BODY.length)).to.deep.equal(BODY);
      await reader.end();
    } finally {
      setDefaultCACertificates(before);
    }
  });

  it("sends no header that would begin another one", async () => {
    const url = await http((_, response) => response.end());
    expect(await codeOf(() => transport.request({ method: "GET", url, headers: { a: "b\r\nc: d" } }))).to.equal("BAD_FORMAT");
  });
});
