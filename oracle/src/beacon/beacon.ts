/**
 * A beacon for the devnet with drand's scheme and HTTP interface (docs/protocol/beacon.md), so that nothing else changes on a public
 * network. A round is never signed before it is due.
 */
import { createHash } from "node:crypto";
import { PpioError } from "@ppio/core";
import { drandRandomness, signDrandRound } from "@ppio/core/drand";
import { createHttpApp, type Lifecycle, type Listener, type Logger, listen } from "@ppio/daemon";
import { hexlify } from "ethers";
import type { Express, Request } from "express";
import type { BeaconConfig } from "../options.ts";
import { type BeaconKey, loadOrCreateBeaconKey } from "./key.ts";

const SCHEME = "bls-unchained-g1-rfc9380";
const CACHE_MAX = 512;

export interface BeaconRound {
  readonly round: number;
  readonly randomness: string;
  readonly signature: string;
}

export interface Schedule {
  /** Unix seconds of round 1. */
  readonly genesisTime: number;
  readonly roundSeconds: number;
}

/** The newest round that is due; 0 before the first. */
export function roundAt(schedule: Schedule, nowMs: number): number {
  const elapsed = nowMs / 1000 - schedule.genesisTime;
  return elapsed < 0 ? 0 : Math.floor(elapsed / schedule.roundSeconds) + 1;
}

export async function startBeacon(config: BeaconConfig, lifecycle: Lifecycle, log: Logger): Promise<Listener> {
  const key = await loadOrCreateBeaconKey(config.keyFile);
  const listener = await listen(createBeaconApp(key, config, log), { host: config.host, port: config.port });
  lifecycle.onStop("http", () => listener.close());
  log.info("beacon is ready", { url: listener.url, publicKey: key.publicKeyHex });
  return listener;
}

export function createBeaconApp(key: BeaconKey, schedule: Schedule, log: Logger, now: () => number = Date.now): Express {
  const info = describe(key, schedule);
  const signed = new Map<number, BeaconRound>();
  const sign = (round: number): BeaconRound => {
    const known = signed.get(round);
    if (known !== undefined) return known;
    const signature = signDrandRound(key.secretKey, round);
    const made = { round, randomness: hexlify(drandRandomness(signature)).slice(2), signature: hexlify(signature).slice(2) };
    signed.set(round, made);
    const [oldest] = signed.keys();
    if (signed.size > CACHE_MAX && oldest !== undefined) signed.delete(oldest);
    return made;
  };
  const answer = (request: Request): BeaconRound => {
    const latest = roundAt(schedule, now());
    const asked = request.params["round"] === "latest" ? latest : Number(request.params["round"]);
    if (!/^(latest|\d{1,15})$/.test(String(request.params["round"])) || asked < 1) {
      throw new PpioError("USAGE", "A round is a whole number from 1 on, or latest.");
    }
    if (asked > latest) throw new PpioError("NOT_FOUND", `Round ${asked} is not due yet; the newest one is ${latest}.`, { retry: "later" });
    return sign(asked);
  };
  return createHttpApp(log, (app) => {
    // drand serves its one chain at the root and every chain under its hash.
    for (const base of ["", `/${info.hash}`]) {
      app.get(`${base}/info`, (_request, response) => void response.json(info));
      app.get(`${base}/public/:round`, (request, response) => void response.json(answer(request)));
      app.get(`${base}/health`, (_request, response) => {
        const current = roundAt(schedule, now());
        response.json({ current, expected: current });
      });
    }
    app.get("/chains", (_request, response) => void response.json([info.hash]));
  });
}

function describe(key: BeaconKey, { genesisTime, roundSeconds }: Schedule) {
  const beaconID = "ppio-devnet";
  const groupHash = createHash("sha256").update(Buffer.from(key.publicKeyHex, "hex")).digest("hex");
  const time = Buffer.alloc(12);
  time.writeUInt32BE(roundSeconds, 0);
  time.writeBigInt64BE(BigInt(genesisTime), 4);
  // As drand hashes its chain info: period, genesis time, key, genesis seed, beacon id.
  const hash = createHash("sha256")
    .update(time)
    .update(Buffer.from(key.publicKeyHex, "hex"))
    .update(Buffer.from(groupHash, "hex"))
    .update(beaconID)
    .digest("hex");
  return {
    public_key: key.publicKeyHex,
    period: roundSeconds,
    genesis_time: genesisTime,
    hash,
    groupHash,
    schemeID: SCHEME,
    metadata: { beaconID },
  };
}
