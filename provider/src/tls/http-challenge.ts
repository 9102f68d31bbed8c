/** The server on port 80 that answers HTTP-01 challenges (RFC 8555, section 8.3) and nothing else. */
import { type Listener, listen } from "@ppio/daemon";
import type { ChallengeResponder } from "./acme-order.ts";

const PATH = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,128})$/;
const LIMITS = { headersMs: 5_000, bodyMs: 5_000, connectionsMax: 64 };

export interface ChallengeServer extends ChallengeResponder {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws CONFIG when the port cannot be listened on */
export async function openChallengeServer(host: string, port: number): Promise<ChallengeServer> {
  const shown = new Map<string, string>();
  const listener: Listener = await listen(
    (request, response) => {
      const answer = shown.get(PATH.exec(request.url ?? "")?.[1] ?? "");
      response.writeHead(answer === undefined ? 404 : 200, { "content-type": "text/plain", connection: "close" });
      response.end(answer ?? "");
    },
    { host, port, limits: LIMITS },
  );
  return {
    port: listener.port,
    show: (token, answer) => void shown.set(token, answer),
    hide: (token) => void shown.delete(token),
    close: () => listener.close(),
  };
}
