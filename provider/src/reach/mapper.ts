/** What the three protocols for asking a router have in common. */

export type MappingProtocol = "pcp" | "nat-pmp" | "upnp";

export interface MappingRequest {
  readonly internalPort: number;
  /** The one that is asked for; a router may give another. */
  readonly externalPort: number;
  readonly lifetimeSeconds: number;
}

export interface Mapping {
  readonly protocol: MappingProtocol;
  /** The router's address. */
  readonly gateway: string;
  readonly internalPort: number;
  readonly externalPort: number;
  /** As the router sees it; not public behind another translation. */
  readonly externalAddress: string;
  readonly lifetimeSeconds: number;
  /** Seconds since the router lost its state, by its own word; UPnP does not say. */
  readonly epochSeconds?: number;
}

export interface PortMapper {
  readonly protocol: MappingProtocol;
  /**
   * Makes a mapping, or renews the same one. @throws REFUSED when the router says no, with its reason, NETWORK when nobody answers,
   * BAD_FORMAT when the answer cannot be read
   */
  map(request: MappingRequest, signal: AbortSignal): Promise<Mapping>;
  /** Takes the mapping back. @throws as `map` */
  unmap(mapping: Mapping, signal: AbortSignal): Promise<void>;
}

/** Where a router listens. */
export interface GatewayAddress {
  readonly host: string;
  readonly port: number;
}
