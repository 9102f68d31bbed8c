/** HTTP as no client sends it. */
import { once } from "node:events";
import { connect } from "node:net";

/** Sends bytes over a socket of their own; resolves to what came back once the server has closed it. */
export async function rawHttp(port: number, ...sent: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data: Buffer) => {
    answer += data.toString("latin1");
  });
  socket.on("error", () => undefined);
  for (const piece of sent) socket.write(piece);
  await once(socket, "close");
  return answer;
}
