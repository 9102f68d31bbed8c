#!/usr/bin/env python3
"""Vectors of the erasure code from a second implementation, which shares nothing with the first but docs/protocol/erasure.md.

    python3 test/vectors/independent/erasure.py > test/vectors/independent/erasure.json

Plain Lagrange interpolation, symbol by symbol; Python 3.9 without dependencies. It also rebuilds every lost cell from the kept ones,
and stops when one differs.
"""
import hashlib
import json

CODES = [(1, 2), (1, 128), (2, 4), (4, 8), (10, 16), (10, 20), (20, 40), (20, 50), (29, 80), (64, 128), (100, 128), (127, 128)]
SEEDS = 2
CELL_BYTES = 256
UNIT_BYTES = 128

# The field: bit i of an integer is the coefficient of x^i.
POLYNOMIAL = 0x11D
EXP, LOG = [0] * 510, [0] * 256
element = 1
for power in range(255):
    EXP[power] = EXP[power + 255] = element
    LOG[element] = power
    element <<= 1
    if element & 0x100:
        element ^= POLYNOMIAL


def multiply(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def divide(a, b):
    return EXP[LOG[a] + 255 - LOG[b]] if a else 0


# The bases.
def complete(basis):
    if len(basis) == 8:
        return basis
    for candidate in range(2, 256):
        if multiply(candidate, candidate) ^ candidate == basis[-1]:
            found = complete(basis + [candidate])
            if found:
                return found
    return None


CANTOR = complete([1])
assert CANTOR == [1, 214, 152, 146, 86, 200, 88, 230]

TOWER = []
for index in range(8):
    product = 1
    for bit, factor in enumerate((CANTOR[1], CANTOR[2], CANTOR[4])):
        if index >> bit & 1:
            product = multiply(product, factor)
    TOWER.append(product)
assert TOWER == [1, 214, 152, 68, 86, 140, 203, 97]


def combine(basis, bits):
    total = 0
    for bit, member in enumerate(basis):
        if bits >> bit & 1:
            total ^= member
    return total


POINT = [combine(CANTOR, index) for index in range(256)]
FROM_STORED = [combine(TOWER, stored) for stored in range(256)]
TO_STORED = [FROM_STORED.index(standard) for standard in range(256)]


# Symbols in cells.
def symbols_of(cell):
    symbols = []
    for unit in range(0, len(cell), UNIT_BYTES):
        for s in range(UNIT_BYTES):
            stored = 0
            for p in range(8):
                stored |= (cell[unit + 16 * p + s // 8] >> s % 8 & 1) << p
            symbols.append(FROM_STORED[stored])
    return symbols


def cell_of(symbols):
    cell = bytearray(len(symbols))
    for number, symbol in enumerate(symbols):
        unit, s = number - number % UNIT_BYTES, number % UNIT_BYTES
        for p in range(8):
            cell[unit + 16 * p + s // 8] |= (TO_STORED[symbol] >> p & 1) << s % 8
    return bytes(cell)


# The code.
def power_of_two(x):
    power = 1
    while power < x:
        power *= 2
    return power


def points_of(k, n):
    """The point of each slot, and the points that are zero in every codeword."""
    m = n - k
    if power_of_two(m) < power_of_two(k):
        first, last, coded = power_of_two(m), power_of_two(power_of_two(m) + k), 0
    else:
        first, last, coded = 0, power_of_two(k), power_of_two(k)
    slots = list(range(first, first + k)) + list(range(coded, coded + m))
    return [POINT[index] for index in slots], [POINT[index] for index in range(first + k, last)]


def interpolate(known, zeros, wanted):
    """The values at `wanted` of the polynomial of least degree through `known` (point to symbols) that is zero at `zeros`."""
    through = list(known) + zeros
    rows = []
    for at in wanted:
        row = [0] * CELL_BYTES
        for own, symbols in known.items():
            above = below = 1
            for other in through:
                if other != own:
                    above, below = multiply(above, at ^ other), multiply(below, own ^ other)
            weight = divide(above, below)
            for number, symbol in enumerate(symbols):
                row[number] ^= multiply(weight, symbol)
        rows.append(row)
    return rows


# Inputs that anybody can make again.
def bytes_of(label, length):
    block = hashlib.sha256(label.encode()).digest()
    stream = block
    while len(stream) < length:
        block = hashlib.sha256(block).digest()
        stream += block
    return stream[:length]


def vector(k, n, seed):
    label = f"independent/erasure/{k}/{n}/{seed}"
    points, zeros = points_of(k, n)
    data = [symbols_of(bytes_of(f"{label}/{cell}", CELL_BYTES)) for cell in range(k)]
    cells = data + interpolate(dict(zip(points, data)), zeros, points[k:])
    kept = sorted(sorted(range(n), key=lambda slot: bytes_of(f"{label}/kept/{slot}", 32))[:k])
    lost = [slot for slot in range(n) if slot not in kept]
    rebuilt = interpolate({points[slot]: cells[slot] for slot in kept}, zeros, [points[slot] for slot in lost])
    assert rebuilt == [cells[slot] for slot in lost]
    coded = [cell_of(symbols) for symbols in cells[k:]]
    return {
        "k": k,
        "n": n,
        "seed": seed,
        "kept": " ".join(map(str, kept)),
        "firstCoded": "0x" + coded[0].hex(),
        "sha256OfCoded": "0x" + hashlib.sha256(b"".join(coded)).hexdigest(),
    }


print(
    json.dumps(
        {
            "source": "test/vectors/independent/erasure.py, from docs/protocol/erasure.md",
            "bytesOf": "bytesOf(label, length): SHA-256(label), then SHA-256 of the block before, cut to length",
            "data": "cell j of a code is bytesOf(`independent/erasure/k/n/seed/j`, 256)",
            "codes": [vector(k, n, seed) for k, n in CODES for seed in range(SEEDS)],
        },
        indent=2,
    )
)
