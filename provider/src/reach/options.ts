/** Settings of how customers reach the daemon; a part of the provider's table. */
import { PpioError } from "@ppio/core";
import { type ConfigOf, defineOptions } from "@ppio/daemon";
import { hostOf } from "./addresses.ts";
import { parseGateway } from "./gateway.ts";

export const REACH_OPTIONS = defineOptions({
  publicEndpoint: {
    type: "string",
    help: "where customers reach this daemon, such as https://name:4100; empty to find it out",
    default: "",
  },
  publish: { type: "boolean", help: "keep the endpoint on the chain up to date when the public address changes", default: "true" },
  portMapping: {
    type: "string",
    help: "ask the router for a port: auto, pcp, nat-pmp, upnp or off; auto is off on a loopback host and on a devnet",
    default: "auto",
  },
  publicPort: { type: "integer", help: "port to ask the router for; 0 for the one that is listened on", default: "0", max: 65_535 },
  gateway: { type: "string", help: "the router's IPv4 address, with :PORT when it is not the usual one; empty to find it", default: "" },
  dynamicDnsUrl: {
    type: "string",
    help: "address to call when the public address changes, {ip} stands for it; empty for none",
    default: "",
    secret: true,
  },
  tlsCertFile: { type: "string", help: "certificate with its chain, PEM; read again when it changes; empty for plain HTTP", default: "" },
  tlsKeyFile: { type: "string", help: "the certificate's key, PEM", default: "" },
  acme: { type: "boolean", help: "get and renew a certificate by ACME; agrees to the authority's terms", default: "false" },
  acmeDomain: { type: "string", help: "name that the certificate is for", default: "" },
  acmeEmail: { type: "string", help: "where the authority may write to; empty for none", default: "" },
  acmeDirectoryUrl: {
    type: "string",
    help: "the authority's directory",
    default: "https://acme-v02.api.letsencrypt.org/directory",
  },
  acmeHttpPort: {
    type: "integer",
    help: "port for the authority's questions; port 80 of the name must lead there",
    default: "80",
    max: 65_535,
  },
});

export type ReachConfig = ConfigOf<typeof REACH_OPTIONS>;

const MODES = ["auto", "pcp", "nat-pmp", "upnp", "off"] as const;
export type PortMappingMode = (typeof MODES)[number];

/**
 * What the loopback interface alone serves needs no port of a router; nor does a devnet, unless its router is named: a test must not open a
 * developer's home. @throws CONFIG
 */
export function portMappingMode(
  { portMapping, host, gateway }: ReachConfig & { readonly host: string },
  isLocal: boolean,
): PortMappingMode {
  const mode = MODES.find((known) => known === portMapping);
  if (mode === undefined) throw new PpioError("CONFIG", `"portMapping" is "${portMapping}", but must be one of ${MODES.join(", ")}.`);
  const isLoopback = host === "localhost" || host === "::1" || host.startsWith("127.");
  return mode === "auto" && (isLoopback || (isLocal && gateway === "")) ? "off" : mode;
}

/** Settings that contradict each other are found before anything starts. @throws CONFIG */
export function checkReachConfig(config: ReachConfig & { readonly host: string }): void {
  const { publicEndpoint, gateway, dynamicDnsUrl, tlsCertFile, tlsKeyFile, acme, acmeDomain } = config;
  portMappingMode(config, false);
  if (gateway !== "") parseGateway(gateway);
  if (publicEndpoint !== "") {
    const url = httpUrl(publicEndpoint);
    const isPlain = url !== undefined && url.username === "" && url.search === "" && url.hash === "" && hostOf(url) !== "";
    if (!isPlain) throw new PpioError("CONFIG", `"publicEndpoint" is "${publicEndpoint}", but must be a URL such as https://name:4100.`);
  }
  if (dynamicDnsUrl !== "" && httpUrl(dynamicDnsUrl.replaceAll("{ip}", "192.0.2.1")) === undefined) {
    throw new PpioError("CONFIG", '"dynamicDnsUrl" must be an http or https address.');
  }
  if ((tlsCertFile === "") !== (tlsKeyFile === "")) {
    throw new PpioError("CONFIG", "A certificate needs its key: give both tlsCertFile and tlsKeyFile.");
  }
  if (!acme) return;
  if (tlsCertFile !== "") throw new PpioError("CONFIG", "Choose one: acme, or tlsCertFile with tlsKeyFile.");
  if (!/^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*$/i.test(acmeDomain)) {
    throw new PpioError("CONFIG", `"acmeDomain" is "${acmeDomain}", but acme needs the DNS name that the certificate is for.`);
  }
}

function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : undefined;
}
