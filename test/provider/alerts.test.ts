import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createLogger } from "@ppio/daemon";
import { type AlertNotice, Alerts, Webhook } from "@ppio/provider";
import { expect } from "chai";

const log = createLogger({ component: "test", write: () => undefined });
const ALERT = { kind: "low-funds", message: "Send some coin." } as const;

describe("alerts", () => {
  function open() {
    const told: AlertNotice[] = [];
    const clock = { nowMs: 1_000 };
    const alerts = new Alerts({ providerId: 7, log, now: () => clock.nowMs, tell: (notice) => void told.push(notice) });
    return { told, clock, alerts };
  }

  it("are told once while they last, again after hours, and once when they are over", () => {
    const { told, clock, alerts } = open();
    for (let times = 0; times < 5; times += 1) alerts.raise(ALERT);
    clock.nowMs += 6 * 3_600_000;
    alerts.raise(ALERT);
    alerts.clear("low-funds");
    alerts.clear("low-funds");
    expect(told.map(({ state, since }) => [state, since])).to.deep.equal(
      ["open", "open", "over"].map((state) => [state, "1970-01-01T00:00:01.000Z"]),
    );
    expect(new Set(told.map(({ id }) => id)).size, "one alert, one id").to.equal(1);
    alerts.raise(ALERT);
    expect(told).to.have.length(4);
  });

  it("keep subjects apart, and are bounded", () => {
    const { told, alerts } = open();
    for (const subject of ["a", "b", "a"]) alerts.raise({ ...ALERT, subject });
    alerts.clear("low-funds", "a");
    expect(told.map(({ subject, state }) => `${subject} ${state}`)).to.deep.equal(["a open", "b open", "a over"]);
    expect(alerts.open().map(({ subject }) => subject)).to.deep.equal(["b"]);
    for (let at = 0; at < 300; at += 1) alerts.raise({ ...ALERT, subject: `s${at}` });
    expect(alerts.open()).to.have.length(256);
  });
});

describe("the alerts' webhook", () => {
  let server: Server;
  let bodies: AlertNotice[];
  let statuses: number[];
  const stop = new AbortController();

  beforeEach(async () => {
    bodies = [];
    statuses = [];
    server = createServer((request, response) => {
      let text = "";
      request.on("data", (piece: Buffer) => {
        text += piece;
      });
      request.on("end", () => {
        bodies.push(JSON.parse(text) as AlertNotice);
        response.writeHead(statuses.shift() ?? 204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  function open(): { alerts: Alerts; webhook: Webhook } {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    const webhook = new Webhook({ url, signal: stop.signal, log, firstPauseMs: 1 });
    return { webhook, alerts: new Alerts({ providerId: 7, log, now: () => 0, tell: (notice) => webhook.tell(notice) }) };
  }

  it("gets the documented document, in order, amounts as decimal strings", async () => {
    const { alerts, webhook } = open();
    alerts.raise({ ...ALERT, details: { coinWei: 5n } });
    alerts.clear("low-funds");
    await webhook.close();
    const at = "1970-01-01T00:00:00.000Z";
    const open_ = { version: 1, id: "7/low-funds/0", providerId: 7, state: "open", ...ALERT, details: { coinWei: "5" }, since: at, at };
    expect(bodies).to.deep.equal([open_, { ...open_, state: "over" }]);
  });

  it("is tried again when it fails, and not for ever", async () => {
    const { alerts, webhook } = open();
    statuses = [500, 503];
    alerts.raise(ALERT);
    await webhook.close();
    expect(bodies).to.have.length(3);
    statuses = Array.from({ length: 5 }, () => 500);
    alerts.raise({ ...ALERT, subject: "never" });
    alerts.raise({ ...ALERT, subject: "next" });
    await webhook.close();
    expect(bodies.slice(3).map(({ subject }) => subject)).to.deep.equal([...Array.from({ length: 5 }, () => "never"), "next"]);
  });
});
