/** Health and metrics of the oracle and of the verifier over HTTP, and the loop whose turns they tell of. */
import { toPpioError } from "@ppio/core";
import { createHttpApp, type Lifecycle, type Listener, type Logger, listen, repeat } from "@ppio/daemon";

/** Turns of a period, so that a node is asked no more often than it is worth. */
const TURNS_PER_PERIOD = 20;

export interface TurnBounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

export function turnMsOf(periodSeconds: bigint, { leastMs, mostMs }: TurnBounds): number {
  return Math.min(mostMs, Math.max(leastMs, (Number(periodSeconds) * 1000) / TURNS_PER_PERIOD));
}

export interface ServedProcess {
  readonly host: string;
  readonly port: number;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly turnMs: number;
  readonly turn: () => Promise<void>;
  readonly onFailure: () => void;
  /** More for the health report. */
  readonly status: () => Readonly<Record<string, unknown>>;
  readonly metrics: () => string;
}

/** Listens, then takes turns until the process stops. A turn that fails is told of, makes it unhealthy, and is tried again. */
export async function serveTurns(served: ServedProcess): Promise<Listener> {
  const { lifecycle, log } = served;
  const health: { lastError: string | undefined; lastTurnAt: number } = { lastError: undefined, lastTurnAt: Date.now() };
  const app = createHttpApp(log, (routes) => {
    routes.get("/health", (_request, response) => {
      const isWell = health.lastError === undefined;
      response.status(isWell ? 200 : 503).json({ status: isWell ? "ok" : "failing", ...health, ...served.status() });
    });
    routes.get("/metrics", (_request, response) => {
      response.type("text/plain; version=0.0.4").send(served.metrics());
    });
  });
  const listener = await listen(app, served);
  lifecycle.onStop("http", () => listener.close());
  const work = async (): Promise<void> => {
    try {
      await served.turn();
      health.lastError = undefined;
    } catch (error) {
      health.lastError = toPpioError(error).message;
      served.onFailure();
      throw error;
    } finally {
      health.lastTurnAt = Date.now();
    }
  };
  const loop = repeat({ name: "duties", intervalMs: served.turnMs, signal: lifecycle.signal, log, work });
  lifecycle.onStop("duties", () => loop);
  return listener;
}
