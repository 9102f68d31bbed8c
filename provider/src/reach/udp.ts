/** A question over UDP, asked again with growing pauses, as RFC 6886 and RFC 6887 want it. Only the asked address is listened to. */
import { createSocket, type Socket } from "node:dgram";
import { PpioError } from "@ppio/core";
import type { GatewayAddress } from "./mapper.ts";

/** Pauses after each try; who has not answered by then does not speak the protocol. */
const TRY_MS = [250, 500, 1_000, 1_500] as const;

export interface UdpQuestion<T> {
  readonly to: GatewayAddress;
  /** @param localAddress of this machine, as the router sees it */
  readonly message: (localAddress: string) => Uint8Array;
  /** Reads an answer; undefined for what answers something else. May throw: that ends the question. */
  readonly read: (answer: Buffer) => T | undefined;
  readonly signal: AbortSignal;
}

/** @throws NETWORK when nobody answers, CANCELLED, what `read` throws */
export async function askByUdp<T>({ to, message, read, signal }: UdpQuestion<T>): Promise<T> {
  const socket = createSocket(to.host.includes(":") ? "udp6" : "udp4");
  // The signal lives as long as the process: nothing of a question may stay with it.
  let stop = (): void => undefined;
  const onAbort = (): void => stop();
  signal.addEventListener("abort", onAbort);
  try {
    await connect(socket, to);
    const bytes = message(socket.address().address);
    return await new Promise<T>((resolve, reject) => {
      const silent = (): void => reject(new PpioError("NETWORK", `Nobody answers at ${to.host} port ${to.port}.`));
      let timer: NodeJS.Timeout | undefined;
      const send = ([pauseMs = 0, ...later]: readonly number[]): void => {
        socket.send(bytes, () => undefined);
        timer = setTimeout(() => (later.length === 0 ? silent() : send(later)), pauseMs);
      };
      send(TRY_MS);
      stop = () => reject(new PpioError("CANCELLED", "The process is stopping."));
      if (signal.aborted) stop();
      socket.on("close", () => clearTimeout(timer));
      // A closed port says so by ICMP: no answer will come.
      socket.on("error", silent);
      socket.on("message", (answer) => {
        try {
          const value = read(answer);
          if (value !== undefined) resolve(value);
        } catch (error) {
          reject(error);
        }
      });
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.close();
  }
}

/** Which address of this machine leads there. @throws NETWORK */
export async function localAddressTowards(to: GatewayAddress): Promise<string> {
  const socket = createSocket(to.host.includes(":") ? "udp6" : "udp4");
  try {
    await connect(socket, to);
    return socket.address().address;
  } finally {
    socket.close();
  }
}

function connect(socket: Socket, { host, port }: GatewayAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", (cause) => reject(new PpioError("NETWORK", `There is no way to ${host}.`, { cause })));
    socket.connect(port, host, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
}
