/** A node that takes connections and never answers: what a stopped process does. */
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export class SilentNode {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #changed = new EventEmitter();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#open.add(socket);
      this.#changed.emit("change");
      socket.once("close", () => {
        this.#open.delete(socket);
        this.#changed.emit("change");
      });
      socket.on("error", () => {}).resume();
    });
  }

  static async start(): Promise<SilentNode> {
    const node = new SilentNode();
    await new Promise<void>((resolve) => node.#server.listen(0, "127.0.0.1", resolve));
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Until so many connections are open. */
  async untilOpen(count: number): Promise<void> {
    while (this.#open.size !== count) await once(this.#changed, "change");
  }

  stop(): void {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
  }
}
