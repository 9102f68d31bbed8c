/** UPnP IGD 1 and 2: WANIPConnection and WANPPPConnection, by SOAP. What the router says is bounded and read as text. */
import { PpioError } from "@ppio/core";
import type { GatewayAddress, Mapping, MappingRequest, PortMapper } from "./mapper.ts";
import { searchGateways } from "./ssdp.ts";
import { localAddressTowards } from "./udp.ts";

const REQUEST_MS = 5_000;
const BODY_BYTES_MAX = 128 * 1024;
/** Other external ports, tried when somebody has the one that was asked for. */
const OTHER_PORTS_MAX = 4;
const HIGH_PORTS_FROM = 20_000;
const HIGH_PORTS = 40_000;
const SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[12]$/;
const CONFLICT = 718;
const PERMANENT_ONLY = 725;
/** A router that keeps mappings for ever is asked again as if it gave this. */
const PERMANENT_SECONDS = 7_200;

const REFUSALS: Readonly<Record<number, string>> = {
  402: "does not understand the request",
  501: "could not do it; restart the router",
  606: "does not allow it; switch UPnP port mapping on in its settings",
  718: "has given the port to another machine; choose another with publicPort",
  724: "maps only equal ports; set publicPort to the port that is listened on",
  727: "maps for all remote hosts only",
  728: "has no ports left; remove old mappings in its settings",
};

interface Service {
  readonly type: string;
  readonly control: URL;
}

class SoapFault extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`UPnP error ${code}`);
    this.code = code;
  }
}

/** @param search where to search for the router @param random of [0, 1) */
export function createUpnpMapper(search: GatewayAddress, random: () => number): PortMapper {
  let known: Service | undefined;
  const service = async (signal: AbortSignal): Promise<Service> => {
    known ??= await findService(await searchGateways(search, signal), signal);
    return known;
  };
  return {
    protocol: "upnp",
    async map(request, signal): Promise<Mapping> {
      try {
        return await add(await service(signal), request, random, signal);
      } catch (error) {
        // The router may have been restarted with other addresses.
        known = undefined;
        throw explain(error);
      }
    },
    async unmap({ externalPort }, signal) {
      const to = await service(signal);
      await call(to, "DeletePortMapping", { NewRemoteHost: "", NewExternalPort: externalPort, NewProtocol: "TCP" }, signal).catch(
        (error) => {
          throw explain(error);
        },
      );
    },
  };
}

async function add(to: Service, request: MappingRequest, random: () => number, signal: AbortSignal): Promise<Mapping> {
  const { hostname, port } = to.control;
  const client = await localAddressTowards({ host: hostname, port: Number(port) || 80 });
  let { externalPort, lifetimeSeconds } = request;
  for (let others = 0; ; ) {
    try {
      await call(
        to,
        "AddPortMapping",
        {
          NewRemoteHost: "",
          NewExternalPort: externalPort,
          NewProtocol: "TCP",
          NewInternalPort: request.internalPort,
          NewInternalClient: client,
          NewEnabled: 1,
          NewPortMappingDescription: "ppio provider",
          NewLeaseDuration: lifetimeSeconds,
        },
        signal,
      );
      break;
    } catch (error) {
      if (!(error instanceof SoapFault)) throw error;
      if (error.code === PERMANENT_ONLY && lifetimeSeconds !== 0) lifetimeSeconds = 0;
      else if (error.code === CONFLICT && others < OTHER_PORTS_MAX) {
        others += 1;
        externalPort = HIGH_PORTS_FROM + Math.floor(random() * HIGH_PORTS);
      } else throw error;
    }
  }
  const externalAddress = tag(await call(to, "GetExternalIPAddress", {}, signal), "NewExternalIPAddress") ?? "";
  const lifetime = lifetimeSeconds === 0 ? PERMANENT_SECONDS : lifetimeSeconds;
  return {
    protocol: "upnp",
    gateway: hostname,
    internalPort: request.internalPort,
    externalPort,
    externalAddress,
    lifetimeSeconds: lifetime,
  };
}

async function findService(locations: readonly URL[], signal: AbortSignal): Promise<Service> {
  for (const location of locations) {
    const text = await fetchText(location, {}, signal).then(
      ({ body }) => body,
      () => "",
    );
    for (const [, block = ""] of text.matchAll(/<service>([\s\S]*?)<\/service>/g)) {
      const type = tag(block, "serviceType");
      const control = tag(block, "controlURL");
      if (type === undefined || control === undefined || !SERVICE.test(type) || !URL.canParse(control, location.href)) continue;
      const url = new URL(control, location);
      if (url.hostname === location.hostname) return { type, control: url };
    }
  }
  throw new PpioError("NETWORK", "No router answers to UPnP.");
}

/** @throws SoapFault, PpioError NETWORK */
async function call(
  { type, control }: Service,
  action: string,
  fields: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<string> {
  const inner = Object.entries(fields).map(([name, value]) => `<${name}>${value}</${name}>`);
  const envelope =
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${type}">${inner.join("")}</u:${action}></s:Body></s:Envelope>`;
  const headers = { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${type}#${action}"` };
  const { status, body } = await fetchText(control, { method: "POST", headers, body: envelope }, signal);
  if (status === 200) return body;
  throw new SoapFault(Number(tag(body, "errorCode") ?? status));
}

async function fetchText(url: URL, init: RequestInit, signal: AbortSignal): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const response = await fetch(url, { ...init, redirect: "error", signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]) });
    const decoder = new TextDecoder();
    let body = "";
    for await (const piece of response.body ?? []) {
      body += decoder.decode(piece, { stream: true });
      if (body.length > BODY_BYTES_MAX) throw new Error("the answer is too long");
    }
    return { status: response.status, body };
  } catch (cause) {
    throw new PpioError("NETWORK", "The router does not answer to UPnP.", { cause });
  }
}

/** The text of an element without children. */
function tag(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:\\w+:)?${name}[^>]*>\\s*([^<]*?)\\s*</`).exec(xml)?.[1];
}

function explain(error: unknown): unknown {
  if (!(error instanceof SoapFault)) return error;
  return new PpioError("REFUSED", `The router ${REFUSALS[error.code] ?? `refuses with code ${error.code}`} (UPnP).`);
}
