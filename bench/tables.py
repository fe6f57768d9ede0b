"""Markdown tables on standard output."""

from __future__ import annotations

from collections.abc import Callable

from bessemer.measure.benchmark import interleave, speedup, summarize


def print_head(title: str, *columns: str) -> None:
    """A heading and the head of a table."""
    print(f"\n### {title}\n")
    print_row(*columns)
    print_row(*["---"] * len(columns))


def print_row(*cells: str) -> None:
    """One row."""
    print("| " + " | ".join(cells) + " |", flush=True)


def table(title: str, runners: dict[str, Callable[[], object]], images: int, seconds: float = 6.0) -> None:
    """Time all runners in turns; ratios are against the first."""
    times = interleave(runners, seconds)
    reference = next(iter(times.values()))
    print_head(title, "variant", "median ms", "images/s", "times as fast (95%)", "trials")
    for name, taken in times.items():
        found, ratio = summarize(taken), speedup(reference, taken)
        rate = f"{1e3 * images / found['median_ms']:,.0f}"
        times_as_fast = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        print_row(name, f"{found['median_ms']:.2f}", rate, times_as_fast, f"{found['trials']:.0f}")
