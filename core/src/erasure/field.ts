/**
 * GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1 (0x11d), the Cantor basis that orders the evaluation points, and the tower basis in
 * which symbols are stored (docs/protocol/erasure.md). "Standard" is the polynomial basis; "stored" is the tower basis.
 */

const POLYNOMIAL = 0x11d;
const ORDER = 255;

const EXP = new Uint8Array(2 * ORDER);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < ORDER; power += 1) {
  EXP[power] = value;
  EXP[power + ORDER] = value;
  LOG[value] = power;
  value <<= 1;
  if (value > 0xff) value ^= POLYNOMIAL;
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (EXP[(LOG[a] ?? 0) + (LOG[b] ?? 0)] ?? 0);
}

/** 1 / a for a != 0. */
export function inverse(a: number): number {
  return EXP[ORDER - (LOG[a] ?? 0)] ?? 0;
}

/**
 * b0 = 1 and b(i+1)^2 + b(i+1) = b(i): each next element is the smallest solution from which the basis can be completed.
 */
function findCantorBasis(basis: readonly number[]): readonly number[] | undefined {
  if (basis.length === 8) return basis;
  const last = basis[basis.length - 1];
  for (let candidate = 2; candidate < 256; candidate += 1) {
    if ((multiply(candidate, candidate) ^ candidate) !== last) continue;
    const found = findCantorBasis([...basis, candidate]);
    if (found !== undefined) return found;
  }
  return undefined;
}

export const CANTOR_BASIS: readonly number[] = findCantorBasis([1]) ?? [];

/** Evaluation point `index`: the sum of the Cantor basis elements whose bits are set. */
export function point(index: number): number {
  return CANTOR_BASIS.reduce((sum, element, bit) => ((index >> bit) & 1 ? sum ^ element : sum), 0);
}

function towerBasis(): number[] {
  const [, b1 = 0, b2 = 0, , b4 = 0] = CANTOR_BASIS;
  const gf4 = [1, b1];
  const gf16 = [...gf4, ...gf4.map((element) => multiply(element, b2))];
  return [...gf16, ...gf16.map((element) => multiply(element, b4))];
}

/** Bit p of a stored symbol stands for TOWER_BASIS[p]. */
export const TOWER_BASIS: readonly number[] = towerBasis();

export function storedToStandard(stored: number): number {
  return TOWER_BASIS.reduce((sum, element, bit) => ((stored >> bit) & 1 ? sum ^ element : sum), 0);
}

const STANDARD_TO_STORED = new Uint8Array(256);
for (let stored = 0; stored < 256; stored += 1) STANDARD_TO_STORED[storedToStandard(stored)] = stored;

/** Column q: the stored form of (coefficient x TOWER_BASIS[q]), so bit p of it says whether plane p takes in plane q. */
export function bitColumns(coefficient: number): readonly number[] {
  return TOWER_BASIS.map((element) => STANDARD_TO_STORED[multiply(coefficient, element)] ?? 0);
}
