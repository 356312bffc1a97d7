"""Does this service give the vectors that it was accepted with? Part of a kit of clip-conformance; needs NumPy alone.

    from canary import check
    verdict = check(embed_image, embed_text)  # embed_image(bytes of a file) and embed_text(str) -> D numbers
    if not verdict:
        raise SystemExit(str(verdict))

On the command line: `python canary.py module:embed_image module:embed_text`; it exits with 0 if all is well, else with 1.
A service that takes several documents in one call passes these functions too: `check(..., embed_images=f, embed_texts=g)`.
"""

import argparse
import base64
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
THREADS, FEW = 8, 4
SECONDS = 0.9  # of calls, so that a check ends within one
STEPS = (3, 5, 7, 9, 11, 13)  # of as many rounds, in which 16 inputs are asked for in 482 calls
# Documents in one call, the likeliest first: small ones, one over a power of two, then others.
SIZES = (2, 3, 5, 8, 4, 33, 16, 6, 7, 9, 1, 10, 12, 65, 11, 17, 32, 100, 13, 14, 15, 64, *range(18, 32))
NO_DOCUMENT: dict[str, Any] = {"image": b"this is no image", "text": None}
UNIT = 1e-3  # vectors whose lengths are so near to 1 are normalised
Embed = Callable[[Any], Any]
EmbedMany = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Verdict:
    """True if all vectors are within their limits. `str()` says it in a sentence, `worst` names the farthest."""

    good: bool
    sentence: str
    worst: dict[str, Any]  # what it was, how it was asked for, which measure, value and limit
    calls: int = 0
    ways: list[str] = field(default_factory=list)  # of asking

    def __bool__(self) -> bool:
        return self.good

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Input:
    """One image or text, with its vector [D] and limits."""

    name: str
    given: Any
    vector: np.ndarray
    cosine: float
    norm: float | None  # of the relative difference in length; None where that is not judged


@dataclass(frozen=True)
class Answer:
    """The answer to one input, as it was returned, and a copy of its numbers [D] at that time."""

    input: Input
    how: str
    result: Any
    first: np.ndarray


Ask = tuple[list[Input], Callable[[], Any]]  # inputs, and the call that returns an answer to each of them


def load(folder: Path = HERE) -> tuple[list[Input], list[Input]]:
    """The kit's images and texts; raises ValueError for one that is damaged."""
    kit = json.loads((folder / "canary.json").read_text(encoding="utf-8"))
    images = [_input(entry, (folder / entry["file"]).read_bytes()) for entry in kit["images"]]
    if certificate(kit, [image.given for image in images]) != kit["certificate"]:
        raise ValueError(f"{folder / 'canary.json'} or a file beside it is not as it was written: make the kit again")
    return images, [_input(entry, entry["text"]) for entry in kit["texts"]]


def certificate(kit: dict[str, Any], files: Sequence[bytes]) -> str:
    """The SHA-256 of the kit without its certificate, and of its files."""
    rest = json.dumps({key: value for key, value in kit.items() if key != "certificate"}, sort_keys=True)
    return hashlib.sha256(rest.encode() + b"".join(hashlib.sha256(file).digest() for file in files)).hexdigest()


def _input(entry: dict[str, Any], given: Any) -> Input:
    vector = np.frombuffer(base64.b64decode(entry["vector"]), "<f4").astype(np.float64)
    return Input(repr(entry.get("file", entry.get("text"))), given, vector, entry["cosine"], entry["norm"])


