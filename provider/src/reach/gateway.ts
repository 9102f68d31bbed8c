/** Where the router is, and the protocols to ask it by, in the order of what they can. */
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { PpioError } from "@ppio/core";
import { addressKind } from "./addresses.ts";
import type { GatewayAddress, PortMapper } from "./mapper.ts";
import { createNatPmpMapper, NAT_PMP_PORT } from "./nat-pmp.ts";
import type { PortMappingMode } from "./options.ts";
import { createPcpMapper } from "./pcp.ts";
import { SSDP } from "./ssdp.ts";
import { createUpnpMapper } from "./upnp.ts";

const ROUTES = "/proc/net/route";
const NONCE_BYTES = 12;

export interface MapperOptions {
  readonly mode: Exclude<PortMappingMode, "off">;
  /** HOST or HOST:PORT; empty to find it. */
  readonly gateway: string;
  /** The nonce of PCP is derived of it: the same after a restart, so that the mapping is renewed and not refused as another's. */
  readonly nonce: Uint8Array;
  readonly random: () => number;
}

/** @throws CONFIG, NETWORK when no router can be found */
export async function createMappers({ mode, gateway, nonce, random }: MapperOptions): Promise<readonly PortMapper[]> {
  const set = gateway === "" ? undefined : parseGateway(gateway);
  const upnp = (): PortMapper => createUpnpMapper(set === undefined ? SSDP : { port: SSDP.port, ...set }, random);
  if (mode === "upnp") return [upnp()];
  const found = set?.host ?? (await findGateway());
  const mappers: PortMapper[] = [];
  if (found !== undefined) {
    const at: GatewayAddress = { host: found, port: set?.port ?? NAT_PMP_PORT };
    if (mode !== "nat-pmp") mappers.push(createPcpMapper(at, nonce.subarray(0, NONCE_BYTES)));
    if (mode !== "pcp") mappers.push(createNatPmpMapper(at));
  }
  if (mode === "auto") mappers.push(upnp());
  if (mappers.length === 0) throw new PpioError("NETWORK", "No router is known; name its address with gateway.");
  return mappers;
}

/** @throws CONFIG */
export function parseGateway(text: string): { readonly host: string; readonly port?: number } {
  const [host = "", port, ...rest] = text.split(":");
  const number = Number(port ?? 1);
  if (!isIPv4(host) || rest.length > 0 || !Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new PpioError("CONFIG", `"gateway" is "${text}", but must be the router's IPv4 address, such as 192.168.1.1.`);
  }
  return port === undefined ? { host } : { host, port: number };
}

/** The default route's gateway; where the system does not show it, the first address of the home network, which is the usual one. */
async function findGateway(): Promise<string | undefined> {
  const routes = await readFile(ROUTES, "latin1").catch(() => undefined);
  if (routes !== undefined) return defaultRoute(routes);
  const home = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, address }) => family === "IPv4" && addressKind(address) === "private");
  return home?.address.replace(/\d+$/, "1");
}

/** @param table of Linux's /proc/net/route: hex, the least byte first */
export function defaultRoute(table: string): string | undefined {
  for (const line of table.split("\n").slice(1)) {
    const [, destination, gateway = ""] = line.trim().split(/\s+/);
    if (destination !== "00000000" || !/^[0-9A-F]{8}$/i.test(gateway) || gateway === "00000000") continue;
    return [...Buffer.from(gateway, "hex")].reverse().join(".");
  }
  return undefined;
}
