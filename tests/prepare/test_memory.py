"""The memory that preparation takes is measured rightly, and given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bessemer.prepare.prepare import give_back

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HOLD = "import time; held = b'1' * ({} << 20); time.sleep(0.5)"
START = "import subprocess, sys; held = b'1' * (40 << 20); subprocess.run([sys.executable, '-c', sys.argv[1]])"


@linux
def test_peaks_of_a_process_and_of_what_it_starts():
    with subprocess.Popen([sys.executable, "-c", START, HOLD.format(80)], text=True) as process:
        peaks = memory.watch(process)
    assert 40 < peaks["main"] < 80 < peaks["worker"] < 120
    assert max(peaks["worker"], 120) < peaks["together"] < peaks["main"] + peaks["worker"]


@linux
def test_a_peak_that_passed_before_a_look_is_seen():
    with subprocess.Popen([sys.executable, "-c", "b'1' * (60 << 20); " + HOLD.format(1)], text=True) as process:
        peaks = memory.watch(process)
    assert peaks["main"] > 60
    assert peaks["worker"] == 0


@linux
def test_a_process_that_has_ended_holds_nothing():
    assert memory.kibibytes("/proc/0/status", "VmHWM") == 0
    assert memory.family(0) == [0]


@linux
def test_what_was_freed_goes_back_to_the_system():
    blocks = [np.ones(4096, np.uint8) for _ in range(20_000)]
    kept = blocks[::100]
    held = memory.kibibytes("/proc/self/status", "VmRSS")
    del blocks
    give_back()
    assert held - memory.kibibytes("/proc/self/status", "VmRSS") > 50_000
    assert len(kept) == 200
