/** Whether this engine runs what the generators write. */

/** i8x16.splat and v128.any_true in a function: compiles where SIMD128 is known. */
const PROBE = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 10, 10, 1, 8, 0, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x53, 0x0b],
]);

let known: boolean | undefined;

/** Compiles rather than validates: a page whose content security policy forbids WebAssembly validates, and throws later. */
export function hasSimd(): boolean {
  known ??= compiles();
  return known;
}

function compiles(): boolean {
  if (typeof WebAssembly !== "object") return false;
  try {
    return new WebAssembly.Module(PROBE) instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}