def check(
    embed_image: Embed,
    embed_text: Embed,
    embed_images: EmbedMany | None = None,
    embed_texts: EmbedMany | None = None,
    folder: Path = HERE,
    *,
    seconds: float = SECONDS,
    refused: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Ask for every input in all ways that `seconds` leave time for, and look at all answers at the end.

    Each input is asked for once, however slow the service is. Lists have as many seconds again. `refused=False` asks for
    nothing that a service has to refuse. `clock` gives seconds.
    """
    images, texts = load(folder)
    inputs, session = {"image": images, "text": texts}, Session(seconds, clock)
    many = {kind: embed for kind, embed in (("image", embed_images), ("text", embed_texts)) if embed}
    try:
        _one_by_one(session, inputs, {"image": embed_image, "text": embed_text}, refused)
        session.begin()
        if many:
            _in_lists(session, inputs, many, refused)
    except Exception as error:
        return Verdict(False, f"bad: {type(error).__name__}: {error}", {}, session.calls, session.ways)
    unit = all(abs(np.linalg.norm(answer.first) - 1) < UNIT for answer in session.answers)
    rows = [row for answer in session.answers for row in _judge(answer, unit)]
    worst = max(rows, key=lambda row: row["value"] / row["limit"])
    asked, share = len(images) + len(texts), worst["value"] / worst["limit"]
    made = session.calls, session.ways
    if share <= 1:
        how = f"{session.calls} calls in {len(session.ways)} ways"
        return Verdict(True, f"good: {asked} inputs, {how}, at most {share:.0%} of a limit", worst, *made)
    bad = {row["input"] for row in rows if row["value"] > row["limit"]}
    return Verdict(
        False,
        f"bad: {len(bad)} of {asked} inputs, the worst is {worst['input']} asked {worst['how']}: "
        f"{worst['measure']} {worst['value']:.3g}, limit {worst['limit']:.3g}",
        worst,
        *made,
    )


class Session:
    """What was asked for and what came back, and whether there is time for more."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds, self.clock = seconds, clock
        self.answers: list[Answer] = []
        self.ways: list[str] = []
        self.calls = 0
        self.begin()

    def begin(self) -> None:
        """Its seconds begin, and so does its pace."""
        self.ends, self.busy, self.documents = self.clock() + self.seconds, 0.0, 0

    def fits(self, documents: int) -> bool:
        """Is there time for so many, at the pace so far?"""
        return self.clock() + documents * self.busy / max(1, self.documents) <= self.ends

    def refuse(self, call: Callable[[], Any]) -> None:
        """Ask for what is no document: an error is the right answer, and any other one is not judged."""
        self.calls += 1
        with suppress(Exception):
            call()

    def ask(self, how: str, asks: Sequence[Ask], threads: int = 1) -> None:
        """Make these calls, and keep each result and a copy of it."""
        started = self.clock()
        if threads == 1:
            for inputs, call in asks:
                self._keep(how, inputs, call())
        else:
            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(lambda ask: ask[1](), asks))
            for (inputs, _), results in zip(asks, found, strict=True):
                self._keep(how, inputs, results)
        self.busy += self.clock() - started

    def _keep(self, how: str, inputs: list[Input], results: Any) -> None:
        self.ways += [how] if how not in self.ways else []
        self.calls, self.documents = self.calls + 1, self.documents + len(inputs)
        for each, result in zip(inputs, results, strict=True):
            self.answers.append(Answer(each, how, result, np.array(result, np.float64).reshape(-1)))


def _one_by_one(session: Session, inputs: dict[str, list[Input]], one: dict[str, Embed], refused: bool) -> None:
    """One input a call. Both kinds take turns, as requests do; a way that does not fit into the time is left out."""
    turns = sorted(((i, kind, each) for kind, some in inputs.items() for i, each in enumerate(some)), key=lambda turn: turn[0])
    asks: list[Ask] = [([each], _call(one[kind], each.given)) for _, kind, each in turns]
    n, at = len(asks), count()
    session.ask("in turn", asks)
    for step in STEPS:
        for how, order, threads, no in (
            ("after a refused image", list(islice(at, FEW)), 1, "image"),
            (f"from {FEW} threads", list(islice(at, FEW)), FEW, ""),
            ("after a refused text", list(islice(at, FEW)), 1, "text"),
            (f"from {THREADS} threads", list(range(n)), THREADS, ""),
            ("from the last to the first", list(range(n - 1, -1, -1)), 1, ""),
            ("images before texts", sorted(range(n), key=lambda i: turns[i][1]), 1, ""),
            (f"in steps of {step}", [step * i for i in range(n)], 1, ""),
        ):
            if (refused or not no) and session.fits(len(order) + bool(no)):
                if no:
                    session.refuse(_call(one[no], NO_DOCUMENT[no]))
                session.ask(how, [asks[i % n] for i in order], threads)


