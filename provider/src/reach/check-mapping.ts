/** The router: whether it maps the port, and whether its own address is one that the world can reach. */
import { addressKind } from "./addresses.ts";
import { type Finding, finding } from "./findings.ts";
import type { ReachState } from "./reach-state.ts";

/** @param isReached then a router that maps nothing has been told by hand, or there is none */
export function checkMapping(state: ReachState | undefined, isReached: boolean): Finding | undefined {
  const mapping = state?.mapping;
  if (mapping === undefined) return undefined;
  switch (mapping.status) {
    case "off":
      return finding(
        "mapping-off",
        "The daemon asks no router for a port (portMapping is off, host is a loopback address, or the chain is a local one).",
      );
    case "trying":
      return finding("mapping-trying", "The router has not answered yet; check again in a minute.");
    case "failed": {
      if (isReached) return finding("mapping-ok", "The router maps no port by itself, and none is needed: connections arrive.");
      const todo = "forward the port by hand in the router's settings, or switch on UPnP or PCP there";
      if (mapping.isRefused) return finding("mapping-refused", `${mapping.why} Or ${todo}.`);
      return finding(
        "mapping-none",
        `No router answers to PCP, NAT-PMP or UPnP; behind one, ${todo}; without one, set portMapping to off.`,
      );
    }
    case "mapped": {
      const { protocol, internalPort, externalPort, externalAddress } = mapping.mapping;
      const what = `port ${externalPort} of ${externalAddress} to port ${internalPort} of this machine (${protocol})`;
      if (internalPort === externalPort) return finding("mapping-ok", `The router maps ${what}.`);
      return finding("mapping-port", `The router maps ${what}; the endpoint on the chain must name port ${externalPort}.`);
    }
  }
}

export function checkAddress(state: ReachState | undefined): Finding | undefined {
  if (state?.mapping.status !== "mapped") return undefined;
  const { externalAddress } = state.mapping.mapping;
  const kind = addressKind(externalAddress);
  if (kind === "public") return undefined;
  if (kind === "shared") {
    const todo = "ask your internet provider for a public IPv4 address, or serve through a tunnel or a rented machine";
    return finding(
      "address-shared",
      `The router's address ${externalAddress} is shared with other customers (CGNAT), so nobody can connect; ${todo}.`,
    );
  }
  const todo = "forward the port in the outer router too, or switch one of the two to bridge mode";
  return finding("address-private", `The router's address ${externalAddress} is not public: it is behind another router; ${todo}.`);
}
