"""The noisy neighbour: a process that fills every core and the memory bus in bursts of random length, on request."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from types import TracebackType

import numpy as np

from fixtures import ROOT
from fixtures.machine.devices import cores

BURST_S, PAUSE_S = (0.02, 0.6), (0.01, 0.3)  # drawn uniformly between these
HASHED, COPIED = 2**20, 2**24  # bytes at a time: neither holds Python's lock meanwhile


class Neighbour:
    """The other side of the process; leaving the block ends it, and so does the death of this process."""

    def __init__(self, seed: int) -> None:
        command = [sys.executable, "-m", "suites.studies.gate_power.neighbour", str(seed)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal is for this process, which then ends that one
        )

    def __enter__(self) -> "Neighbour":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def on(self) -> None:
        """Start bursts."""
        self._ask("on")

    def off(self) -> float:
        """Stop bursts; returns the seconds of processor time used since the last order."""
        return self._ask("off")

    def _ask(self, order: str) -> float:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def work(busy: threading.Event) -> None:
    """Hash and copy while it is busy."""
    data = bytes(HASHED)
    here, there = np.zeros(COPIED, np.uint8), np.zeros(COPIED, np.uint8)
    while busy.wait():
        hashlib.sha256(data)
        np.copyto(there, here)


def bursts(seed: int, wanted: threading.Event, unwanted: threading.Event, busy: threading.Event) -> None:
    """Switch the work on and off, as long as it is wanted."""
    rng = np.random.default_rng(seed)
    while wanted.wait():
        busy.set()
        unwanted.wait(rng.uniform(*BURST_S))
        busy.clear()
        unwanted.wait(rng.uniform(*PAUSE_S))


def main(seed: int) -> None:
    """Obey "on" and "off" until standard input ends, as it does when the process that started this one is gone."""
    wanted, unwanted, busy = threading.Event(), threading.Event(), threading.Event()
    for _ in range(cores()):
        threading.Thread(target=work, args=(busy,), daemon=True).start()
    threading.Thread(target=bursts, args=(seed, wanted, unwanted, busy), daemon=True).start()
    last = time.process_time()
    for order in sys.stdin:
        if order.strip() == "on":
            unwanted.clear()
            wanted.set()
        else:
            wanted.clear()
            unwanted.set()  # ends a burst at once, one that begins in this moment too
        now = time.process_time()
        print(now - last, flush=True)
        last = now
    os._exit(0)  # the threads have no end of their own


if __name__ == "__main__":
    main(int(sys.argv[1]))
