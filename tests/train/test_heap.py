"""Freed memory is kept while training, and given back after it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
PAGES = 64 * 2**20 // resource.getpagesize()  # of the block below, which glibc would map anew each time
PROGRAM = """
import resource, sys, torch
from contextlib import nullcontext
from bessemer.train.memory.heap import freed_memory_kept

def faults(numbers):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

torch.set_num_threads(1)
start = resident()
with freed_memory_kept() if sys.argv[1] == "kept" else nullcontext():
    faults(17 * 2**20)
    again = faults(16 * 2**20)
    held = resident() - start
print(again, held, resident() - start, faults(16 * 2**20))
"""


def run(how: str, **environment: str) -> tuple[int, int, int, int]:
    """Page faults of a block that is taken again; pages held within and after; faults of one more block."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, env=environment
    )
    again, held, after, more = map(int, done.stdout.split())
    return again, held, after, more


@glibc
def test_what_is_freed_is_kept_for_the_next_step_and_given_back_in_the_end() -> None:
    again, held, after, more = run("kept")
    assert again < PAGES // 10
    assert held > 0.9 * PAGES
    assert after < PAGES // 10
    assert more > 0.9 * PAGES


@glibc
def test_it_would_be_fetched_anew_otherwise() -> None:
    assert run("freed")[0] > 0.9 * PAGES


@glibc
def test_an_environment_that_tunes_the_allocator_is_left_alone() -> None:
    assert run("kept", MALLOC_MMAP_THRESHOLD_="262144")[0] > 0.9 * PAGES
