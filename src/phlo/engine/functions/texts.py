"""Functions of text that DuckDB has not, or has by other rules."""

from __future__ import annotations

import base64
import ipaddress
import unicodedata
from itertools import groupby
from typing import Literal, cast

_SOUNDS = {
    letter: code for code, letters in enumerate(("", "BFPV", "CGJKQSXZ", "DT", "L", "MN", "R")) for letter in letters
}


def normalize(text: str, form: str) -> str:
    """Normalize Unicode text: NFC, NFD, NFKC or NFKD."""
    return unicodedata.normalize(cast("Literal['NFC', 'NFD', 'NFKC', 'NFKD']", form), text)


def soundex(text: str) -> str:
    """American Soundex; H and W do not part letters of one sound.

    >>> soundex("Robert"), soundex("Tymczak"), soundex("Pfister")
    ('R163', 'T522', 'P236')
    """
    letters = [letter for letter in text.upper() if "A" <= letter <= "Z"]
    if any(letter.isalpha() and not letter.isascii() for letter in text):
        raise ValueError(f"not of the letters A to Z: {text}")
    if not letters:
        return ""
    codes = [_SOUNDS.get(letter, 0) for letter in letters if letter not in "HW" or letter is letters[0]]
    kept = [code for code, _ in groupby(codes)][1:]
    return letters[0] + "".join(str(code) for code in kept if code)[:3].ljust(3, "0")


def levenshtein(one: str, other: str) -> int:
    """Count the least insertions, deletions and changes of code points that lead from one text to the other.

    >>> levenshtein("kitten", "sitting")
    3
    """
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != against))
    return row[-1]


def hamming(one: str, other: str) -> int:
    """Count the places in which two texts of one length differ.

    >>> hamming("日本", "日木")
    1
    """
    if len(one) != len(other):
        raise ValueError("The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(one, other, strict=True))


def to_base32(data: bytes) -> str:
    """Encode bytes."""
    return base64.b32encode(data).decode()


def from_base32(text: str) -> bytes:
    """Decode text."""
    return base64.b32decode(text)


def from_utf8(data: bytes, replacement: str) -> str:
    """Decode bytes, with a character in the place of each byte sequence that is none.

    >>> from_utf8(b"a" + bytes([255]), "?")
    'a?'
    """
    return (
        data.decode(errors="replace").replace("\ufffd", replacement) if b"\xef\xbf\xbd" not in data else data.decode()
    )


def is_within(network: str, address: str) -> bool:
    """Whether a network, such as 10.0.0.0/8, holds an address."""
    inside, held = ipaddress.ip_address(address), ipaddress.ip_network(network, strict=False)
    return inside in held


def ip_address(text: str) -> str:
    """Write an IP address as Trino does.

    >>> ip_address("2001:db8:0:0::1")
    '2001:db8::1'
    """
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
