"""CityHash128 of version 1.0.2 as ClickHouse hashes files: piece by piece, each seeds the next.

The package clickhouse-cityhash has the same function, but ignores a seed.
"""

import struct

PIECE = 2048

_MASK = (1 << 64) - 1
_K0, _K1 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273
_K2, _K3 = 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69
_LONG = 128


def hash_of_file(content):
    """The two halves of a file's hash, lower one first."""
    state = (0, 0)
    for start in range(0, len(content), PIECE):
        state = hash_with_seed(content[start : start + PIECE], state)
    return state


def hash128(text):
    """CityHash128 of at least 16 bytes."""
    first, second = struct.unpack_from("<2Q", text)
    return hash_with_seed(text[16:], (first ^ _K3, second))


def hash_with_seed(text, seed):
    """CityHash128WithSeed; `seed` and the result are two halves, lower one first."""
    if len(text) < _LONG:
        return _short(text, *seed)
    x, y = seed
    z = len(text) * _K1 & _MASK
    v = _rotate(y ^ _K1, 49) * _K1 + _word(text, 0) & _MASK
    v = v, _rotate(v, 42) * _K1 + _word(text, 8) & _MASK
    w = _rotate(y + z & _MASK, 35) * _K1 + x & _MASK
    w = w, _rotate(x + _word(text, 88) & _MASK, 53) * _K1 & _MASK
    whole = len(text) // _LONG * _LONG
    for start in range(0, whole, 64):
        words = struct.unpack_from("<8Q", text, start)
        x = _rotate(x + y + v[0] + words[2] & _MASK, 37) * _K1 & _MASK
        y = _rotate(y + v[1] + words[6] & _MASK, 42) * _K1 & _MASK
        x ^= w[1]
        y ^= v[0]
        z = _rotate(z ^ w[0], 33)
        v = _weak(words[:4], v[1] * _K1 & _MASK, x + w[0] & _MASK)
        w = _weak(words[4:], z + w[1] & _MASK, y)
        z, x = x, z
    return _finish(text, len(text) - whole, (x, y, z), v, w)


def _finish(text, left, xyz, v, w):
    """Hash the last `left` bytes in steps of 32 from the end, then mix."""
    x, y, z = xyz
    y = y + _rotate(w[0], 37) * _K0 + z & _MASK
    x = x + _rotate(v[0] + z & _MASK, 49) * _K0 & _MASK
    for done in range(32, left + 32, 32):
        start = len(text) - done
        y = _rotate(y - x & _MASK, 42) * _K0 + v[1] & _MASK
        w = w[0] + _word(text, start + 16) & _MASK, w[1]
        x = _rotate(x, 49) * _K0 + w[0] & _MASK
        w = w[0] + v[0] & _MASK, w[1]
        v = _weak(struct.unpack_from("<4Q", text, start), *v)
    x, y = _pair(x, v[0]), _pair(y, w[0])
    return _pair(x + v[1] & _MASK, w[1]) + y & _MASK, _pair(x + w[1] & _MASK, y + v[1] & _MASK)


def _short(text, a, b):
    """CityMurmur, for less than 128 bytes."""
    if len(text) <= 16:
        a = _mix(a * _K1 & _MASK) * _K1 & _MASK
        c = b * _K1 + _at_most_16(text) & _MASK
        d = _mix(a + (_word(text, 0) if len(text) >= 8 else c) & _MASK)
    else:
        c = _pair(_word(text, len(text) - 8) + _K1 & _MASK, a)
        d = _pair(b + len(text) & _MASK, c + _word(text, len(text) - 16) & _MASK)
        a = a + d & _MASK
        for start in range(0, len(text) - 16, 16):
            first, second = struct.unpack_from("<2Q", text, start)
            a = (a ^ _mix(first * _K1 & _MASK) * _K1 & _MASK) * _K1 & _MASK
            b ^= a
            c = (c ^ _mix(second * _K1 & _MASK) * _K1 & _MASK) * _K1 & _MASK
            d ^= c
    a, b = _pair(a, c), _pair(d, b)
    return a ^ b, _pair(b, a)


def _at_most_16(text):
    length = len(text)
    if length > 8:
        first, last = _word(text, 0), _word(text, length - 8)
        return _pair(first, _rotate(last + length & _MASK, length)) ^ last
    if length >= 4:
        first, last = (int.from_bytes(part, "little") for part in (text[:4], text[-4:]))
        return _pair(length + (first << 3), last)
    if length:
        y = text[0] + (text[length >> 1] << 8)
        z = length + (text[-1] << 2)
        return _mix(y * _K2 & _MASK ^ z * _K3 & _MASK) * _K2 & _MASK
    return _K2


def _weak(words, a, b):
    first, second, third, fourth = words
    a = a + first & _MASK
    b = _rotate(b + a + fourth & _MASK, 21)
    c = a
    a = a + second + third & _MASK
    return a + fourth & _MASK, b + _rotate(a, 44) + c & _MASK


def _pair(low, high):
    a = (low ^ high) * _MUL & _MASK
    b = (high ^ a ^ a >> 47) * _MUL & _MASK
    return (b ^ b >> 47) * _MUL & _MASK


def _mix(value):
    return value ^ value >> 47


def _rotate(value, count):
    return (value >> count | value << 64 - count) & _MASK


def _word(text, start):
    return int.from_bytes(text[start : start + 8], "little")
