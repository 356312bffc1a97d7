"""The cell whose slowdown is known: a call is so many equal units, so one unit more of a hundred is exactly 1 %."""

import hashlib
import time

from plugins.measures.latency.paired import Call

UNITS = 100
CALL_S = 0.003  # what a call of UNITS takes on an idle core, about
STEP = 64  # bytes that SHA-256 takes in at once; its time does not depend on what they hold


def units(percent: int) -> int:
    """How many units are `percent` % more work than UNITS: a whole number, so nothing is rounded."""
    return UNITS * (100 + percent) // 100


def cell(count: int, unit_bytes: int) -> Call:
    """A call that hashes the same bytes `count` times; they stay in the first-level cache."""
    data = bytes(unit_bytes)
    sha256 = hashlib.sha256

    def call() -> None:
        for _ in range(count):
            sha256(data)

    return call


def bytes_of_a_unit(call_s: float = CALL_S) -> int:
    """How many bytes make a call of UNITS take `call_s` seconds here: by the fastest of many calls."""
    tried = 256 * STEP
    call = cell(UNITS, tried)
    fastest = float("inf")
    for _ in range(200):
        started = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - started)
    return max(1, round(tried * call_s / fastest / STEP)) * STEP