def _call(embed: Embed, given: Any) -> Callable[[], list[Any]]:
    return lambda: [embed(given)]


def _in_lists(session: Session, inputs: dict[str, list[Input]], many: dict[str, EmbedMany], refused: bool) -> None:
    """Several inputs of a kind in one call."""
    at = dict.fromkeys(many, 0)

    def some(kind: str, size: int) -> Ask:
        """The inputs that follow those of the call before; in a long list all are there more than once."""
        chosen = [inputs[kind][i % len(inputs[kind])] for i in range(at[kind], at[kind] + size)]
        at[kind] += size
        return chosen, lambda: many[kind]([each.given for each in chosen])

    def with_none(kind: str) -> Callable[[], Any]:
        good = [each.given for each in inputs[kind]]
        return lambda: many[kind]([good[0], NO_DOCUMENT[kind], good[-1]])

    for no in many if refused else ():
        if session.fits(4 * FEW):
            session.refuse(with_none(no))
            kinds = [kind for kind in ("image", "text", "text", "image") if kind in many]
            session.ask(f"{FEW} at once after a list with a refused {no}", [some(kind, FEW) for kind in kinds])
    if session.fits(4 * FEW):
        session.ask(f"2 at once from {FEW} threads", [some(kind, 2) for _ in range(FEW) for kind in many], FEW)
    for size in SIZES:
        for kind in many:
            if session.fits(size):
                session.ask(f"{size} at once", [some(kind, size)])


def _judge(answer: Answer, unit: bool) -> Iterator[dict[str, Any]]:
    """A row a measure: value and limit."""
    each, row = answer.input, {"input": answer.input.name, "how": answer.how}
    now = np.array(answer.result, np.float64).reshape(-1)
    if now.shape != each.vector.shape:
        yield {**row, "measure": f"{now.size} numbers, expected {each.vector.size}: distance", "value": 2.0, "limit": 1e-9}
        return
    if not np.isfinite(now).all():
        yield {**row, "measure": "NaN or Inf: distance", "value": 2.0, "limit": 1e-9}
        return
    if not np.array_equal(now, answer.first):
        yield {**row, "measure": "a later call changed this answer: distance", "value": 2.0, "limit": 1e-9}
    norm, wanted = float(np.linalg.norm(now)), float(np.linalg.norm(each.vector))
    distance = 0.5 * float(((now / max(norm, 1e-30) - each.vector / wanted) ** 2).sum())
    yield {**row, "measure": "cosine distance", "value": distance, "limit": each.cosine}
    if each.norm is not None and not unit:
        yield {**row, "measure": "relative difference in length", "value": abs(norm / wanted - 1), "limit": each.norm}


def main() -> int:
    """0 if all is well, 1 if not."""
    parser = argparse.ArgumentParser(description="Check a service's vectors.")
    names = ("embed_image", "embed_text", "embed_images", "embed_texts")
    for name in names:
        parser.add_argument(name, metavar=f"MODULE:{name}", nargs="?" if name.endswith("s") else None)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="for one by one, and again for lists (default: %(default)s)"
    )
    parser.add_argument("--no-refused", action="store_true", help="ask for nothing that a service has to refuse")
    typed = vars(parser.parse_args())
    sys.path.insert(0, "")
    found = []
    for name in names:
        module, _, function = (typed[name] or "").partition(":")
        found.append(getattr(importlib.import_module(module), function) if module else None)
    verdict = check(*found, seconds=typed["seconds"], refused=not typed["no_refused"])  # type: ignore[arg-type]
    print(verdict)
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
