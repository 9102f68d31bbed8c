/** What a client notes of the providers that serve it, how long it lasts, and what it makes of it. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { expect } from "chai";
import fc from "fast-check";
import { createFileServiceStore } from "../../cli/dist/client/stores.js";
import { silentLog, systemClock } from "../../client/dist/deps.js";
import { createServiceLog } from "../../client/dist/providers/service-log.js";
import {
  FORGET_MS,
  HOLD_MS,
  HOLD_MS_MAX,
  isHeld,
  LIE_HOLD_MS,
  LIE_HOLD_MS_MAX,
  type Noted,
  type ServiceRecord,
  withNoted,
} from "../../client/dist/providers/service-record.js";
import { createMemoryServiceStore, decodeRecords, encodeRecords, RECORDS_MAX } from "../../client/dist/providers/service-store.js";
import { NOW_MS } from "../support/client/provider-views.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const NOTHING: Noted = { sentBytes: 0, sentMs: 0, readBytes: 0, readMs: 0, servedAtMs: 0 };

function logWith(store = createMemoryServiceStore(), startMs = NOW_MS) {
  const clock = { ...systemClock, now: startMs, nowMs: () => clock.now };
  return { clock, store, service: createServiceLog({ store, clock, log: silentLog }) };
}

const lie = new PpioError("CORRUPT", "Provider 1 sent bytes that do not match the slot; another provider is asked.");
const gone = new PpioError("NETWORK", "the connection broke off");

describe("what is noted of providers", () => {
  it("holds a provider that failed for five minutes, then twice as long each time, until it serves again", async () => {
    const { clock, service } = logWith();
    const holds: number[] = [];
    for (let time = 0; time < 10; time += 1) {
      service.failed(1, gone);
      service.sent(2, 1, 1);
      await service.settle();
      holds.push((service.recordOf(1)?.failure?.untilMs ?? 0) - clock.now);
      clock.now += 1;
    }
    expect(holds.slice(0, 3)).to.deep.equal([HOLD_MS, 2 * HOLD_MS, 4 * HOLD_MS]);
    expect(holds.at(-1)).to.equal(HOLD_MS_MAX);
    service.sent(1, 1, 1);
    await service.settle();
    expect(service.recordOf(1)).to.include({ failures: 0 }).and.not.to.have.property("failure");
  });

  it("holds a liar much longer, whatever it serves meanwhile, and other failures do not shorten it", async () => {
    const { clock, service } = logWith();
    service.failed(1, lie);
    await service.settle();
    const untilMs = NOW_MS + LIE_HOLD_MS;
    expect(service.recordOf(1)?.failure).to.deep.equal({ kind: "lied", atMs: NOW_MS, untilMs });
    clock.now += 1;
    service.read(1, 1 << 20, 5);
    service.read(2, 1 << 20, 5);
    await service.settle();
    service.failed(1, new PpioError("REFUSED", "full"));
    await service.settle();
    expect(service.recordOf(1)?.failure).to.deep.equal({ kind: "lied", atMs: NOW_MS, untilMs });
    expect(isHeld(service.recordOf(1), untilMs - 1)).to.equal(true);
    expect(isHeld(service.recordOf(1), untilMs)).to.equal(false);
    service.failed(1, lie);
    await service.settle();
    expect((service.recordOf(1)?.failure?.untilMs ?? 0) - clock.now).to.equal(2 * LIE_HOLD_MS);
  });

  it("tells lies from refusals, and takes what a provider admits for no lie", async () => {
    const admitted = new PpioError("CORRUPT", "http://x answered 422: damaged", { details: { status: 422, said: "damaged" } });
    const cases = [
      [lie, "lied"],
      [admitted, "refused"],
      [new PpioError("NO_SPACE", "full", { details: { said: "full", status: 507 } }), "refused"],
      [new PpioError("TIMEOUT", "too long"), "stalled"],
      [gone, "vanished"],
      [new Error("socket"), "vanished"],
      [new PpioError("CANCELLED", "stopped"), undefined],
      [new PpioError("INTERNAL", "ours"), undefined],
      [new PpioError("CHAIN_UNREACHABLE", "the operator could not be asked for"), undefined],
    ] as const;
    for (const [error, kind] of cases) {
      const { service } = logWith();
      service.failed(1, error);
      service.sent(2, 1, 1);
      await service.settle();
      expect(service.recordOf(1)?.failure?.kind, String(error)).to.equal(kind);
    }
  });

  it("blames nobody when all vanished together: our own network was gone", async () => {
    const { clock, service } = logWith();
    for (const providerId of [1, 2, 3]) service.sent(providerId, 1 << 20, 100);
    clock.now += 1_000;
    for (const providerId of [1, 2, 3]) service.failed(providerId, gone);
    service.late(4);
    await service.settle();
    for (const providerId of [1, 2, 3, 4]) expect(service.recordOf(providerId)?.failure).to.equal(undefined);
    // One of them came back and served, so the others were gone themselves.
    for (const providerId of [1, 2, 3]) service.failed(providerId, gone);
    clock.now += 1;
    service.sent(4, 1, 1);
    await service.settle();
    expect([1, 2, 3, 4].map((id) => service.recordOf(id)?.failure?.kind)).to.deep.equal(["vanished", "vanished", "vanished", undefined]);
  });

  it("measures an operation as a whole, the newest ones weighing most, and takes small transfers for latency", async () => {
    const { service } = logWith();
    for (let batch = 0; batch < 10; batch += 1) service.sent(1, 1 << 20, 100);
    service.read(1, 1_000, 1);
    service.answered(1, 30);
    service.answered(1, 20);
    await service.settle();
    const first = service.recordOf(1);
    expect(first)
      .to.include({ latencyMs: 20, sentBytesPerSecond: 10 << 20 })
      .and.not.to.have.property("readBytesPerSecond");
    service.sent(1, 20 << 20, 1_000);
    await service.settle();
    expect(service.recordOf(1)?.sentBytesPerSecond).to.equal(13 << 20);
  });

  it("has bounds for every history", () => {
    const something = fc.record({
      bytes: fc.integer({ min: 0, max: 1 << 30 }),
      ms: fc.integer({ min: 0, max: 1 << 20 }),
      kind: fc.constantFrom(undefined, "refused", "stalled", "vanished", "lied"),
      laterMs: fc.integer({ min: 0, max: 2 * HOLD_MS_MAX }),
    } as const);
    fc.assert(
      fc.property(fc.array(something, { maxLength: 60 }), (history) => {
        let record: ServiceRecord | undefined;
        let nowMs = NOW_MS;
        for (const { bytes, ms, kind, laterMs } of history) {
          nowMs += laterMs;
          const failure = kind === undefined ? {} : { failure: { kind, atMs: nowMs } };
          record = withNoted(record, { ...NOTHING, sentBytes: bytes, sentMs: ms, servedAtMs: nowMs, ...failure }, nowMs);
          const holdMs = (record.failure?.untilMs ?? nowMs) - nowMs;
          expect(holdMs).to.be.at.most(record.failure?.kind === "lied" ? LIE_HOLD_MS_MAX : HOLD_MS_MAX);
          if (kind !== undefined) expect(isHeld(record, nowMs)).to.equal(true);
          if (kind === "lied") expect(holdMs).to.be.at.least(LIE_HOLD_MS);
          expect(decodeRecords(encodeRecords(new Map([[7, record]]), nowMs), nowMs)?.get(7)).to.deep.equal(record);
        }
      }),
    );
  });

  it("forgets what was not seen for long, and what a wrong clock wrote", () => {
    const record: ServiceRecord = { seenAtMs: NOW_MS, failures: 1, lies: 0 };
    const bytes = encodeRecords(new Map([[1, record]]), NOW_MS);
    expect(decodeRecords(bytes, NOW_MS + FORGET_MS)?.size).to.equal(1);
    expect(decodeRecords(bytes, NOW_MS + FORGET_MS + 1)?.size).to.equal(0);
    expect(decodeRecords(bytes, NOW_MS - 2 * 24 * 3_600_000)?.size).to.equal(0);
    expect(withNoted(record, NOTHING, NOW_MS + FORGET_MS + 1)).to.include({ failures: 0 });
  });

  it("keeps no more than its bound, those seen last", async () => {
    const { clock, store, service } = logWith();
    for (let providerId = 1; providerId <= RECORDS_MAX + 10; providerId += 1) {
      clock.now += 1;
      service.answered(providerId, 1);
      void service.settle();
    }
    service.failed(RECORDS_MAX + 11, lie);
    await service.settle();
    const kept = decodeRecords((await store.load()) ?? new Uint8Array(), clock.now) ?? new Map();
    expect(kept.size).to.equal(RECORDS_MAX);
    expect([kept.has(11), kept.has(12), kept.has(RECORDS_MAX + 11)]).to.deep.equal([false, true, true]);
    expect(service.recordOf(1)).to.equal(undefined);
  });

  it("writes a failure at once, measurements now and then, and the rest at the end", async () => {
    const { clock, store, service } = logWith();
    let writes = 0;
    const counted: typeof store = {
      load: store.load,
      change(change) {
        writes += 1;
        return store.change(change);
      },
    };
    const log = createServiceLog({ store: counted, clock, log: silentLog });
    for (let read = 0; read < 50; read += 1) {
      clock.now += 100;
      log.read(1, 1 << 20, 10);
      await log.settle();
    }
    expect(writes).to.equal(1);
    await log.flush();
    await log.flush();
    expect(writes).to.equal(2);
    expect(decodeRecords((await store.load()) ?? new Uint8Array(), clock.now)?.get(1)?.seenAtMs).to.equal(clock.now);
    log.failed(2, lie);
    await log.settle();
    expect(writes).to.equal(3);
    expect(service.recordOf(1)).to.equal(undefined);
  });

  it("outlives a store that fails or is damaged", async () => {
    const broken = { load: () => Promise.reject(new Error("no disk")), change: () => Promise.reject(new Error("no disk")) };
    const { service } = logWith(broken);
    await service.ready();
    service.failed(1, lie);
    await service.settle();
    expect(service.recordOf(1)?.failure?.kind).to.equal("lied");
    for (const damage of ["", "{", "[]", '{"version":2,"providers":{}}', '{"version":1,"providers":{"1":{"failures":"x"}}}']) {
      const found = decodeRecords(new TextEncoder().encode(damage), NOW_MS);
      expect(found?.size ?? 0, damage).to.equal(0);
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeRecords(bytes, NOW_MS) === undefined));
  });
});

describe("what is noted of providers, in a folder", () => {
  afterEach(removeTemporaryFolders);
  const book = { chainId: 31_337, market: `0x${"AB".repeat(20)}` };

  it("is there for the next process, is the user's alone, and is kept apart by network", async () => {
    const dir = join(await temporaryFolder(), "service");
    const { service } = logWith(createFileServiceStore(dir, book));
    service.failed(3, lie);
    await service.settle();
    const [name = ""] = (await readdir(dir)).filter((one) => one.endsWith(".json"));
    expect(name).to.equal(`31337-0x${"ab".repeat(20)}.json`);
    expect((await stat(join(dir, name))).mode & 0o777).to.equal(0o600);
    const next = logWith(createFileServiceStore(dir, book)).service;
    await next.ready();
    expect(next.recordOf(3)?.failure?.kind).to.equal("lied");
    const elsewhere = logWith(createFileServiceStore(dir, { ...book, chainId: 1 })).service;
    await elsewhere.ready();
    expect(elsewhere.recordOf(3)).to.equal(undefined);
  });

  it("loses nothing when two write at once, and begins anew on a damaged file", async () => {
    const dir = join(await temporaryFolder(), "service");
    const both = [1, 2].map(() => logWith(createFileServiceStore(dir, book)).service);
    await Promise.all(both.map((service) => service.ready()));
    for (const [at, service] of both.entries()) service.failed(10 + at, lie);
    await Promise.all(both.map((service) => service.settle()));
    const file = join(dir, `31337-${book.market.toLowerCase()}.json`);
    expect(decodeRecords(await readFile(file), NOW_MS)?.size).to.equal(2);
    await mkdir(dir, { recursive: true });
    await writeFile(file, randomBytes(100));
    const { service } = logWith(createFileServiceStore(dir, book));
    await service.ready();
    service.failed(1, lie);
    await service.settle();
    expect(decodeRecords(await readFile(file), NOW_MS)?.size).to.equal(1);
  });
});
