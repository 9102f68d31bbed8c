/**
 * SHA-256 of messages of 64 bytes, four at a time, one in each lane, as a WebAssembly function `run(source, target, end)`
 * (FIPS 180-4, 6.2.2). The second block of such a message is padding, whose schedule is constant: its rounds add one table entry
 * and no word. Sixteen rounds bring the names of the working variables back to where they were, so that they loop.
 */
import {
  ADD,
  ADD_I32X4,
  AND_V128,
  type Code,
  get,
  i32,
  kernelModule,
  LESS_UNSIGNED,
  loadV128,
  OR_V128,
  repeat,
  SHIFT_LEFT_I32X4,
  SHIFT_RIGHT_I32X4,
  set,
  shuffle,
  splatI32,
  storeV128,
  tee,
  XOR_V128,
} from "../wasm/emitter.ts";
import { INITIAL_STATE, paddingConstants, ROUND_CONSTANTS } from "./constants.ts";

export const LANES = 4;
const MESSAGE_BYTES = 64;
const DIGEST_BYTES = 32;
const VECTOR_BYTES = 16;
const STATE_WORDS = 8;
const WORDS = 16;
const ROUNDS = 64;

/** The memory below the kernel's data: constants of the first block, of the padding block, and the initial state. */
const [BLOCK_AT, PADDING_AT, INITIAL_AT] = [0, 4 * ROUNDS, 8 * ROUNDS];
export const TABLE_WORDS: readonly number[] = [...ROUND_CONSTANTS, ...paddingConstants(), ...INITIAL_STATE];
export const TABLE_BYTES = 4 * TABLE_WORDS.length;

const [SOURCE, TARGET, END, TABLE] = [0, 1, 2, 3];
const STATE = 4;
const HASH = STATE + STATE_WORDS;
const WORD = HASH + STATE_WORDS;
const LOADED = WORD + WORDS;
/** a ^ b of this round and of the one before, which is its b ^ c. */
const PAIRS = LOADED + LANES;
const SUM = PAIRS + 2;
const V128_LOCALS = SUM + 1 - STATE;

