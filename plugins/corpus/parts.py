"""All parts of a corpus, in a folder: each is one finished file, and a run that was killed goes on with the others."""

import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fixtures.capability import Array
from fixtures.errors import BadInput
from fixtures.progress import ProgressLine
from fixtures.spaced import spaced
from fixtures.storage.atomic import write_bytes
from plugins.corpus.engine import Engine
from plugins.corpus.found import Found, Queries
from plugins.corpus.plan import Plan, ranges
from plugins.corpus.sources import Source
from plugins.corpus.work import Compare, Encode, Task

PART, QUERIES = "parts/{:08d}.safetensors", "queries/{:08d}.npz"


def compared(plan: Plan, source: Source, out: Path, size: int, count: int, engine: Engine) -> Found:
    """What all parts of `size` images show together, with `count` images as queries; parts that are finished are not repeated.

    Raises BadInput.
    """
    queries = _queries(plan, source, out, size, count, engine)
    tasks: list[Task] = [
        {"number": number, "start": start, "source": source.part(start, stop)}
        for number, start, stop in ranges(len(source), size)
    ]
    _finish(engine, out, PART, Compare, (plan, queries), tasks, "parts")
    total = Found()
    for task in tasks:
        total.merge(_read(out / PART.format(task["number"])))
    return total


def _queries(plan: Plan, source: Source, out: Path, size: int, count: int, engine: Engine) -> Queries:
    """A fixed sample, evenly spaced: it does not depend on how parts are cut or who computes them."""
    places = spaced(len(source), count)
    tasks: list[Task] = [
        {"number": number, "start": start, "source": source.chosen(places[start:stop])}
        for number, start, stop in ranges(len(places), size)
    ]
    _finish(engine, out, QUERIES, Encode, (plan,), tasks, "queries")
    files = [_arrays(out / QUERIES.format(task["number"])) for task in tasks]
    vectors = {"" if name == "wanted" else name: np.concatenate([file[name] for file in files]) for name in files[0]}
    return Queries(np.array(places, np.int64), vectors)


def _finish(
    engine: Engine, out: Path, name: str, work: type, arguments: Sequence[object], tasks: Sequence[Task], what: str
) -> None:
    """Compute the files that are not there yet; this process alone writes them, whole, so workers share no folder."""
    left = [task for task in tasks if not (out / name.format(task["number"])).exists()]
    line, done = ProgressLine("corpus"), len(tasks) - len(left)
    line.step(f"{done} of {len(tasks)} {what}")
    for result in engine.run(work, arguments, left):
        write_bytes(out / name.format(result["number"]), result["content"])
        done += 1
        line.step(f"{done} of {len(tasks)} {what}")
    line.finish()


def _arrays(file: Path) -> dict[str, Array]:
    try:
        with np.load(io.BytesIO(file.read_bytes())) as content:
            return dict(content)
    except (OSError, EOFError, BadZipFile, ValueError) as error:
        raise _damaged(file, error) from None


def _read(file: Path) -> Found:
    from safetensors import SafetensorError

    try:
        return Found.from_bytes(file.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise _damaged(file, error) from None


def _damaged(file: Path, error: Exception) -> BadInput:
    return BadInput(f"{file} is damaged ({error}): remove it and run again, which computes this part anew")
