"""Hashes that DuckDB has not."""

from __future__ import annotations

import hashlib
import hmac as keyed
import zlib

_64 = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def crc32(data: bytes) -> int:
    """CRC-32 of bytes."""
    return zlib.crc32(data)


def sha512(data: bytes) -> bytes:
    """SHA-512 of bytes."""
    return hashlib.sha512(data).digest()


def hmac(data: bytes, key: bytes, algorithm: str) -> bytes:
    """Keyed hash of bytes."""
    return keyed.new(key, data, algorithm).digest()


def xxhash64(data: bytes) -> bytes:
    """XXH64 with seed 0, most significant byte first.

    >>> xxhash64(b"abc").hex()
    '44bc2cf5ad770999'
    """
    length, at = len(data), 0
    if length >= 32:
        lanes = [(_P1 + _P2) & _64, _P2, 0, -_P1 & _64]
        while at + 32 <= length:
            for i in range(4):
                lanes[i] = _round(lanes[i], _word(data, at + 8 * i))
            at += 32
        total = sum(_rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _64
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * _P1 + _P4) & _64
    else:
        total = _P5
    return _finished((total + length) & _64, data[at:]).to_bytes(8, "big")


def _finished(total: int, rest: bytes) -> int:
    while len(rest) >= 8:
        total = (_rotated(total ^ _round(0, _word(rest, 0)), 27) * _P1 + _P4) & _64
        rest = rest[8:]
    if len(rest) >= 4:
        total = (_rotated(total ^ (int.from_bytes(rest[:4], "little") * _P1 & _64), 23) * _P2 + _P3) & _64
        rest = rest[4:]
    for byte in rest:
        total = _rotated(total ^ (byte * _P5 & _64), 11) * _P1 & _64
    total = (total ^ total >> 33) * _P2 & _64
    total = (total ^ total >> 29) * _P3 & _64
    return total ^ total >> 32


def _round(lane: int, word: int) -> int:
    return _rotated((lane + word * _P2) & _64, 31) * _P1 & _64


def murmur3(data: bytes) -> bytes:
    """MurmurHash3 of 128 bits for 64-bit machines, seed 0.

    >>> murmur3(b"").hex()
    '00000000000000000000000000000000'
    """
    h1 = h2 = at = 0
    while at + 16 <= len(data):
        h1 ^= _mixed(_word(data, at), _C1, 31, _C2)
        h1 = ((_rotated(h1, 27) + h2) * 5 + 0x52DCE729) & _64
        h2 ^= _mixed(_word(data, at + 8), _C2, 33, _C1)
        h2 = ((_rotated(h2, 31) + h1) * 5 + 0x38495AB5) & _64
        at += 16
    rest = data[at:]
    h2 ^= _mixed(int.from_bytes(rest[8:], "little"), _C2, 33, _C1)
    h1 ^= _mixed(int.from_bytes(rest[:8], "little"), _C1, 31, _C2)
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _64
    h2 = (h2 + h1) & _64
    h1, h2 = _avalanche(h1), _avalanche(h2)
    h1 = (h1 + h2) & _64
    h2 = (h2 + h1) & _64
    return h1.to_bytes(8, "little") + h2.to_bytes(8, "little")


def _mixed(word: int, first: int, by: int, second: int) -> int:
    return _rotated(word * first & _64, by) * second & _64


def _avalanche(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _64
    return h ^ h >> 33


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _rotated(x: int, by: int) -> int:
    return (x << by | x >> (64 - by)) & _64