const SWAP_BYTES = shuffle([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);
const LOW_WORDS = shuffle([0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23]);
const HIGH_WORDS = shuffle([8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31]);
const LOW_HALVES = shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
const HIGH_HALVES = shuffle([8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]);

const join = (...parts: readonly Code[]): number[] => parts.flat();
const times = (count: number, part: (index: number) => Code): number[] => join(...Array.from({ length: count }, (_, index) => part(index)));

const shift = (local: number, by: number): number[] => [...get(local), ...i32(by), ...SHIFT_RIGHT_I32X4];
const rotate = (local: number, by: number): number[] => [
  ...shift(local, by),
  ...get(local),
  ...i32(32 - by),
  ...SHIFT_LEFT_I32X4,
  ...OR_V128,
];
const xor3 = (a: Code, b: Code, c: Code): number[] => [...a, ...b, ...XOR_V128, ...c, ...XOR_V128];
const big0 = (local: number): number[] => xor3(rotate(local, 2), rotate(local, 13), rotate(local, 22));
const big1 = (local: number): number[] => xor3(rotate(local, 6), rotate(local, 11), rotate(local, 25));
const small0 = (local: number): number[] => xor3(rotate(local, 7), rotate(local, 18), shift(local, 3));
const small1 = (local: number): number[] => xor3(rotate(local, 17), rotate(local, 19), shift(local, 10));

/** Round t: `constant` leaves K[t], with the message word already added where there is one. */
function round(t: number, constant: Code): number[] {
  const [a, b, , d, e, f, g, h] = Array.from(
    { length: STATE_WORDS },
    (_, name) => STATE + ((name + STATE_WORDS - (t % STATE_WORDS)) % STATE_WORDS),
  ) as [number, number, number, number, number, number, number, number];
  const [pair, pairBefore] = [PAIRS + (t % 2), PAIRS + ((t + 1) % 2)];
  const choice = [...get(f), ...get(g), ...XOR_V128, ...get(e), ...AND_V128, ...get(g), ...XOR_V128];
  const majority = [...get(a), ...get(b), ...XOR_V128, ...tee(pair), ...get(pairBefore), ...AND_V128, ...get(b), ...XOR_V128];
  return join(
    [...get(h), ...constant, ...ADD_I32X4, ...choice, ...ADD_I32X4, ...big1(e), ...ADD_I32X4, ...tee(SUM)],
    [...get(d), ...ADD_I32X4, ...set(d)],
    [...get(SUM), ...majority, ...ADD_I32X4, ...big0(a), ...ADD_I32X4, ...set(h)],
  );
}

/** W[t mod 16] of the next sixteen rounds, in the place of the last ones'. */
function schedule(t: number): number[] {
  const word = (ago: number): number => WORD + ((t + WORDS - ago) % WORDS);
  return join(
    [...get(word(16)), ...small0(word(15)), ...ADD_I32X4, ...get(word(7)), ...ADD_I32X4, ...small1(word(2)), ...ADD_I32X4],
    set(word(16)),
  );
}

const constantAt = (t: number): number[] => [...get(TABLE), ...splatI32(4 * t)];
const wordRound = (t: number): number[] => round(t, [...constantAt(t), ...get(WORD + t), ...ADD_I32X4]);
const nextTable = (end: number): number[] => [...get(TABLE), ...i32(4 * WORDS), ...ADD, ...tee(TABLE), ...i32(end), ...LESS_UNSIGNED];

/** Working variables from `values`, and b ^ c for the first majority. */
const begin = (values: (word: number) => Code): number[] =>
  join(
    times(STATE_WORDS, (word) => [...values(word), ...set(STATE + word)]),
    [...get(STATE + 1), ...get(STATE + 2), ...XOR_V128, ...set(PAIRS + 1)],
  );

/** Rows to columns: LOADED as four messages' vectors to `to` as four words of four lanes, and the other way round. */
function transpose(to: number): number[] {
  const [x0, x1, x2, x3] = [LOADED, LOADED + 1, LOADED + 2, LOADED + 3];
  const half = (interleave: Code, first: number): number[] =>
    join(
      [...get(x0), ...get(x1), ...interleave, ...tee(SUM), ...get(x2), ...get(x3), ...interleave, ...tee(PAIRS), ...LOW_HALVES],
      [...set(first), ...get(SUM), ...get(PAIRS), ...HIGH_HALVES, ...set(first + 1)],
    );
  return [...half(LOW_WORDS, to), ...half(HIGH_WORDS, to + 2)];
}

const swapped = (bytes: Code): number[] => [...bytes, ...tee(SUM), ...get(SUM), ...SWAP_BYTES];

const loadWords = (quarter: number): number[] =>
  join(
    times(LANES, (lane) => [
      ...swapped([...get(SOURCE), ...loadV128(MESSAGE_BYTES * lane + VECTOR_BYTES * quarter)]),
      ...set(LOADED + lane),
    ]),
    transpose(WORD + LANES * quarter),
  );

const storeWords = (half: number): number[] =>
  join(
    times(LANES, (word) => {
      const at = LANES * half + word;
      return [...swapped([...get(STATE + at), ...get(HASH + at), ...ADD_I32X4]), ...set(LOADED + word)];
    }),
    transpose(WORD),
    times(LANES, (lane) => [...get(TARGET), ...get(WORD + lane), ...storeV128(DIGEST_BYTES * lane + VECTOR_BYTES * half)]),
  );

/** Bytes [source, end) hold messages, in fours; their digests go to `target`. TABLE_WORDS lie at address 0. */
export function pairKernel(): Uint8Array<ArrayBuffer> {
  const initial = (word: number): number[] => [...i32(0), ...splatI32(INITIAL_AT + 4 * word)];
  const body = repeat(
    join(
      times(WORDS / LANES, loadWords),
      begin(initial),
      [...i32(BLOCK_AT), ...set(TABLE)],
      times(WORDS, wordRound),
      [...i32(BLOCK_AT + 4 * WORDS), ...set(TABLE)],
      repeat(
        join(
          times(WORDS, (t) => [...schedule(t), ...wordRound(t)]),
          nextTable(PADDING_AT),
        ),
      ),
      times(STATE_WORDS, (word) => [...get(STATE + word), ...initial(word), ...ADD_I32X4, ...set(HASH + word)]),
      begin((word) => get(HASH + word)),
      repeat(
        join(
          times(WORDS, (t) => round(t, constantAt(t))),
          nextTable(INITIAL_AT),
        ),
      ),
      times(STATE_WORDS / LANES, storeWords),
      [...get(TARGET), ...i32(LANES * DIGEST_BYTES), ...ADD, ...set(TARGET)],
      [...get(SOURCE), ...i32(LANES * MESSAGE_BYTES), ...ADD, ...tee(SOURCE), ...get(END), ...LESS_UNSIGNED],
    ),
  );
  return kernelModule({ params: 3, i32Locals: 1, v128Locals: V128_LOCALS, body });
}
