"""Requests to a service whose server is down for a while, and requests that take longer than their limit."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from fixtures.capability import Array, Tower
from fixtures.errors import Unavailable
from fixtures.progress import ticking
from plugins.cells.given_back import CannotRun
from plugins.serving.answers import Answers

SERIES = 6  # requests before, during and after an outage
PAIR = 2  # documents in each of them
LONGEST_S = 60.0  # for a request in an outage: the limit that clients get for it, and the time after which one is given up
LIMITED = 4  # requests that are too slow
USUAL_S = 0.1  # a request is made so long, by its number of texts or images, that a quarter of its time can be told
MOST = 256  # documents in it
SHARE = 0.25  # of its usual time is its limit
ANSWERED = 3.0  # limits: an answer within so many was not too slow
PATIENCE = 20.0  # usual times, after which a request is given up


@dataclass(frozen=True)
class Reply:
    """What came of one request: vectors [N, D] of the documents `rows`, or an error; neither if it did not end."""

    rows: Sequence[int]
    took_s: float
    found: Array | None = None
    error: Exception | None = None

    @property
    def late(self) -> bool:
        """It did not end in time."""
        return self.found is None and self.error is None


@dataclass(frozen=True)
class Restarted:
    """Replies of requests that were sent while the server was down, when it was back, and beside both without a pause."""

    down: list[Reply]
    after: list[Reply]
    beside: list[Reply]


@dataclass(frozen=True)
class Slow:
    """Replies of requests that had `limit_s` of the `usual_s` that they take, and of those that came next."""

    usual_s: float
    limit_s: float
    limited: list[Reply]
    after: list[Reply]


def tower_of(answers: Answers) -> Tower:
    """Texts, if the service takes them: they are quicker."""
    return "text" if "text" in answers.service.towers else "image"


def requested(answers: Answers, rows: Sequence[int], longest_s: float) -> Reply:
    """One request in a thread of its own, which is left behind after `longest_s`."""
    tower, said = tower_of(answers), list[Reply]()
    documents, started = [answers.documents[tower][row] for row in rows], time.monotonic()

    def ask() -> None:
        try:
            found = answers.embed(documents, tower)
        except Exception as error:  # whichever way it refuses
            said.append(Reply(rows, time.monotonic() - started, error=error))
        else:
            said.append(Reply(rows, time.monotonic() - started, found=found))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(longest_s)
    return said[0] if said else Reply(rows, longest_s)


def asked_again(answers: Answers, documents: Sequence[bytes | str], tower: Tower) -> Array | str:
    """The vectors [N, D] of good documents after trouble, or the refusal; then a server that can be restarted is restarted."""
    try:
        return answers.embed(documents, tower)
    except Exception as error:  # whichever way it refuses
        with suppress(Unavailable), answers.service.restart():
            pass
        return f"{type(error).__name__}: {error}"


def _pairs(answers: Answers, first: int, size: int = PAIR) -> list[list[int]]:
    """Rows of SERIES requests, each of other documents than the ones beside it."""
    size, n = min(size, answers.service.max_batch or size), len(answers.documents[tower_of(answers)])
    return [[(first + size * i + k) % n for k in range(size)] for i in range(SERIES)]


def restarted(answers: Answers) -> Restarted:
    """Restart the server in the middle of a series of requests; raises CannotRun if the service offers no way."""
    answers.vectors  # noqa: B018 - embedded while the server is up
    ask, beside, over = partial(requested, answers, longest_s=LONGEST_S), list[Reply](), threading.Event()

    def without_a_pause() -> None:
        while not over.is_set():
            for rows in _pairs(answers, 1):
                beside.append(ask(rows))

    series = threading.Thread(target=without_a_pause, daemon=True)
    series.start()
    with ticking(f"{answers.key}: a restart"):
        try:
            with answers.service.restart():
                down = [ask(rows) for rows in _pairs(answers, 0)]
            after = [ask(rows) for rows in _pairs(answers, SERIES)]
        except Unavailable as reason:
            raise CannotRun(f"{answers.key}: {reason}") from None
        finally:
            over.set()
            series.join(LONGEST_S)
    return Restarted(down, after, beside)


def too_slow(answers: Answers) -> Slow:
    """Send requests with a fraction of the time that they take; raises CannotRun if the service has no limit to set."""
    encoder, usual = answers.encoder, answers.encoder.limit_s
    if usual is None:
        raise CannotRun(f"{answers.key}: its encoder has no `limit_s`, the seconds after which a request ends")
    n, size = len(answers.documents[tower_of(answers)]), 1
    while True:  # the quickest of three, from a size on that takes long enough
        ordered = [[(i * size + k) % n for k in range(size)] for i in range(3)]
        replies = [requested(answers, rows, usual) for rows in ordered]
        failed = next((reply for reply in replies if reply.found is None), None)
        if failed is not None:
            raise CannotRun(f"{answers.key}: no request of {size} to time: {failed.error!r}")
        usual_s = min(reply.took_s for reply in replies)
        larger = min(2 * size, answers.service.max_batch or MOST, MOST)
        if usual_s >= USUAL_S or larger == size:
            break
        size = larger
    limit_s, limited = SHARE * usual_s, list[Reply]()
    encoder.limit_s = limit_s
    try:
        for i in range(LIMITED):
            limited.append(requested(answers, ordered[i % len(ordered)], PATIENCE * usual_s))
    finally:
        encoder.limit_s = usual
    # As many documents as before: an answer that comes late would have the right shape.
    after = [requested(answers, rows[::-1], usual) for rows in _pairs(answers, size, size)]
    return Slow(usual_s, limit_s, limited, after)


def timed_out(error: Exception | None) -> bool:
    """TimeoutError, or what libraries call so: requests, httpx and aiohttp have their own."""
    return isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower()
