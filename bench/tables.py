"""Markdown tables on standard output."""

from __future__ import annotations


def print_head(title: str, *columns: str) -> None:
    """A heading and the head of a table."""
    print(f"\n### {title}\n")
    print_row(*columns)
    print_row(*["---"] * len(columns))


def print_row(*cells: str) -> None:
    """One row."""
    print("| " + " | ".join(cells) + " |", flush=True)
