/** A process in front of providers that lets some of them stall and flips bits in what others send. One TCP port for each. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { answerOrders } from "./worker.ts";

type Habit = "honest" | "stalled" | "corrupting";

const habits = new Map<number, Habit>();
/** Those that wait for a provider to be honest again. */
const held = new Set<() => void>();

function relayTo(port: number, reader: Socket): void {
  const provider = connect(port, "127.0.0.1");
  for (const socket of [reader, provider]) socket.setNoDelay(true);
  reader.pipe(provider);
  provider.on("data", (piece) => {
    const habit = habits.get(port) ?? "honest";
    if (habit === "corrupting") flipBit(piece);
    if (habit !== "stalled") {
      pass(piece);
      return;
    }
    provider.pause();
    const release = (): void => {
      held.delete(release);
      pass(piece);
      provider.resume();
    };
    held.add(release);
    provider.once("close", () => held.delete(release));
  });
  const pass = (piece: Buffer): void => {
    if (reader.write(piece)) return;
    provider.pause();
    reader.once("drain", () => provider.resume());
  };
  provider.once("end", () => reader.end());
  // Either side's end or failure is the other's.
  for (const [one, other] of [
    [reader, provider],
    [provider, reader],
  ] as const) {
    one.on("error", () => other.destroy());
    one.once("close", () => other.destroySoon());
  }
}

function flipBit(piece: Buffer): void {
  const at = Math.floor(Math.random() * piece.length);
  piece[at] = (piece[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
}

function open(port: number): Promise<{ port: number }> {
  const server = createServer((reader) => relayTo(port, reader));
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as AddressInfo).port })));
}

answerOrders({
  open: ({ port }) => open(Number(port)),
  /** All others are honest. */
  spoil: async ({ stalled, corrupting }) => {
    habits.clear();
    for (const port of stalled as number[]) habits.set(port, "stalled");
    for (const port of corrupting as number[]) habits.set(port, "corrupting");
    for (const release of [...held]) release();
    return {};
  },
});
