// How `ppio` shall keep memory (docs/adr/0004-young-generation.md).
"use strict";
module.exports = {
  /** Of glibc: one arena, whose top is given back. */
  ALLOCATOR: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" },
  /** Of V8, for what moves objects: 2 MiB, which the main thread and its workers keep to. */
  YOUNG_GENERATION: "--max-semi-space-size=2",
};
