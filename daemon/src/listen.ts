/**
 * A listener that closes for good, plain or over TLS. A certificate is exchanged while it listens: connections that are open go on under the
 * old one, new ones get the new one.
 */
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { PpioError } from "@ppio/core";
import { HTTP_LIMITS, type HttpLimits } from "./http.ts";

/** PEM, the certificate with its chain. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export interface Listener {
  readonly url: string;
  readonly port: number;
  /** For a TLS listener only; a plain one has none. */
  setCertificate(pair: CertificatePair): void;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly limits?: HttpLimits;
  /** TLS; "awaited" for a listener whose handshakes fail until the first certificate is set. */
  readonly tls?: CertificatePair | "awaited";
}

/** @throws CONFIG when the address cannot be listened on */
export async function listen(app: RequestListener, options: ListenOptions): Promise<Listener> {
  const { host, tls, limits = HTTP_LIMITS } = options;
  const { server, setCertificate } = createListener(app, tls, limits);
  server.maxConnections = limits.connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(explainListen(cause, host, options.port)));
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    setCertificate,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createListener(app: RequestListener, tls: ListenOptions["tls"], limits: HttpLimits) {
  // Uploads take as long as they take; `RequestBody` watches that they move.
  const timeouts = {
    headersTimeout: limits.headersMs,
    requestTimeout: 0,
    connectionsCheckingInterval: Math.ceil(limits.headersMs / 3),
  };
  if (tls === undefined) return { server: createServer(timeouts, app), setCertificate: () => undefined };
  const pair = tls === "awaited" ? {} : { cert: tls.cert, key: tls.key };
  const server = createTlsServer({ ...timeouts, handshakeTimeout: limits.headersMs, minVersion: "TLSv1.2", ...pair }, app);
  return { server, setCertificate: ({ cert, key }: CertificatePair) => server.setSecureContext({ cert, key, minVersion: "TLSv1.2" }) };
}

function explainListen(cause: Error, host: string, port: number): PpioError {
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === "EADDRINUSE" ? "another program uses it" : code === "EACCES" ? "the system does not allow it" : cause.message;
  return new PpioError("CONFIG", `Cannot listen on ${host} port ${port}: ${why}; choose another host or port.`, { cause });
}
