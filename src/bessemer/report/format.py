"""Numbers as people read them. A figure that is missing reads 'not measured'."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from typing import Any, TypeGuard

NOT_MEASURED = "not measured"
NOT_RUN = "not run"
NO_CONTRACT = "no contract"


def known(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def visible(text: str) -> str:
    """`text` with a box in place of control characters and halves of surrogate pairs, which no page can hold."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" else c for c in text)


def significant(value: float) -> str:
    """Three significant digits, never in powers of ten: 0.0432, 1.23, 45.7, 1,234."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:,.{min(max(2 - magnitude, 0), 9)}f}"


def percent(share: Any) -> str:
    """A share as a percentage with two decimals."""
    return f"{100 * share:.2f}%" if known(share) else NOT_MEASURED


def interval(metric: dict[str, Any] | None) -> str:
    """The 95% interval of a metric, such as `97.40 to 99.38%`; empty where there is none."""
    low, high = (metric or {}).get("low"), (metric or {}).get("high")
    return f"{100 * low:.2f} to {100 * high:.2f}%" if known(low) and known(high) else ""


def points(share: Any, *, sign: bool = False) -> str:
    """A difference of two shares, in percentage points."""
    if not known(share):
        return NOT_MEASURED
    rounded = round(100 * share, 2) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.2f} points"


def size(count: Any, *, sign: bool = False) -> str:
    """Bytes in decimal units: `812 B`, `131 kB`, `1.2 MB`."""
    if not known(count):
        return NOT_MEASURED
    value, unit = abs(float(count)), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    prefix = "-" if count < 0 else "+" if sign and count else ""
    return f"{prefix}{value:.{0 if unit == 'B' or value >= 99.95 else 1}f} {unit}"


def milliseconds(value: Any, *, sign: bool = False) -> str:
    """A duration in milliseconds, with three significant digits."""
    if not known(value):
        return NOT_MEASURED
    return f"{'+' if sign and value > 0 else ''}{significant(value)} ms"


def seconds(value: Any, *, sign: bool = False) -> str:
    """A duration as `0.3 s`, `12.0 s`, `3 min 20 s` or `2 h 05 min`."""
    if not known(value):
        return NOT_MEASURED
    prefix, value = "-" if value < 0 else "+" if sign and value else "", abs(value)
    if value < 59.95:
        return f"{prefix}{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{prefix}{minutes} min {rest:02d} s"
    return f"{prefix}{minutes // 60} h {minutes % 60:02d} min"


def times(ratio: Any) -> str:
    """A ratio such as `9.1x`; two decimals below 2, where they matter."""
    if not known(ratio):
        return NOT_MEASURED
    return f"{ratio:.{2 if ratio < 2 else 1 if ratio < 99.95 else 0}f}x"


def count(value: Any) -> str:
    """A whole number with separators, or in millions and billions when it is large."""
    if not known(value):
        return NOT_MEASURED
    for limit, scale, unit in ((1e9, 1e9, "billion"), (1e6, 1e6, "million")):
        if value >= limit:
            return f"{significant(value / scale)} {unit}"
    return f"{value:,.0f}"


def plural(value: Any, noun: str) -> str:
    """`1 row`, `2 rows`, `2 classes`."""
    ending = "" if value == 1 else "es" if noun.endswith("s") else "s"
    return f"{count(value)} {noun}{ending}"


def ratio(before: Any, after: Any) -> float | None:
    """`before / after`, or None where one of them is missing."""
    return before / after if known(before) and known(after) and after else None


def compared(factor: float | None, more: str, less: str) -> str:
    """A factor in words: `9.1x smaller`, `1.30x larger`, or `no smaller` when it rounds to one."""
    if factor is None or factor <= 0:
        return ""
    if round(factor, 2) == 1:
        return f"no {more}"
    return f"{times(factor)} {more}" if factor > 1 else f"{times(1 / factor)} {less}"


def plain(value: Any) -> str:
    """Any value of a contract term that has no unit known here."""
    return significant(value) if known(value) else NOT_MEASURED if value is None else str(value)


QUANTITIES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "speedup": ("speed-up", times),
    "shrink": ("shrink", times),
    "bytes": ("size", size),
    "latency_ms": ("latency", milliseconds),
    "parameters": ("parameters", count),
    "flops": ("FLOPs", count),
}


def quantity(name: str) -> str:
    """What a contract term limits, in words: `speed-up` for `min_speedup`."""
    label = term(name)[0]
    return label.removesuffix(" at most").removesuffix(" at least")


def term(name: str) -> tuple[str, Callable[[Any], str]]:
    """The words for a contract term, such as `size at most`, and the format of its values."""
    if name == "not_slower":  # of the contract itself, unasked
        return "speed-up of an int8 file at least", times
    bound, _, rest = name.partition("_")
    words = {"max": "at most", "min": "at least"}.get(bound)
    if words is None:
        return name.replace("_", " "), plain
    label, form = QUANTITIES.get(rest, (rest.replace("_", " "), plain))
    return f"{label} {words}", form
