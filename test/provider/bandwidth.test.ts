import { createBandwidth, isWithin, parseHours, TokenBucket } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { call, makeUpload, put, read, startWorld, store, ticketHeaders } from "../support/provider/world.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const HOUR = 3_600_000;

function open(bytesPerSecond: number) {
  const clock = { nowMs: 0 };
  const waits: number[] = [];
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  return { clock, waits, bucket: new TokenBucket({ bytesPerSecond, now: () => clock.nowMs, wait }) };
}

describe("bandwidth", () => {
  afterEach(removeTemporaryFolders);

  it("lets a second's worth pass at once, then each wait for those before it", async () => {
    const { bucket, waits, clock } = open(1_000);
    for (const bytes of [600, 400, 500, 100]) await bucket.take(bytes);
    await bucket.take(1_000);
    expect(waits).to.deep.equal([500, 600]);
    clock.nowMs = 10_000;
    await bucket.take(1_000);
    await bucket.take(1);
    expect(waits, "nothing is saved up beyond a second").to.have.length(2);
  });

  it("never lets more pass than the cap and one request in advance", async () => {
    const requests = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5_000 }), gapMs: fc.nat(3_000) }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 100, max: 10_000 }), async (list, bytesPerSecond) => {
        const { bucket, clock, waits } = open(bytesPerSecond);
        let passed = 0;
        let last = 0;
        for (const { bytes, gapMs } of list) {
          clock.nowMs += gapMs;
          const before = waits.length;
          if ((await codeOf(bucket.take(bytes))) !== "accepted") continue;
          const startMs = clock.nowMs + (waits.length > before ? (waits.at(-1) ?? 0) : 0);
          // What began by now, this one not counted.
          expect(passed).to.be.at.most(bytesPerSecond * (1 + startMs / 1000) + last + 1);
          passed += bytes;
          last = bytes;
        }
      }),
    );
  });

  it("sends away who would wait too long, and takes nothing for it", async () => {
    const { bucket } = open(10);
    await bucket.take(1_000);
    expect(await codeOf(bucket.take(1))).to.equal("REFUSED");
  });

  it("keeps hours, also over midnight", async () => {
    const at = (text: string, hour: number): boolean => isWithin(parseHours(text) ?? { from: 0, to: 0 }, 20_000 * 24 * HOUR + hour * HOUR);
    expect([6, 7, 22, 23.5].map((hour) => at("07:00-23:30", hour))).to.deep.equal([false, true, true, false]);
    expect([21, 22, 3, 6.5].map((hour) => at("22:00-06:30", hour))).to.deep.equal([false, true, true, false]);
    for (const text of ["7-8", "24:00-01:00", "07:00", "07:00-23:60"]) expect(await codeOf(() => parseHours(text))).to.equal("CONFIG");
    const config = { uploadBytesPerSecond: 1, downloadBytesPerSecond: 0, hours: "22:00-06:30" };
    const clock = { nowMs: 12 * HOUR };
    const { upload, download } = createBandwidth({ config, now: () => clock.nowMs, wait: async () => undefined });
    for (let times = 0; times < 3; times += 1) await upload.take(1_000);
    clock.nowMs = 23 * HOUR;
    await upload.take(1_000);
    expect(await codeOf(upload.take(1_000))).to.equal("REFUSED");
    for (let times = 0; times < 3; times += 1) await download.take(1 << 30);
  });

  it("holds in front of the routes for bulk bytes, for what was authorised", async () => {
    const world = await startWorld({ config: { uploadBytesPerSecond: 1, downloadBytesPerSecond: 1 << 20 } });
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    for (let times = 0; times < 3; times += 1) expect((await read(world, upload, 0, 4096, {})).status).to.equal(403);
    expect((await read(world, upload, 0, 4096, headers)).status).to.equal(200);
    const refused = await read(world, upload, 0, 4096, headers);
    expect([refused.status, await refused.text()]).to.satisfy(
      ([status, text]: [number, string]) => status === 403 && text.includes("REFUSED"),
    );
    await world.close();

    const slow = await startWorld({ config: { downloadBytesPerSecond: 1 } });
    const [first, second] = [await makeUpload(slow), await makeUpload(slow)];
    for (const { body } of [first, second]) await call(slow, "POST", "/v1/uploads", body);
    expect((await put(slow, first.id, 0, first.data)).status).to.equal(200);
    expect((await put(slow, second.id, 0, second.data)).code).to.equal("REFUSED");
    await slow.close();
  });
});
