/** Memory that slots are read into: taken, and given back when what is in it was used, so that a long read makes no garbage. */
export interface Room {
  /** Filled with whatever was there before. */
  take(lengthBytes: number): Uint8Array;
  /** Nobody may look at it any more. What is never given back is garbage. */
  give(bytes: Uint8Array): void;
}

export function createRoom(): Room {
  let free: Uint8Array[] = [];
  return {
    take(lengthBytes) {
      const found = free.pop();
      if (found !== undefined && found.length >= lengthBytes) return found.subarray(0, lengthBytes);
      // Reads begin small and grow: what is too small now always will be.
      if (found !== undefined) free = free.filter(({ length }) => length >= lengthBytes);
      return new Uint8Array(lengthBytes);
    },
    give(bytes) {
      free.push(new Uint8Array(bytes.buffer));
    },
  };
}
