/** Bytes on their way in, taken straight into the memory where they are used. */
export interface ByteSource {
  /** Whether there is another byte; waits for it. @throws what keeps it from coming, such as TIMEOUT or TRUNCATED */
  more(): Promise<boolean>;
  /**
   * Fills `target` as bytes come; less of it at the end, or before a failure, which the next call throws.
   * @returns how much is filled; 0 when there is nothing more
   */
  fill(target: Uint8Array): Promise<number>;
}

/** Bytes that are here already. */
export function bytesAtHand(bytes: Uint8Array): ByteSource {
  let at = 0;
  return {
    more: async () => at < bytes.length,
    async fill(target) {
      const part = bytes.subarray(at, at + target.length);
      target.set(part);
      at += part.length;
      return part.length;
    },
  };
}
