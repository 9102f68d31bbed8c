/**
 * Frees what a call of the platform made for `bytes`, when they are all that is in it. Such memory counts for the collector, which runs
 * fully for every 32 MiB or so of it; freed at once it is used again while it is still in the cache. Nobody may look at `bytes` afterwards.
 */
export function freeLent({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
