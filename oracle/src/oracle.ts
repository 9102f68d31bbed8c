/**
 * An oracle from its settings. Its duties take turns in one loop, the beacon first: whatever else waits, a period's seed must not be
 * late. Several oracles may run; each looks at the chain before it sends.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError, toPpioError } from "@ppio/core";
import {
  acquireLock,
  connectChain,
  createHttpApp,
  type Lifecycle,
  type Listener,
  type Logger,
  listen,
  readAddressBookFile,
  repeat,
  TxSender,
} from "@ppio/daemon";
import { SlotTable } from "./chain/slot-table.ts";
import type { OracleContext } from "./context.ts";
import { createDrandClient } from "./drand/client.ts";
import { createOracleMetrics } from "./metrics.ts";
import type { OracleConfig } from "./options.ts";
import { type MissCursor, reportNextMiss } from "./work/misses.ts";
import { relayDueRound } from "./work/relay.ts";
import { settleNextDeal } from "./work/settle.ts";

const TURN_MS = 500;
/** Reports and settlements between two looks at the beacon. */
const TASKS_PER_TURN_MAX = 2;

export interface RunningOracle {
  readonly url: string;
  readonly address: string;
}

interface Health {
  lastError: string | undefined;
  lastTurnAt: number;
}

export async function startOracle(config: OracleConfig, lifecycle: Lifecycle, log: Logger): Promise<RunningOracle> {
  await mkdir(config.dataDir, { recursive: true });
  const lock = await acquireLock(config.dataDir);
  lifecycle.onStop("lock", () => lock.release());
  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  lifecycle.onStop("chain", () => chain.close());
  if (chain.wallet === undefined) throw new PpioError("CONFIG", "The oracle's key is missing.");
  const urls = config.beaconUrls === "" ? [book.beaconUrl] : config.beaconUrls.split(",").map((url) => url.trim().replace(/\/+$/, ""));
  const file = join(config.dataDir, "transactions.json");
  const context: OracleContext = {
    chain,
    sender: await TxSender.open({ file, rpc: chain.rpc, wallet: chain.wallet, log, signal: lifecycle.signal }),
    drand: createDrandClient({ urls, publicKey: await chain.beacon.publicKey(), log }),
    slots: new SlotTable(chain),
    metrics: createOracleMetrics(),
    log,
  };
  const health: Health = { lastError: undefined, lastTurnAt: Date.now() };
  const listener = await serve(context, config, health);
  lifecycle.onStop("http", () => listener.close());
  const loop = run(context, config, lifecycle, health);
  lifecycle.onStop("duties", () => loop);
  log.info("oracle is ready", { url: listener.url, address: chain.wallet.address, beacons: urls });
  return { url: listener.url, address: chain.wallet.address };
}

function run(context: OracleContext, config: OracleConfig, lifecycle: Lifecycle, health: Health): Promise<void> {
  const misses: MissCursor = new Map();
  const other = async (): Promise<boolean> =>
    (config.reportMisses && (await reportNextMiss(context, misses))) || (config.settle && (await settleNextDeal(context)));
  const turn = async (): Promise<void> => {
    if (config.relay) await relayDueRound(context);
    if (!config.reportMisses && !config.settle) return;
    await context.slots.refresh();
    for (let task = 0; task < TASKS_PER_TURN_MAX && !lifecycle.signal.aborted && (await other()); task += 1);
  };
  const work = async (): Promise<void> => {
    try {
      await turn();
      health.lastError = undefined;
    } catch (error) {
      health.lastError = toPpioError(error).message;
      context.metrics.add("ppio_duty_failures_total", 1);
      throw error;
    } finally {
      health.lastTurnAt = Date.now();
    }
  };
  return repeat({ name: "duties", intervalMs: TURN_MS, signal: lifecycle.signal, log: context.log, work });
}

function serve(context: OracleContext, config: OracleConfig, health: Health): Promise<Listener> {
  const app = createHttpApp(context.log, (routes) => {
    routes.get("/health", (_request, response) => {
      const { lastError, lastTurnAt } = health;
      response.status(lastError === undefined ? 200 : 503).json({
        status: lastError === undefined ? "ok" : "failing",
        lastError,
        lastTurnAt,
        lastRelayedRound: context.metrics.get("ppio_last_relayed_round"),
        currentPeriod: context.metrics.get("ppio_current_period"),
      });
    });
    routes.get("/metrics", (_request, response) => {
      response.type("text/plain; version=0.0.4").send(context.metrics.render());
    });
  });
  return listen(app, { host: config.host, port: config.port });
}
