"""Detects leaks: growth per encoder call of host and device memory, open files, threads and child processes."""

import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, cast

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array, Encoder, Tokens, Tower
from plugins.measures.vectors.metrics import Comparison

if TYPE_CHECKING:
    import psutil

# Rows of each call in a round: it detects leaks at one batch size only, and leaks in one of ten calls.
SIZES, FEW_ROWS = (1, 2, 1, 5, 2, 1, 3, 1, 2, 1), (1, 1, 1, 3, 1, 1, 2, 1, 1, 1)
WARM_UP, QUARTERS = 3, 4  # rounds before the measured ones; parts of the measured rounds
ROUNDS = (3, 5)  # fewest and most rounds in a quarter, as BUDGET_S allows: 120 to 200 calls
LOOKS = 2  # rounds at the end of a quarter after which the resources are read, which takes as long as some calls
BUDGET_S = 0.4
# Allowed growth beyond the reference's. Encoders without a leak showed, on 2 cores with 13 to 30 processes, 0.2 KiB per call
# if free memory returns to the system, and 0.8 if it does not (in a worker, without glibc).
PAGE, ONE = 4096, 1  # bytes per call; number per quarter, for counted resources
BYTES = ("memory", "device memory")


class GrowthFigures(TypedDict):
    """Growth per call: bytes of memory, or a number of open files, threads and child processes."""

    what: str
    memory: float
    device_memory: NotRequired[float]
    open_files: float
    threads: float
    child_processes: float


@dataclass(frozen=True)
class Growth:
    """The least usage at the end of quarters of the calls, by resource: what is not yet given back is not kept."""

    what: str  # description of the calls
    calls: int  # from one of these ends to the next
    quarters: dict[str, list[float]]

    @property
    def kept(self) -> dict[str, float]:
        """Growth per call by resource: the smallest between two quarters, as a cache that fills late grows in one only."""
        return {name: min(later - earlier for earlier, later in pairwise(q)) / self.calls for name, q in self.quarters.items()}

    def comparisons(self, reference: "Growth | None") -> list[Comparison]:
        """Return a comparison of each resource's growth with the reference's."""
        own = reference.kept if reference else {}
        found = []
        for name, kept in self.kept.items():
            limit = max(0.0, own.get(name, 0.0)) + (PAGE if name in BYTES else ONE / self.calls)
            unit = "bytes of " if name in BYTES else ""
            found.append(Comparison(f"growth per call in {unit}{name}", np.array([max(0.0, kept)]), limit, [self.what]))
        return found

    def report(self) -> GrowthFigures:
        """Return the growth per call by resource for the report, in bytes or numbers."""
        kept = {name.replace(" ", "_"): kept for name, kept in self.kept.items()}
        return cast("GrowthFigures", {"what": self.what, **kept})


def growth(encoder: Encoder, inputs: Array | Tokens, tower: Tower, device: str, thorough: bool = True) -> Growth:
    """Measure growth: call with changing numbers of rows, and read the resources after the last rounds of each quarter.

    All rounds of a quarter are alike. If not `thorough`, a look at the end of the first quarter and one at the end of the last
    give what was kept on average, which is no less than the smallest growth: within limits, that needs no more looks.
    """
    position = 0

    def call_round(sizes: tuple[int, ...]) -> float:
        nonlocal position
        started = time.perf_counter()
        for size in sizes:
            rows = inputs[(position + np.arange(size)) % len(inputs)]
            position += size
            # The pixels differ in every call, or a cache by content would soon be full; texts differ enough already.
            encoder.encode(rows + np.float32(1e-6 * position) if tower == "image" else rows, tower)
        return time.perf_counter() - started

    with _frozen():
        last_s = [call_round(SIZES) for _ in range(WARM_UP)][-1]
        sizes = SIZES if QUARTERS * ROUNDS[0] * last_s < 2 * BUDGET_S else FEW_ROWS
        rounds = int(np.clip(BUDGET_S / last_s / QUARTERS, *ROUNDS))
        seen = []
        ends, looks = (range(QUARTERS), LOOKS) if thorough else ((0, QUARTERS - 1), 1)
        for number in range(QUARTERS * rounds):
            call_round(sizes)
            if number // rounds in ends and number % rounds >= rounds - looks:
                seen.append(held(device))
    quarters = {name: np.min(np.reshape([look[name] for look in seen], (-1, looks)), axis=1).tolist() for name in seen[0]}
    calls = rounds * len(sizes)
    what = f"{QUARTERS * calls} calls with 1 to {max(sizes)} {tower}s"
    return Growth(what, calls * (ends[1] - ends[0]), quarters)


def held(device: str) -> dict[str, float]:
    """Return the resources of this process and its children, after garbage collection and the return of free memory."""
    import psutil

    gc.collect()
    _malloc_trim()(0)
    this = psutil.Process()
    family = [this, *this.children(recursive=True)]
    found = {"memory": 0, "open files": 0, "threads": 0, "child processes": len(family) - 1}
    for process in family:
        with suppress(psutil.Error):  # the process has just ended
            found["memory"] += _memory(process)
            found["open files"] += process.num_fds() if psutil.POSIX else process.num_handles()
            found["threads"] += process.num_threads()
    return {**found, **_on_device(device)}


def _memory(process: "psutil.Process") -> int:
    """Return the bytes of memory that no file backs; the kernel may drop file-backed pages. Unwritten pages do not count."""
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()  # exact, unlike the counters of `status`
    except OSError:  # not Linux, or the process has ended
        return int(process.memory_full_info().uss)
    return 1024 * sum(map(int, re.findall(r"^(?:Anonymous|Pss_Shmem|Swap): +(\d+)", text, re.MULTILINE)))


def _on_device(device: str) -> dict[str, int]:
    """Return the bytes in use on the device, without torch's unused cache; empty if the device cannot report it."""
    import torch

    if device == "mps":
        return {"device memory": torch.mps.current_allocated_memory()}
    if device != "cuda" or not torch.cuda.is_available():
        return {}
    free, total = torch.cuda.mem_get_info()
    return {"device memory": total - free - torch.cuda.memory_reserved() + torch.cuda.memory_allocated()}


@cache
def _malloc_trim() -> Any:
    try:
        return CDLL(None).malloc_trim
    except (AttributeError, TypeError):  # no glibc
        return lambda pad: 0


@contextmanager
def _frozen() -> Iterator[None]:
    """Restrict garbage collection to objects created in the context: 0.1 ms per collection instead of 100."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
