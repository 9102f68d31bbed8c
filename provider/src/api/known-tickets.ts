/** Tickets whose signatures were right, by the headers as they were shown; the least recently used goes first. */
const KNOWN_MAX = 1_024;
/** Of the headers; longer ones than a client makes are recovered every time. */
const KNOWN_CHARS_MAX = 2_048;

export class KnownTickets<T> {
  readonly #known = new Map<string, T>();

  get(headers: string): T | undefined {
    return this.#known.get(headers);
  }

  /** For good ones only, so that strangers cannot push them out. */
  put(headers: string, ticket: T): void {
    if (headers.length > KNOWN_CHARS_MAX) return;
    this.#known.delete(headers);
    this.#known.set(headers, ticket);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
  }
}
