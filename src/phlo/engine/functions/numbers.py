"""Functions of numbers that DuckDB has not."""

from __future__ import annotations

import math
import struct
from decimal import ROUND_HALF_UP, Decimal
from statistics import NormalDist


def float_bytes(x: float, layout: str) -> bytes:
    """IEEE 754 bytes of a number; ``layout`` is that of the struct module."""
    return struct.pack(layout, x)


def float_of_bytes(data: bytes, layout: str) -> float:
    """Read a number from IEEE 754 bytes."""
    return float(struct.unpack(layout, data)[0])


def normal_cdf(mean: float, deviation: float, x: float) -> float:
    """Cumulative distribution of a normal variable."""
    if deviation <= 0:
        raise ValueError("standardDeviation must be > 0")
    return 0.5 * math.erfc((mean - x) / (deviation * math.sqrt(2)))


def inverse_normal_cdf(mean: float, deviation: float, p: float) -> float:
    """Where a normal variable's cumulative distribution is ``p``."""
    if not 0 < p < 1:
        raise ValueError("p must be 0 > p > 1")
    if deviation <= 0:
        raise ValueError("standardDeviation must be > 0")
    return NormalDist(mean, deviation).inv_cdf(p)


def java_format(x: float, form: str) -> str:
    """Print a double as Java's ``%.<n>f`` and ``%.<n>e`` do: from its shortest digits, half up.

    >>> java_format(1.005, "2f"), java_format(12345.678, "3e"), java_format(float("nan"), "2f")
    ('1.01', '1.235e+04', 'NaN')
    """
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    digits, letter = int(form[:-1]), form[-1]
    exact = Decimal(repr(x))
    if letter == "f":
        return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
    power = exact.adjusted() if exact else 0
    mantissa = exact.scaleb(-power).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if abs(mantissa) >= 10:
        mantissa, power = (mantissa / 10).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), power + 1
    return f"{mantissa:f}e{'-' if power < 0 else '+'}{abs(power):02d}"
