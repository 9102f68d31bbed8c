// How glibc shall keep memory for `ppio` (docs/adr/0004-young-generation.md): one arena, whose top is given back.
"use strict";
module.exports = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" };
