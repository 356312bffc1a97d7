"""`--workers`: which tests run in parallel workers, and in how many. Whatever is timed runs alone, after they have ended."""

import os
from itertools import pairwise

import pytest

from fixtures.machine.devices import cores
from fixtures.registry import backend
from plugins.cells.matrix import encoder_of, subject

GIB = 2**30
WORKER_GIB = 4.0  # memory that a worker is given room for: torch, its references and the largest cell of the default model
CORES = 2  # of a worker; with one each, two workers on two cores were 3 % faster than none: one process uses 1.7 of them
FEWEST = 3  # encoders a worker; with fewer, starting workers takes longer than they save


def count(text: str) -> int | None:
    """A number of workers; None for auto."""
    if text == "auto":
        return None
    if not text.isdecimal() or not int(text):
        raise pytest.UsageError(f"--workers is '{text}', expected a number from 1 or auto")
    if int(text) > 1 and not hasattr(os, "sched_setaffinity"):
        raise pytest.UsageError(f"--workers is {text}, expected 1: this system cannot give each worker cores of its own")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --workers."""
    text = "processes that compare cells beside each other; timed tests run alone, afterwards [as cores and memory allow]"
    parser.getgroup("clip-conformance").addoption("--workers", type=count, metavar="N", help=text)


def group(item: pytest.Item) -> str:
    """The encoder or preprocessor whose tests one worker runs in a row; empty for a test that stays in the main process.

    There stay tests that are timed, those of GPUs, of which each process would need its share, and those of encoders whose
    code is generated for the number of cores: a worker has fewer, and its code would not be the one that is timed.
    """
    about, key = subject(item), encoder_of(item)
    if about is None or is_timed(item):
        return ""
    if key and (key.device != "cpu" or backend(key.backend).generates_code):
        return ""
    return str(key or about)


def slow(item: pytest.Item) -> bool:
    """True for a test of an encoder that may take several times as long as others: few processors have fp16 products."""
    key = encoder_of(item)
    return key is not None and key.base == "fp16"


def is_timed(item: pytest.Item) -> bool:
    """True for a test that carries the mark `alone` or a benchmark."""
    return item.get_closest_marker("alone") is not None or "benchmark" in getattr(item, "fixturenames", ())


def number(config: pytest.Config, items: list[pytest.Item]) -> int:
    """How many workers: as many as --workers wants, or as are worth while; 1 is none beside the main process."""
    import psutil

    encoders = len({group(item) for item in items if group(item) and not isinstance(subject(item), str)})
    if (wanted := config.getoption("--workers")) or not hasattr(os, "sched_setaffinity"):
        return min(wanted or 1, encoders)
    return min(cores() // CORES, int(psutil.virtual_memory().available / GIB / WORKER_GIB), encoders // FEWEST)


def shares(workers: int) -> list[list[int]]:
    """The cores of each worker: all that this process may use, divided evenly, or by turns if there are fewer."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < workers:
        return [[mine[i % len(mine)]] for i in range(workers)]
    return [mine[start:end] for start, end in pairwise(i * len(mine) // workers for i in range(workers + 1))]
