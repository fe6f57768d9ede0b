"""Freed memory stays with the process while it trains.

glibc gives large blocks back to the system as soon as they are free, and a step frees and takes the same blocks
again: each page is then fetched and filled with zeros once a step. Between steps nothing else could use them, as
the next step needs them again. PyTorch's own caching allocator does this on GPUs; on processors its tuning guide
advises other allocators for it, to be loaded before Python starts.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # names of glibc's options, mallopt(3)
NEVER = 2**31 - 1
KEPT = {TRIM_THRESHOLD: NEVER, MMAP_MAX: 0}
USUAL = {MMAP_MAX: 65_536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}  # where glibc's own adaptation ends
TUNED = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_")


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep what is freed within the block, and give it back at its end.

    Other C libraries than glibc, and environments that tune it already (`TUNED`), are left as they are.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt") or any(name in os.environ for name in TUNED):
        yield
        return
    for option, value in KEPT.items():
        library.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in USUAL.items():
            library.mallopt(option, value)
        library.malloc_trim(0)
