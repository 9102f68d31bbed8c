/** What kind of address an IP address is: whether strangers can reach it, and whether a stranger may make us connect to it. */
import { BlockList, isIP, isIPv4 } from "node:net";
import type { SigningDomain } from "@ppio/core";

/**
 * `shared`: 100.64.0.0/10 (RFC 6598), behind the provider's own translation (CGNAT). `reserved`: nobody's, or a way around the other kinds
 * (IPv4 inside IPv6).
 */
export type AddressKind = "public" | "loopback" | "private" | "shared" | "reserved";

function listOf(...subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = "", bits = ""] = subnet.split("/");
    list.addSubnet(address, Number(bits), isIPv4(address) ? "ipv4" : "ipv6");
  }
  return list;
}

const LOOPBACK = listOf("127.0.0.0/8", "::1/128");
const PRIVATE = listOf("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10");
const SHARED = listOf("100.64.0.0/10");
const RESERVED = listOf("0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "2001::/32", "2002::/16");
/** All that is given out of IPv6. */
const GLOBAL_IPV6 = listOf("2000::/3");
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** @param address an IP address as text; anything else is `reserved` */
export function addressKind(address: string): AddressKind {
  const plain = plainAddress(address);
  const family = isIP(plain) === 6 ? "ipv6" : "ipv4";
  if (isIP(plain) === 0) return "reserved";
  if (LOOPBACK.check(plain, family)) return "loopback";
  if (PRIVATE.check(plain, family)) return "private";
  if (SHARED.check(plain, family)) return "shared";
  if (RESERVED.check(plain, family)) return "reserved";
  return family === "ipv4" || GLOBAL_IPV6.check(plain, family) ? "public" : "reserved";
}

/** An IPv4 address that a socket of both families shows as IPv6 is itself again. */
export function plainAddress(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}

/** The host of a URL, without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** `HOST:PORT` of a URL; brackets where they belong. */
export function urlOf(scheme: "http" | "https", host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The chain id of development nodes (Hardhat's, anvil's): networks on it are on one machine, and so are their endpoints. */
const LOCAL_CHAIN_ID = 31_337n;

export function isLocalChain({ chainId }: SigningDomain): boolean {
  return chainId === LOCAL_CHAIN_ID;
}
