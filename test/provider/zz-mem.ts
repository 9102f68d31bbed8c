import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import {
  dealHeaderHash,
  dealIdOf,
  encodeDealHeader,
  readTicketMessage,
  SlotTreeBuilder,
  slotBytes,
  uploadRequestMessage,
} from "@ppio/core";
import { uploadIdOf } from "@ppio/provider";
import { hexlify, Wallet, ZeroAddress } from "ethers";
import { DOMAIN, PROVIDER_ID, TERMS } from "../support/provider/world.ts";

const child = spawn(process.execPath, ["--semi-space-growth-factor=1", "test/provider/zz-mem-child.ts"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const port = Number(await new Promise((r) => child.stdout.once("data", (d) => r(String(d)))));
const status = (k: string) =>
  /(\d+)/.exec(
    readFileSync(`/proc/${child.pid}/status`, "utf8")
      .split("\n")
      .find((l) => l.startsWith(k)) ?? "",
  )?.[1];
const say = (what: string) => console.log(what, "rss MiB", Number(status("VmRSS")) >> 10, "high", Number(status("VmHWM")) >> 10);
const owner = Wallet.createRandom();
const agent = new Agent({ keepAlive: true });
const expiry = 1_750_000_000 + 600;
function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: (write: (b: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<{ status: number; bytes: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ port, method, path, headers, agent }, (res) => {
      let bytes = 0;
      let text = "";
      res.on("data", (d) => {
        bytes += d.length;
        if (bytes < 10000) text += d;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, bytes, text }));
      res.on("error", reject);
    });
    req.on("error", reject);
    const write = (b: Uint8Array) =>
      new Promise<void>((r) => {
        if (req.write(b)) r();
        else req.once("drain", () => r());
      });
    (body === undefined ? Promise.resolve() : body(write)).then(() => req.end());
  });
}
const json = (o: unknown) => async (w: (b: Uint8Array) => Promise<void>) => w(Buffer.from(JSON.stringify(o)));
async function slot(cellBytes: number, total: number) {
  const header = { k: 2, n: 4, cellBytes, lastCellBytes: cellBytes, rows: total / cellBytes };
  const block = new Uint8Array(randomBytes(1 << 20));
  const builder = new SlotTreeBuilder(header);
  for (let at = 0; at < total; at += cellBytes) builder.push(block.subarray(at % (1 << 20), (at % (1 << 20)) + cellBytes));
  const root = hexlify(builder.finish().root);
  const req = {
    providerId: PROVIDER_ID,
    owner: owner.address,
    payer: owner.address,
    dealSalt: hexlify(randomBytes(32)),
    slotIndex: 1,
    k: 2,
    n: 4,
    headerHash: dealHeaderHash(header),
    expiry,
  };
  const signature = await uploadRequestMessage.sign(DOMAIN, req, owner);
  const dealId = dealIdOf(DOMAIN, owner.address, req.dealSalt);
  const id = uploadIdOf(dealId, 1);
  const j = { "content-type": "application/json" };
  const o = await send("POST", "/v1/uploads", j, json({ request: req, signature, header: hexlify(encodeDealHeader(header)) }));
  if (o.status !== 200) throw new Error(o.text);
  const t0 = performance.now();
  const p = await send("PUT", `/v1/uploads/${id}?offset=0`, { "content-length": String(total) }, async (w) => {
    for (let at = 0; at < total; at += 1 << 20) await w(block);
  });
  const t1 = performance.now();
  const f = await send("POST", `/v1/uploads/${id}/finish`, j, json({ root, ...TERMS }));
  console.log("put", p.status, Math.round(t1 - t0), "ms; finish", f.status, Math.round(performance.now() - t1), "ms", slotBytes(header));
  const ticket = { dealId, firstCell: 0, cellCount: header.rows, audience: ZeroAddress, expiry, nonce: `0x${"01".repeat(32)}` };
  const ts = await readTicketMessage.sign(DOMAIN, ticket, owner);
  return { dealId, total, authorization: `PPIO-Ticket ${Buffer.from(JSON.stringify({ ticket, signature: ts })).toString("base64url")}` };
}
say("start");
const slots = await Promise.all([slot(65536, 1 << 30), slot(1 << 20, 1 << 30)]);
say("uploaded");
const more = await Promise.all(Array.from({ length: 16 }, () => slot(65536, 1 << 26)));
say("16 at once");
const t = performance.now();
let got = 0;
for (const s of slots) {
  const offsets = Array.from({ length: s.total >> 24 }, (_, i) => i << 24);
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let o = offsets.pop(); o !== undefined; o = offsets.pop()) {
        const r = await send("GET", `/v1/deals/${s.dealId}/slots/1?offset=${o}&length=${1 << 24}`, { authorization: s.authorization });
        if (r.status !== 200) throw new Error(r.text);
        got += r.bytes;
      }
    }),
  );
  say("read");
}
console.log("read", got, Math.round(performance.now() - t), "ms", more.length);
const cwd = readlinkSync(`/proc/${child.pid}/cwd`);
void cwd;
void rmSync;
child.kill("SIGKILL");
process.exit(0);
