"""Start one job on several processes with torchrun, which restarts the group when a process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bessemer.runtime import available_threads

MAX_RESTARTS = 3
WATCH_SECONDS = 0.2
LAUNCHER = "BESSEMER_LAUNCHER_PID"
# A store for each attempt: from one that all attempts share, ranks that start again read addresses of dead ones.
FRESH_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def launch(module: str, arguments: list[str], processes: int, log: Path, watch: Callable[[], None]) -> int:
    """Run `python -m module arguments` in `processes` ranks on this machine; returns torchrun's exit code.

    All output goes to `log`; `watch` is called while the ranks work. On Ctrl-C or SIGTERM the ranks are told to
    save and leave, then KeyboardInterrupt goes on.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += [f"--max-restarts={MAX_RESTARTS}", "--module", module, *arguments]
    threads = max(1, available_threads() // processes)
    environment = {**os.environ, **FRESH_STORE, "OMP_NUM_THREADS": str(threads), LAUNCHER: str(os.getpid())}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # so ranks find what is found here
    with log.open("ab") as out:
        # A session of its own: Ctrl-C in the terminal reaches the ranks once, through the lines below.
        group = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            while group.poll() is None:
                watch()
                time.sleep(WATCH_SECONDS)
        except BaseException:
            group.terminate()
            group.wait()
            raise
    watch()
    return group.returncode


def leave_with_launcher() -> None:
    """End this rank when the process that launched the group is gone, so that a kill leaves no orphan."""
    launcher, torchrun = int(os.environ[LAUNCHER]), os.getppid()

    def look() -> None:
        while True:
            try:
                os.kill(launcher, 0)
            except ProcessLookupError:
                if os.getppid() == torchrun:  # else another rank was first, and this is somebody else's number
                    os.kill(torchrun, signal.SIGKILL)  # it would start ranks again, and takes its time to end
                os._exit(1)
            time.sleep(WATCH_SECONDS)

    threading.Thread(target=look, daemon=True).start()


def end_rank() -> NoReturn:
    """End this rank with exit code 0, at once.

    Threads of gloo outlive their process group. One that lets go of a tensor while the interpreter is taken down
    aborts the process, and the launcher would then start work again that was finished.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
