"""Many clients at once: requests arrive at a rate, which rises for each number of clients until it is saturated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from fixtures.capability import Tower
from plugins.measures.latency.open_loop import Load, arrivals, drive, figures
from plugins.measures.latency.paired import no_garbage_collection
from suites.studies.serving.documents import DIRECTION, Pool, Subject

CLIENTS = (1, 2, 4, 8, 16)
FIRST, SECOND, FACTOR = 0.5, 0.8, 1.5  # rates, as shares of what a closed loop of as many clients answers; then each by so much
MOST = 8  # rates, for a closed loop that was disturbed
CLOSED_S = 0.5  # of that closed loop, and no longer than a rate
BUSY = {"E10", "S6"}  # promises about vectors under load
CLOSED_MOST = 20_000  # requests in it: more than are answered
PATIENCE = 2.0  # times the seconds of a rate, after which what is left is given up


class Row(Load):
    """One rate: `rate` is what was meant, `offered` what came of it by chance."""

    rate: float
    declared: bool  # the subject declares that its vectors point elsewhere than golden's, or are mixed up under load
    subject: str
    tower: Tower
    clients: int


def loaded(
    subject: Subject,
    pools: Mapping[Tower, Pool],
    clients: Sequence[int],
    seconds: float,
    on_time_s: float,
    step: Callable[[str], None],
) -> Iterator[Row]:
    """A row for each tower, number of clients and rate; each rate is measured for `seconds`, the first saturated one is the
    last. A request is one document."""
    rng = np.random.default_rng(0)
    for tower, documents in pools.items():
        subject.first(documents, tower)
        declared = subject.declares(DIRECTION[tower] | BUSY, tower)
        for count in clients:
            step(f"load on {subject.name}: {tower}s, {count} client{'s' * (count > 1)}")
            most = capacity(subject, documents, tower, count, min(CLOSED_S, seconds))
            for share in (FIRST, *(SECOND * FACTOR**n for n in range(MOST - 1))):
                due = arrivals(share * most, seconds, rng)
                found = served(subject, documents, tower, due, count, seconds, on_time_s)
                yield cast(
                    Row,
                    {
                        "subject": subject.name,
                        "tower": tower,
                        "clients": count,
                        "rate": share * most,
                        "declared": declared,
                        **found,
                    },
                )
                if found["saturated"]:
                    break


def capacity(subject: Subject, pool: Pool, tower: Tower, clients: int, seconds: float) -> float:
    """Answers per second in a closed loop; 1 if there are none."""
    found = served(subject, pool, tower, np.zeros(CLOSED_MOST), clients, seconds, np.inf, give_up_s=seconds)
    return max(1.0, found["throughput"])


def served(
    subject: Subject,
    pool: Pool,
    tower: Tower,
    due: np.ndarray,
    clients: int,
    seconds: float,
    on_time_s: float,
    give_up_s: float | None = None,
) -> Load:
    """Drive one rate, and compare each answer with golden's vector of its document when all are there."""
    rows = [i % len(pool.names) for i in range(len(due))]
    with no_garbage_collection():
        answers = drive(
            lambda i: subject.embed([pool.documents[rows[i]]], tower)[0], due, clients, give_up_s or PATIENCE * seconds
        )
    right = subject.right([answer.found for answer in answers], rows, pool, tower)
    return figures(answers, right, seconds, on_time_s)
