"""Start one job on several processes with torchrun, and restart it when a process dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bessemer.errors import StoppedError, TrainingError
from bessemer.runtime import available_threads

MAX_RESTARTS = 3


def launch(module: str, arguments: list[str], processes: int, errors: Path) -> None:
    """Run `python -m module arguments` in `processes` ranks on this machine.

    A rank that dies restarts the group, which goes on from its checkpoint. The ranks write to the terminal;
    `errors` gets what torchrun says of failures. Raises TrainingError when the restarts are used up.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += [f"--max-restarts={MAX_RESTARTS}", "--module", module, *arguments]
    threads = max(1, available_threads() // processes)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with errors.open("ab") as log:
        worker = subprocess.Popen(command, env=environment, stderr=log)
        try:
            code = worker.wait()
        except KeyboardInterrupt:
            worker.terminate()  # the ranks save their state and leave
            worker.wait()
            raise StoppedError("stopped by Ctrl-C; state saved", "run the same command to go on") from None
        finally:
            if worker.poll() is None:
                worker.terminate()
                worker.wait()
    if code == StoppedError.exit_code:
        raise StoppedError("stopped by a signal; state saved", "run the same command to go on")
    if code:
        tail = errors.read_text(errors="replace").strip().splitlines()[-1:]
        problem = f"training on {processes} processes failed with code {code}: {' '.join(tail)}"
        raise TrainingError(problem, f"see {errors}")
