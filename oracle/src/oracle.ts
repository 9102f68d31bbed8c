/**
 * An oracle from its settings. Its duties take turns in one loop, the beacon first: whatever else waits, a period's seed must not be
 * late. Several oracles may run: each waits for its turn (`turns.ts`) and looks at the chain before it sends.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { acquireLock, connectChain, type Lifecycle, type Logger, readAddressBookFile, TxSender } from "@ppio/daemon";
import { ReorgWatch } from "./chain/reorg-watch.ts";
import { SlotTable } from "./chain/slot-table.ts";
import { VoidTable } from "./chain/void-table.ts";
import type { OracleContext } from "./context.ts";
import { createDrandClient } from "./drand/client.ts";
import { createOracleMetrics } from "./metrics.ts";
import type { OracleConfig } from "./options.ts";
import { serveTurns, turnMsOf } from "./serve.ts";
import { Turns } from "./turns.ts";
import { closeNextDeal } from "./work/close.ts";
import { createMissState, forgetMisses, reportNextMiss } from "./work/misses.ts";
import { relayDueRound } from "./work/relay.ts";
import { type RunningTenures, settleNextDeal } from "./work/settle.ts";
import { markNextVoid } from "./work/voids.ts";

const TURN = { leastMs: 500, mostMs: 5_000 };
/** Reports and settlements between two looks at the beacon. */
const TASKS_PER_TURN_MAX = 2;

export interface RunningOracle {
  readonly url: string;
  readonly address: string;
}

export async function startOracle(config: OracleConfig, lifecycle: Lifecycle, log: Logger): Promise<RunningOracle> {
  await mkdir(config.dataDir, { recursive: true });
  const lock = await acquireLock(config.dataDir);
  lifecycle.onStop("lock", () => lock.release());
  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  lifecycle.onStop("chain", () => chain.close());
  if (chain.wallet === undefined) throw new PpioError("CONFIG", "The oracle's key is missing.");
  const urls = (config.beaconUrls === "" ? book.beaconUrl : config.beaconUrls).split(",").map((url) => url.trim().replace(/\/+$/, ""));
  const file = join(config.dataDir, "transactions.json");
  const context: OracleContext = {
    chain,
    sender: await TxSender.open({ file, rpc: chain.rpc, wallet: chain.wallet, log, signal: lifecycle.signal }),
    drand: createDrandClient({ urls, publicKey: await chain.beacon.publicKey(), log }),
    slots: new SlotTable(chain),
    voids: new VoidTable(chain),
    turns: new Turns(chain.wallet.address),
    metrics: createOracleMetrics(),
    log,
  };
  const { url } = await serveTurns({
    ...{ host: config.host, port: config.port, lifecycle, log, turnMs: turnMsOf(await chain.proofs.periodSeconds(), TURN) },
    turn: createTurn(context, config, lifecycle.signal),
    onFailure: () => context.metrics.add("ppio_duty_failures_total", 1),
    status: () => ({
      lastRelayedRound: context.metrics.get("ppio_last_relayed_round"),
      currentPeriod: context.metrics.get("ppio_current_period"),
    }),
    metrics: () => context.metrics.render(),
  });
  log.info("oracle is ready", { url, address: chain.wallet.address, beacons: urls });
  return { url, address: chain.wallet.address };
}

function createTurn(context: OracleContext, config: OracleConfig, signal: AbortSignal): () => Promise<void> {
  const { slots, voids, log } = context;
  const misses = createMissState();
  const seeded = new Set<number>();
  const running: RunningTenures = { period: 0, keys: new Set() };
  const reorgs = new ReorgWatch(context.chain.rpc);
  const other = async (): Promise<boolean> =>
    (config.reportMisses && ((await markNextVoid(context, seeded)) || (await reportNextMiss(context, misses)))) ||
    (config.settle && ((await settleNextDeal(context, running)) || (await closeNextDeal(context, running))));
  const others = async (): Promise<void> => {
    if (!config.reportMisses && !config.settle) return;
    if (await reorgs.hasReorged()) {
      log.info("blocks were replaced; what was concluded from them is looked at again");
      forgetMisses(misses);
      seeded.clear();
      running.keys.clear();
      slots.lookAgain();
    }
    await slots.refresh();
    await voids.refresh();
    for (let task = 0; task < TASKS_PER_TURN_MAX && !signal.aborted && (await other()); task += 1);
  };
  return async () => {
    // A beacon that is away is no reason to leave the rest.
    const [relayed] = await Promise.allSettled([config.relay ? relayDueRound(context) : undefined]);
    await others();
    if (relayed?.status === "rejected") throw relayed.reason;
  };
}
