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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
THREADS = 8
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 33)  # documents in one call
UNIT = 1e-3  # vectors whose lengths are so near to 1 are normalised
Embed = Callable[[Any], Any]
EmbedMany = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Verdict:
    """True if all vectors are within their limits. `str()` says it in a sentence, `worst` names the farthest."""

    good: bool
    sentence: str
    worst: dict[str, Any]  # what it was, how it was asked for, which measure, value and limit

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
) -> Verdict:
    """Ask for every input, forwards and backwards and from several threads at once, and look at all answers at the end."""
    images, texts = load(folder)
    one, many = {"image": embed_image, "text": embed_text}, {"image": embed_images, "text": embed_texts}
    answers: list[tuple[Input, str, Any, np.ndarray]] = []
    try:
        for how, found in _ask(images, texts, one, many):
            answers += [(each, how, result, np.array(result, np.float64).reshape(-1)) for each, result in found]
    except Exception as error:
        return Verdict(False, f"bad: {type(error).__name__}: {error}", {})
    unit = all(abs(np.linalg.norm(vector) - 1) < UNIT for *_, vector in answers)
    rows = [row for answer in answers for row in _judge(*answer, unit)]
    worst = max(rows, key=lambda row: row["value"] / row["limit"])
    ways = len({how for _, how, _, _ in answers})
    asked, share = len(images) + len(texts), worst["value"] / worst["limit"]
    if share <= 1:
        return Verdict(True, f"good: {asked} inputs asked in {ways} ways, at most {share:.0%} of a limit", worst)
    bad = {row["input"] for row in rows if row["value"] > row["limit"]}
    return Verdict(
        False,
        f"bad: {len(bad)} of {asked} inputs, the worst is {worst['input']} asked {worst['how']}: "
        f"{worst['measure']} {worst['value']:.3g}, limit {worst['limit']:.3g}",
        worst,
    )


def _ask(
    images: list[Input], texts: list[Input], one: dict[str, Embed], many: dict[str, EmbedMany | None]
) -> Iterator[tuple[str, list[tuple[Input, Any]]]]:
    """Every way of asking, and the input and answer of each call. Both kinds take turns, as requests do."""
    turns = [(i, "image", each) for i, each in enumerate(images)] + [(i, "text", each) for i, each in enumerate(texts)]
    turns.sort(key=lambda turn: turn[0])
    for how in ("in turn", "again", "once more"):
        yield how, [(each, one[kind](each.given)) for _, kind, each in turns]
        yield f"{how}, from the last to the first", [(each, one[kind](each.given)) for _, kind, each in reversed(turns)]
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda turn: one[turn[1]](turn[2].given), turns))
    yield f"from {THREADS} threads", [(each, result) for (*_, each), result in zip(turns, found, strict=True)]
    for n in SIZES:
        for kind, inputs in (("image", images), ("text", texts)):
            if embed := many[kind]:
                chosen = (inputs * n)[-n:]  # the last are there once, and in a long list all are there more than once
                yield f"{n} at once", list(zip(chosen, embed([each.given for each in chosen]), strict=True))


def _judge(each: Input, how: str, result: Any, first: np.ndarray, unit: bool) -> Iterator[dict[str, Any]]:
    """A row a measure: value and limit."""
    row = {"input": each.name, "how": how}
    now = np.array(result, np.float64).reshape(-1)
    if now.shape != each.vector.shape:
        yield {**row, "measure": f"{now.size} numbers, expected {each.vector.size}: distance", "value": 2.0, "limit": 1e-9}
        return
    if not np.isfinite(now).all():
        yield {**row, "measure": "NaN or Inf: distance", "value": 2.0, "limit": 1e-9}
        return
    if not np.array_equal(now, first):
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
    typed = vars(parser.parse_args())
    sys.path.insert(0, "")
    found = []
    for name in names:
        module, _, function = (typed[name] or "").partition(":")
        found.append(getattr(importlib.import_module(module), function) if module else None)
    verdict = check(*found)  # type: ignore[arg-type]
    print(verdict)
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
