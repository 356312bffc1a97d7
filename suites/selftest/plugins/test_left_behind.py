"""What a cell changes or leaves behind breaks its own promise, is undone, and harms no other."""

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plugins.cells.shared import shared
from plugins.process import leftovers
from plugins.process import state as process_state
from plugins.process.drawn import only_drawn
from suites.selftest.conftest import Run, start
from suites.selftest.planted.process_changers import PLANTED

PLUGIN = ("-p", "suites.selftest.planted.process_changers")
NAMES = [kind.name for kind in PLANTED]
FILE = "suites/embeddings/test_encoder.py"


def rows_of(folder: Path) -> dict[str, Any]:
    """The report's rows by backend."""
    return {row["backend"]: row for row in json.loads((folder / "report.json").read_text())["cells"]}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> SimpleNamespace:
    """One run of all of them, as a person starts it: it must come to its end."""
    folder = tmp_path_factory.mktemp("planted")
    tests = (f"{FILE}::test_ownership", "suites/embeddings/test_left_behind.py")
    more = ("suites/preprocessing/test_left_behind.py", "--preprocessor=lenient", "--device=cpu", "--memory-limit=4")
    done = start(folder, *PLUGIN, *tests, *more, *tiny, "--backend", ",".join(NAMES), supervised=True, forks=False)
    return SimpleNamespace(said=done.stdout + done.stderr, code=done.returncode, rows=rows_of(folder))


BROKEN = {
    "changes": ["E12"],
    "changes-later": ["E12"],
    "writes": ["E7"],
    "honest": [],
    "leaves": ["E12"],
    "innocent": [],
}


def test_each_costs_its_own_cell(planted: SimpleNamespace) -> None:
    """And no other, whatever the order."""
    assert {name: row["broken_promises"] for name, row in planted.rows.items()} == BROKEN, planted.said[-5000:]


@pytest.mark.parametrize(
    "sentence",
    [
        "torch gradient mode was True and is False",
        "torch random was seeded again",
        "torch oneDNN was True and is False",
        "torch float32 matmul precision was 'highest' and is 'medium'",
        "torch.backends.cudnn.benchmark was False and is True",
        "numpy.random was seeded again",
        "\nrandom was seeded again",
        "over was 'warn' and is 'ignore'",
        "environment variables: CHANGED was None and is '1'",
        "sys.path: added ['/changed']",
        "signal handlers: ",
        "PIL.ImageFile.LOAD_TRUNCATED_IMAGES was False and is True",
        "PIL.Image.MAX_IMAGE_PIXELS was 89478485 and is None",
        "torch threads was ",
        "torch deterministic algorithms was ",
        "and is '/' (seen in test_ownership[tiny:clip@random:0-changes-later",
        "torch default dtype was torch.float32 and is torch.float64",
        "flush to zero was False and is True",
        "the model's own weights were changed",
        "wrote to its input: ['scene",
        "child process ",
        "thread 'never ends' was left running",
        "process_changers.py was left open",
        "socket IPv4 127.0.0.1:",
        "unclosed file <_io.",
        "P12 broken: ",
        "in lenient",
    ],
)
def test_it_says_what(planted: SimpleNamespace, sentence: str) -> None:
    """From what to what, or what is left and where."""
    assert sentence in planted.said, planted.said[-5000:]


def test_the_run_ends_without_the_thread(planted: SimpleNamespace) -> None:
    """It says so, and its exit code is that of the tests."""
    assert "exits without waiting for thread 'never ends'" in planted.said and planted.code == 1


def test_without_a_test_of_its_own(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """A selection that lacks E12 and P12: it fails its maker all the same, as an error of the test in which it is seen."""
    done = run(*PLUGIN, f"{FILE}::test_form", *tiny, "--backend=changes,changes-later,innocent", "--device=cpu")
    broken = {name: row["broken_promises"] for name, row in rows_of(tmp_path).items()}
    assert broken == {"changes": ["E12"], "changes-later": ["E12"], "innocent": []} and done.returncode == 1, done.stdout[
        -3000:
    ]
    assert (
        "E12 broken: " in done.stdout
        and "in tiny:clip@random:0-changes-later-fp32-cpu" in done.stdout
        and "again: pytest" in done.stdout
    )


def test_numbers_that_are_drawn_seed_nothing() -> None:
    """Any count of them; another seed, the same one again and a state from before are told from that."""

    def state() -> tuple[bytes, int]:
        return process_state._numpy_random()

    before = state()
    np.random.rand(70_000)
    after = state()
    assert only_drawn(*before, *after) and not only_drawn(*after, *before)
    np.random.seed(3)
    assert not only_drawn(*after, *state())
    seeded = state()
    np.random.rand(3)
    assert only_drawn(*seeded, *state()) and not only_drawn(*state(), *seeded)
    old = random.getstate()
    random.random()
    assert process_state.harmless("random", old, random.getstate())


def test_rows_of_shared_arrays_are_copies() -> None:
    """Contiguous and writable; the array itself is not."""
    array = shared(np.arange(12.0).reshape(3, 4))
    row = array[::-2]
    row[:] = 0
    assert type(row) is np.ndarray and row.flags.c_contiguous and array.sum() == 66
    with pytest.raises(ValueError, match="read-only"):
        array += 1


def test_what_ends_by_itself_is_not_left() -> None:
    """Idle threads of an executor do, and so does what still takes a moment."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    before = leftovers.held()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        thread = threading.Timer(0.5, int)
        thread.start()
        assert leftovers.held().beyond(before)
        assert not leftovers.left(before)
