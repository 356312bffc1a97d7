"""Resources that an encoder keeps after each call: host and device memory, open files, threads and child processes."""

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

# Rows of the calls of a round, which keeps what is kept at one size alone, and what is kept once in ten calls.
SIZES, FEW_ROWS = (1, 3, 1, 8, 2, 1, 5, 1, 2, 4), (1, 1, 1, 8, 1, 1, 2, 1, 1, 1)
WARM_UP, QUARTERS = 3, 4  # rounds before the first look; parts of the rounds after it
ROUNDS = (3, 5)  # in a quarter, as many as BUDGET_S has room for: 120 to 200 calls
BUDGET_S = 0.4
# What may be kept beyond the reference's own. Seen of encoders that keep nothing, on a machine with 13 to 30 processes on 2
# cores: 0.2 KiB a call where free memory goes back to the system, 0.8 where it does not (a worker's, without glibc).
PAGE, ONE = 4096, 1  # a call, in bytes; a quarter, of what is counted
BYTES = ("memory", "device memory")


class GrowthFigures(TypedDict):
    """The resources kept by each call: bytes of memory, or numbers of files, threads and processes."""

    what: str
    memory: float
    device_memory: NotRequired[float]
    open_files: float
    threads: float
    child_processes: float


@dataclass(frozen=True)
class Growth:
    """Medians of what was held in each quarter of the calls, by resource."""

    what: str  # calls of which rows
    calls: int  # in a quarter
    quarters: dict[str, list[float]]

    @property
    def kept(self) -> dict[str, float]:
        """The growth per call: the least one between successive quarters, because a cache that fills late grows in one."""
        return {name: min(later - earlier for earlier, later in pairwise(q)) / self.calls for name, q in self.quarters.items()}

    def comparisons(self, reference: "Growth | None") -> list[Comparison]:
        """Compare each resource with the growth of the reference."""
        own = reference.kept if reference else {}
        found = []
        for name, kept in self.kept.items():
            limit = max(0.0, own.get(name, 0.0)) + (PAGE if name in BYTES else ONE / self.calls)
            unit = "bytes of " if name in BYTES else ""
            found.append(Comparison(f"growth a call in {unit}{name}", np.array([max(0.0, kept)]), limit, [self.what]))
        return found

    def report(self) -> GrowthFigures:
        """The report's form: growth a call by resource, in bytes or numbers."""
        kept = {name.replace(" ", "_"): kept for name, kept in self.kept.items()}
        return cast("GrowthFigures", {"what": self.what, **kept})


def growth(encoder: Encoder, inputs: Array | Tokens, tower: Tower, device: str) -> Growth:
    """Call with different numbers of rows, and measure after each round of the same calls."""
    position = 0

    def call_round(sizes: tuple[int, ...]) -> float:
        nonlocal position
        started = time.perf_counter()
        for size in sizes:
            rows = inputs[(position + np.arange(size)) % len(inputs)]
            position += size
            # Different pixels in every call, or a cache keyed by content would soon be full; there are enough different texts.
            encoder.encode(rows + np.float32(1e-6 * position) if tower == "image" else rows, tower)
        return time.perf_counter() - started

    with _frozen():
        last_s = [call_round(SIZES) for _ in range(WARM_UP)][-1]
        sizes = SIZES if QUARTERS * ROUNDS[0] * last_s < 2 * BUDGET_S else FEW_ROWS
        rounds = int(np.clip(BUDGET_S / last_s / QUARTERS, *ROUNDS))
        looks = []
        for _ in range(QUARTERS * rounds):
            call_round(sizes)
            looks.append(held(device))
    quarters = {
        name: np.median(np.reshape([look[name] for look in looks], (QUARTERS, rounds)), axis=1).tolist() for name in looks[0]
    }
    calls = rounds * len(sizes)
    return Growth(f"{QUARTERS * calls} calls with 1 to {max(sizes)} {tower}s", calls, quarters)


def held(device: str) -> dict[str, float]:
    """The resources of this process and its children, after garbage collection and the return of free memory to the system."""
    import psutil

    gc.collect()
    _malloc_trim()(0)
    this = psutil.Process()
    family = [this, *this.children(recursive=True)]
    found = {"memory": 0, "open files": 0, "threads": 0, "child processes": len(family) - 1}
    for process in family:
        with suppress(psutil.Error):  # it has ended meanwhile
            found["memory"] += _memory(process)
            found["open files"] += process.num_fds() if psutil.POSIX else process.num_handles()
            found["threads"] += process.num_threads()
    return {**found, **_on_device(device)}


def _memory(process: "psutil.Process") -> int:
    """Bytes of anonymous memory, without file pages, which the kernel adds and drops by itself."""
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()  # exact, as the counters of `status` are not
    except OSError:  # another system than Linux, or it ended
        return int(process.memory_full_info().uss)
    return 1024 * sum(map(int, re.findall(r"^(?:Anonymous|Pss_Shmem|Swap): +(\d+)", text, re.MULTILINE)))


def _on_device(device: str) -> dict[str, int]:
    """Bytes in use on the device, without torch's cache; empty if that cannot be queried."""
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
    """Garbage collections within the block check only new objects, which takes 0.1 ms instead of 100."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
