"""Requests that arrive on their own, whether or not earlier ones are answered: latency counts from the scheduled arrival.

A client that waits for its answer before it sends the next request sends none while a server stalls, and so measures one slow
request where users would have met hundreds: "coordinated omission" (Gil Tene, "How not to measure latency", 2013).
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

Seconds = NDArray[np.float64]
SATURATED = 0.9  # answers over arrivals, both per second, below which a backlog grows


@dataclass(frozen=True)
class Answer:
    """One request: when it was due, when a client sent it and when its answer was there, in seconds from the start.

    `found` is what the call returned. It is None for a call that raised (`refused` says how) and for a request that is given up
    because no client was free to send it in time: then `ended` is that moment.
    """

    due: float
    sent: float
    ended: float
    found: object = None
    refused: str = ""


class Load(TypedDict):
    """Figures of one rate: per second, milliseconds from the due time, and counts of requests."""

    offered: float
    throughput: float  # answers, whenever they came
    goodput: float  # answers that were on time and right
    p50: float
    p95: float
    p99: float
    requests: int
    late: int
    wrong: int  # answered, not refused
    refused: int
    unanswered: int
    saturated: bool


def arrivals(rate: float, seconds: float, rng: np.random.Generator) -> Seconds:
    """Due times of a Poisson process of `rate` per second within `seconds`, float64 [n], rising; one if there are none."""
    gaps = rng.exponential(1 / rate, int(2 * rate * seconds) + 20)  # far more than arrive in time
    due = np.cumsum(gaps)
    return np.asarray(due[due < seconds] if due[0] < seconds else rng.uniform(0, seconds, 1))


def drive(call: Callable[[int], object], due: Seconds, clients: int, give_up_s: float) -> list[Answer]:
    """Send request i when it is due, from the first of `clients` threads that is free; nothing is sent after `give_up_s`.

    If all requests are due at 0, this is the closed loop: each client sends its next request when it has its answer.
    """
    numbers, started = count(), time.perf_counter()

    def client(_: int) -> list[Answer]:
        mine = []
        while (i := next(numbers)) < len(due):  # next() of a count is one step of the interpreter: no two clients get one i
            at = float(due[i])
            time.sleep(max(0.0, started + at - time.perf_counter()))
            sent = time.perf_counter() - started
            if sent > give_up_s:
                mine.append(Answer(at, sent, sent))
                continue
            found, refused = None, ""
            try:
                found = call(i)
            except Exception as error:  # whichever way it refuses
                refused = f"{type(error).__name__}: {error}"
            mine.append(Answer(at, sent, time.perf_counter() - started, found, refused))
        return mine

    with ThreadPoolExecutor(clients) as threads:
        answers = [answer for answers in threads.map(client, range(clients)) for answer in answers]
    return sorted(answers, key=lambda answer: answer.due)


def figures(answers: Sequence[Answer], right: Sequence[bool], seconds: float, on_time_s: float) -> Load:
    """What `answers` to arrivals within `seconds` show; `right[i]` says whether answer i holds the right vector.

    Percentiles are of all requests but refused ones, which may be quick: they count in `refused`, and not as good. A request
    that is given up has waited at least so long. Rates are per second until the last answer.
    """
    waited = np.array([answer.ended - answer.due for answer in answers])
    answered = np.array([answer.found is not None for answer in answers])
    refused = np.array([bool(answer.refused) for answer in answers])
    good = answered & np.array(right, bool) & (waited <= on_time_s)
    span = max(seconds, *(answer.ended for answer in answers))
    offered, throughput = len(answers) / seconds, float(answered.sum()) / span
    counted = waited if refused.all() else waited[~refused]
    p50, p95, p99 = (1e3 * np.percentile(counted, (50, 95, 99), method="inverted_cdf")).tolist()
    return {
        "offered": offered,
        "throughput": throughput,
        "goodput": float(good.sum()) / span,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "requests": len(answers),
        "late": int((waited > on_time_s).sum()),
        "wrong": int((answered & ~np.array(right, bool)).sum()),
        "refused": int(refused.sum()),
        "unanswered": int((~answered & ~refused).sum()),
        "saturated": throughput < SATURATED * offered,
    }
