/** A provider from its settings: opens the disk, connects, serves, proves, keeps house. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PpioError } from "@ppio/core";
import { acquireLock, connectChain, type Lifecycle, type Logger, readAddressBookFile, removeLeftovers, TxSender } from "@ppio/daemon";
import { Alerts } from "./alerts/alerts.ts";
import { Webhook } from "./alerts/webhook.ts";
import { createProviderApp } from "./api/app.ts";
import { PROVIDER_LIMITS } from "./api/limits.ts";
import { OfferDesk } from "./api/offers.ts";
import type { ProviderContext } from "./context.ts";
import { startControl } from "./control/control-server.ts";
import { DamageDesk, damageFile } from "./damage/damage-desk.ts";
import { ExitDesk } from "./exit/exit-desk.ts";
import { useFastKeccak } from "./fast-keccak.ts";
import { checkIdentity } from "./identity.ts";
import { startLoops } from "./loops.ts";
import { createProviderMetrics } from "./metrics.ts";
import type { ProviderConfig } from "./options.ts";
import { openPayments } from "./pay/start.ts";
import { Admission } from "./policy/admission.ts";
import { createBandwidth } from "./policy/bandwidth.ts";
import { Pricing } from "./policy/pricing.ts";
import { Inventory } from "./prover/inventory.ts";
import { serveReachably } from "./reach/start.ts";
import { ReservedUploads } from "./repair/reserved-uploads.ts";
import { keepHeapSmall } from "./small-heap.ts";
import { nodeFileLayer } from "./store/file-layer.ts";
import type { SlotMeta } from "./store/slot-record.ts";
import { SlotStore } from "./store/slot-store.ts";
import { watchedDisk } from "./store/watched-disk.ts";

export interface RunningProvider {
  readonly providerId: number;
  readonly url: string;
}

/** Starts everything and returns once requests are served; the lifecycle ends it. @throws CONFIG, CONFLICT, CHAIN_UNREACHABLE */
export async function startProvider(config: ProviderConfig, lifecycle: Lifecycle, log: Logger): Promise<RunningProvider> {
  keepHeapSmall();
  useFastKeccak();
  await openFolder(config.dataDir, lifecycle);

  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  lifecycle.onStop("chain", () => chain.close());
  const operator = chain.wallet;
  if (operator === undefined) throw new PpioError("CONFIG", "The operator's key is missing.");
  const providerId = Number(await chain.registry.providerOfOperator(operator.address));
  if (providerId === 0) {
    throw new PpioError("CONFIG", `${operator.address} operates no provider; register it first with "ppio provider register".`);
  }
  const { operatorEpoch } = await chain.registry.getProvider(providerId);
  const periodMs = Number(await chain.proofs.periodSeconds()) * 1000;
  await checkIdentity(config.dataDir, book, providerId);
  const sender = await TxSender.open({
    file: join(config.dataDir, "transactions.json"),
    rpc: chain.rpc,
    wallet: operator,
    log,
    signal: lifecycle.signal,
  });
  lifecycle.onStop("transactions", () => sender.close());

  const metrics = createProviderMetrics();
  const alerts = openAlerts(config, providerId, lifecycle, log);
  const onDamage = (meta: SlotMeta, error: PpioError): void => {
    metrics.add("ppio_damage_found_total", 1);
    const { row } = error.details;
    // Slots that are cut short are found before there is a desk; it reads the list of the store.
    damage?.suspect(meta.uploadId, typeof row === "number" ? row : undefined);
  };
  let damage: DamageDesk | undefined;
  const store = await SlotStore.open({
    dir: join(config.dataDir, "slots"),
    capacityBytes: config.capacityBytes,
    log,
    files: watchedDisk(nodeFileLayer, () => metrics.add("ppio_disk_errors_total", 1)),
    onDamage,
  });
  damage = await DamageDesk.open({ store, file: damageFile(join(config.dataDir, "damage.json")), log, now: Date.now });
  lifecycle.onStop("damage", () => damage?.flushed());
  const context: ProviderContext = {
    config,
    chain,
    domain: { chainId: BigInt(book.chainId), market: book.market },
    operator,
    providerId,
    operatorEpoch: Number(operatorEpoch),
    store,
    sender,
    damage,
    alerts,
    admission: new Admission(),
    bandwidth: createBandwidth({ config, now: Date.now }),
    reserved: new ReservedUploads(Date.now),
    pricing: new Pricing({ config, usedBytes: () => store.usedBytes, now: Date.now }),
    metrics,
    log,
    now: Date.now,
  };
  const offers = new OfferDesk(context);
  const payments = await openPayments(context);
  // Stopped in the reverse order: after the last read.
  lifecycle.onStop("vouchers", () => payments.desk.close());
  const listener = await serveReachably(context, createProviderApp(context, PROVIDER_LIMITS, offers, payments.desk), lifecycle);
  const exit = await ExitDesk.open(join(config.dataDir, "exit.json"), context.admission);
  // Before the loops, whose first reading of a long line would hold it up.
  const control = await startControl({ context, exit, lifecycle });
  startLoops({ context, inventory: new Inventory(chain, providerId), exit, offers, periodMs, lifecycle });
  const redeeming = payments.run(lifecycle, () => exit.progress.since !== null);
  lifecycle.onStop("redeeming", () => redeeming);
  log.info("provider is ready", {
    providerId,
    url: listener.url,
    statusPage: control.url,
    usedBytes: context.store.usedBytes,
    freeBytes: context.store.freeBytes,
  });
  return { providerId, url: listener.url };
}

async function openFolder(dataDir: string, lifecycle: Lifecycle): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PpioError("CONFIG", `The data folder ${dataDir} cannot be made; choose another one or correct its permissions.`, { cause });
  }
  const lock = await acquireLock(dataDir);
  lifecycle.onStop("lock", () => lock.release());
  await removeLeftovers(dataDir);
}

function openAlerts({ alertUrl }: ProviderConfig, providerId: number, { signal, onStop }: Lifecycle, log: Logger): Alerts {
  if (alertUrl === "") return new Alerts({ providerId, log, now: Date.now });
  if (!URL.canParse(alertUrl)) throw new PpioError("CONFIG", '"alertUrl" is no URL; correct it or leave it empty.');
  const webhook = new Webhook({ url: alertUrl, signal, log });
  onStop("alerts", () => webhook.close());
  return new Alerts({ providerId, log, now: Date.now, tell: (notice) => webhook.tell(notice) });
}
