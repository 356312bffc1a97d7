"""What a preprocessor promises of many calls: its results are the caller's, and depend on nothing but the picture."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fixtures.capability import Array, Preprocessor
from fixtures.images import decoded
from plugins.cells.promises import Judge
from plugins.subjects import Subjects
from suites.sources import files, sources
from suites.stepping import stepping

if TYPE_CHECKING:
    from PIL import Image

RESULTS = 24  # kept at once: a shorter ring of buffers is seen
MODES = ("RGB", "RGBA", "L", "P")
THREADS, CALLS = 4, 4  # calls a thread, twice


@pytest.fixture
def pictures(subjects: Subjects) -> list["Image.Image"]:
    """Made of the first scene."""
    return sources(decoded(subjects.dataset.path(subjects.dataset.scenes[0])))


@pytest.fixture
def paths(pictures: list["Image.Image"], tmp_path: Path) -> list[str]:
    """Of files with these pictures."""
    return files(pictures, tmp_path)


@pytest.fixture
def call(subjects: Subjects, preprocessor: Preprocessor) -> Callable[[str], Array]:
    """From file to pixels, whoever owns them."""
    return lambda path: preprocessor(path, subjects.model.geometry)


@pytest.fixture
def from_memory(subjects: Subjects, preprocessor: Preprocessor) -> Callable[["Image.Image"], Array]:
    """The same for an image in memory."""
    return lambda image: preprocessor.transform(preprocessor.from_pil(image), subjects.model.geometry)


def test_ownership(
    pictures: list["Image.Image"],
    paths: list[str],
    call: Callable[[str], Array],
    from_memory: Callable[["Image.Image"], Array],
    judge: Judge,
) -> None:
    """P10 a result stays as it was when later calls run, and may be written to; the caller's image is not written to."""
    alone = [call(path).copy() for path in paths]
    order = np.random.default_rng(0).integers(len(paths), size=RESULTS)  # in no step with a ring of buffers
    kept = [(result := call(paths[number]), result.copy()) for number in order]
    changed = [number for number, (result, copy) in enumerate(kept, 1) if not np.array_equal(result, copy)]
    judge(not changed, f"later calls changed the results of calls {changed} of {len(kept)}: an output buffer is used again")
    for result, _ in kept:
        if result.flags.writeable:
            result[:] = -9
    same = all(np.array_equal(call(path), pixels) for path, pixels in zip(paths, alone, strict=True))
    judge(same, "what the caller wrote into a result came back from a later call: one array is kept and handed out")
    for mode in MODES:
        image = pictures[0].convert(mode)
        before = image.copy()
        from_memory(image)
        judge(_same_image(image, before), f"the call wrote to the caller's image of mode {mode}, or closed it")


def _same_image(image: "Image.Image", before: "Image.Image") -> bool:
    try:
        return image == before  # mode, size, palette, info and pixels
    except ValueError:  # it was closed
        return False


def test_threads(
    subjects: Subjects, preprocessor: Preprocessor, paths: list[str], call: Callable[[str], Array], judge: Judge
) -> None:
    """P11 threads that call at once get the pixels of their own files."""
    alone = [call(path).copy() for path in paths]
    together, geometry = Barrier(THREADS, timeout=60), subjects.model.geometry

    def calls(thread: int) -> list[bool]:
        """The first round stage by stage with all others, the second as it comes."""
        right = []
        with stepping(preprocessor, thread):
            for turn in range(2 * CALLS):
                number = (thread + turn) % len(paths)
                if turn < CALLS:
                    together.wait()
                    picture = preprocessor.decode(paths[number])
                    together.wait()
                    pixels = preprocessor.transform(picture, geometry)
                else:
                    pixels = call(paths[number])
                right.append(np.array_equal(pixels, alone[number]))
        return right

    def careful(thread: int) -> list[bool] | Exception:
        try:
            return calls(thread)
        except Exception as error:
            together.abort()
            return error

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(careful, range(THREADS)))
    errors = [answer for answer in found if isinstance(answer, Exception)]
    own = [error for error in errors if not isinstance(error, BrokenBarrierError)] or errors
    judge(not own, f"a call raised {own[:1]}, which it does not alone")
    wrong = [right for answer in found if isinstance(answer, list) for right in answer].count(False)
    judge(not wrong, f"{wrong} of {THREADS * 2 * CALLS} calls in {THREADS} threads gave other pixels than alone")


def test_state(
    subjects: Subjects,
    preprocessor: Preprocessor,
    pictures: list["Image.Image"],
    paths: list[str],
    call: Callable[[str], Array],
    from_memory: Callable[["Image.Image"], Array],
    tmp_path: Path,
    judge: Judge,
) -> None:
    """P13 pixels depend on the picture alone: not on the calls before, nor on what was in that file or image before."""
    geometry = subjects.model.geometry
    alone = [call(path).copy() for path in paths]

    def differ(what: str, found: list[Array], wanted: list[Array]) -> None:
        wrong = sum(not np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
        judge(not wrong, f"{wrong} of {len(found)} pictures gave other pixels {what}")

    differ("in reversed order", [call(path).copy() for path in reversed(paths)], alone[::-1])
    together = [preprocessor.decode(path) for path in paths]
    for time in ("once", "twice"):
        found = [preprocessor.transform(picture, geometry).copy() for picture in together]
        differ(f"when all were decoded before any was transformed, {time}", found, alone)
    changing = tmp_path / "changing.jpg"
    changing.write_text("no picture")
    with suppress(Exception):
        call(str(changing))
    differ("after a file that cannot be read", [call(paths[0]).copy()], alone[:1])
    found = []
    for path in paths:
        changing.write_bytes(Path(path).read_bytes())
        found.append(call(str(changing)).copy())
    differ("when each was written over the one before, under one path", found, alone)
    image = pictures[0].copy()
    from_memory(image)
    image.paste(pictures[2])
    differ("in an image in memory that held another before", [from_memory(image).copy()], [from_memory(pictures[2]).copy()])
