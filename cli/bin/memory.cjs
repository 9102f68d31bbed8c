// How `ppio` shall keep memory (docs/adr/0004-young-generation.md).
"use strict";
module.exports = {
  /** Of glibc: one arena, whose top is given back. */
  ALLOCATOR: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" },
  /** Of V8, for what moves objects: 2 MiB, which the main thread and its workers keep to. */
  YOUNG_GENERATION: "--max-semi-space-size=2",
  /** Of V8, by the command: the old generation is collected once it has grown by so many percent, where V8 would let it grow to a multiple. */
  OLD_GENERATION: {
    put: "--heap-growing-percent=30",
    resume: "--heap-growing-percent=30",
    get: "--heap-growing-percent=100",
  },
};
