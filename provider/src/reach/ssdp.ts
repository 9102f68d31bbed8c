/** Finding a router that speaks UPnP: a search by multicast, or to one address (UPnP Device Architecture 1.1, section 1.3). */
import { createSocket } from "node:dgram";
import type { GatewayAddress } from "./mapper.ts";

export const SSDP: GatewayAddress = { host: "239.255.255.250", port: 1900 };
const TARGETS = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
] as const;
const LISTEN_MS = 2_500;
const AGAIN_MS = 800;
const LOCATIONS_MAX = 4;
const ANSWER_BYTES_MAX = 4_096;

/** Addresses of descriptions, in the order of the answers; none when nobody answers. Each is on the machine that sent it. */
export async function searchGateways(to: GatewayAddress, signal: AbortSignal): Promise<readonly URL[]> {
  const found = new Map<string, URL>();
  const socket = createSocket("udp4");
  const search = (): void => {
    for (const target of TARGETS) {
      const lines = ["M-SEARCH * HTTP/1.1", `HOST: ${SSDP.host}:${SSDP.port}`, 'MAN: "ssdp:discover"', "MX: 1", `ST: ${target}`, "", ""];
      socket.send(lines.join("\r\n"), to.port, to.host, () => undefined);
    }
  };
  let stop = (): void => undefined;
  const onAbort = (): void => stop();
  signal.addEventListener("abort", onAbort);
  try {
    await new Promise<void>((resolve) => {
      stop = resolve;
      const timers = [setTimeout(resolve, LISTEN_MS), setTimeout(search, AGAIN_MS)];
      socket.on("close", () => timers.forEach(clearTimeout));
      socket.on("error", () => resolve());
      socket.on("message", (answer, { address }) => {
        const location = readLocation(answer, address);
        if (location === undefined) return;
        found.set(location.href, location);
        // One router is the usual case: a moment for the others would cost every start.
        resolve();
      });
      socket.bind(0, search);
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.close();
  }
  return [...found.values()].slice(0, LOCATIONS_MAX);
}

/** Anybody on the network may answer: it can name only itself. */
function readLocation(answer: Buffer, from: string): URL | undefined {
  if (answer.length > ANSWER_BYTES_MAX) return undefined;
  const text = /^location:[ \t]*(\S+)/im.exec(answer.toString("latin1"))?.[1] ?? "";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "http:" && url.hostname === from ? url : undefined;
}
