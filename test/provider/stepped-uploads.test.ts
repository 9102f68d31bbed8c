/** Bodies that are told of while they come: over node:http, with the transport of the command line. */
import { createProviderApi, slotBytes, type UploadState, type UploadStream } from "@ppio/core";
import { createNodeTransport, type NodeTransport } from "@ppio/daemon/http-client/transport";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { call, makeUpload, startWorld, TERMS, type Upload, type World } from "../support/provider/world.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const HEADER = { k: 1, n: 2, cellBytes: 16_384, lastCellBytes: 16_384, rows: 14 };
const TOTAL = slotBytes(HEADER);
const STEP = 32_768;
const CONFIG = { capacityBytes: 1 << 22, undealtBytesPerPayer: 1 << 22, pricePerGibPeriodWei: 10n ** 12n };

describe("an upload that is told of in steps", () => {
  let world: World;
  let transport: NodeTransport;
  let stop: AbortController;

  const start = async (limits: Parameters<typeof startWorld>[0] = {}): Promise<void> => {
    world = await startWorld({ config: CONFIG, ...limits });
  };
  beforeEach(() => {
    transport = createNodeTransport();
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    transport.close();
    await world.close();
    await removeTemporaryFolders();
  });

  const open = async (dealSalt?: string): Promise<Upload> => {
    const upload = await makeUpload(world, dealSalt === undefined ? {} : { dealSalt }, HEADER);
    await call(world, "POST", "/v1/uploads", upload.body);
    return upload;
  };
  const stream = (id: string, offset = 0, step = STEP): UploadStream => {
    const found = createProviderApi(world.url, transport).streamBytes?.(id, offset, step, stop.signal);
    if (found === undefined) throw new Error("the transport streams nothing");
    return found;
  };
  const next = async (states: AsyncIterator<UploadState>): Promise<number> => ((await states.next()).value as UploadState).receivedBytes;
  const stored = async (id: string): Promise<unknown> => (await call(world, "GET", `/v1/uploads/${id}`)).body["receivedBytes"];

  it("says after every step how much is written, while the body goes on, and signs for the whole", async () => {
    await start();
    const upload = await open();
    const body = stream(upload.id);
    const states = body.states[Symbol.asyncIterator]();
    await body.write(upload.data.subarray(0, STEP + 1_000));
    expect(await next(states)).to.equal(STEP);
    expect(await stored(upload.id), "it is written, not only received").to.equal(STEP);
    await body.write(upload.data.subarray(STEP + 1_000));
    body.end();
    for (let told = 2 * STEP; told <= TOTAL; told += STEP) expect(await next(states)).to.equal(told);
    expect((await states.next()).done).to.equal(true);
    const { status } = await call(world, "POST", `/v1/uploads/${upload.id}/finish`, { root: upload.root, ...TERMS });
    expect(status, "no request is at work on it any more").to.equal(200);
  });

  it("counts steps from the slot's beginning, wherever a body begins or ends", async () => {
    await start();
    const upload = await open();
    const first = stream(upload.id);
    await first.write(upload.data.subarray(0, 5_000));
    first.end();
    const told: number[] = [];
    for await (const { receivedBytes } of first.states) told.push(receivedBytes);
    const second = stream(upload.id, 5_000);
    await second.write(upload.data.subarray(5_000, STEP + 10));
    second.end();
    for await (const { receivedBytes } of second.states) told.push(receivedBytes);
    expect(told).to.deep.equal([5_000, STEP, STEP + 10]);
  });

  it("keeps what came before the sender went away, and says where to go on", async () => {
    await start();
    const upload = await open();
    const body = stream(upload.id);
    const states = body.states[Symbol.asyncIterator]();
    await body.write(upload.data.subarray(0, STEP));
    expect(await next(states)).to.equal(STEP);
    stop.abort();
    expect(await codeOf(states.next())).to.not.equal("accepted");
    stop = new AbortController();
    const again = stream(upload.id, 0);
    await again.write(upload.data.subarray(0, STEP));
    expect(await codeOf(again.states[Symbol.asyncIterator]().next()), "another offset").to.equal("CONFLICT");
  });

  it("says what went wrong in the middle of an answer as any other answer does", async () => {
    // Long enough for bytes that do come, on a busy machine.
    await start({ limits: { stallMs: 1_000 } });
    const upload = await open();
    const body = stream(upload.id);
    const states = body.states[Symbol.asyncIterator]();
    await body.write(upload.data.subarray(0, STEP));
    expect(await next(states)).to.equal(STEP);
    expect(await codeOf(states.next()), "nothing came for too long").to.equal("TIMEOUT");
    const tooMuch = stream(upload.id, STEP);
    await tooMuch.write(upload.data);
    tooMuch.end();
    const consume = async (): Promise<void> => {
      for await (const state of tooMuch.states) expect(state.slotBytes).to.equal(TOTAL);
    };
    expect(await codeOf(consume())).to.equal("TOO_LARGE");
  });

  it("takes no step that is too short or too long", async () => {
    await start();
    const upload = await open();
    for (const step of [4_095, (1 << 20) + 1]) {
      const body = stream(upload.id, 0, step);
      await body.write(upload.data.subarray(0, 100));
      expect(await codeOf(body.states[Symbol.asyncIterator]().next())).to.equal("BAD_FORMAT");
    }
  });

  it("lets others in between two steps when there is room for one only", async () => {
    await start({ limits: { uploadBufferBytes: 1 } });
    const [one, other] = [await open(`0x${"31".repeat(32)}`), await open(`0x${"32".repeat(32)}`)];
    const first = stream(one.id);
    const statesOfFirst = first.states[Symbol.asyncIterator]();
    await first.write(one.data.subarray(0, STEP));
    expect(await next(statesOfFirst)).to.equal(STEP);
    // Neither body ends, and either one would keep the only place while nothing comes of it.
    const second = stream(other.id);
    const statesOfSecond = second.states[Symbol.asyncIterator]();
    await second.write(other.data.subarray(0, STEP));
    expect(await next(statesOfSecond)).to.equal(STEP);
    for (let told = 2 * STEP; told <= 3 * STEP; told += STEP) {
      await first.write(one.data.subarray(told - STEP, told));
      expect(await next(statesOfFirst)).to.equal(told);
      await second.write(other.data.subarray(told - STEP, told));
      expect(await next(statesOfSecond)).to.equal(told);
    }
    await Promise.all([first.write(one.data.subarray(3 * STEP)), second.write(other.data.subarray(3 * STEP))]);
    second.end();
    first.end();
    for await (const state of { [Symbol.asyncIterator]: () => statesOfFirst }) expect(state.slotBytes).to.equal(TOTAL);
    for await (const state of { [Symbol.asyncIterator]: () => statesOfSecond }) expect(state.slotBytes).to.equal(TOTAL);
    expect([await stored(one.id), await stored(other.id)]).to.deep.equal([TOTAL, TOTAL]);
  });
});
