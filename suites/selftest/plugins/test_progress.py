"""Long work says how long it goes on; work that says more of itself is not interrupted."""

import io
import time

import pytest

from fixtures import progress


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What was written, with pauses short enough for a test."""
    monkeypatch.setattr(progress, "stream", stream := io.StringIO())
    for name, seconds in {"QUIET_S": 0.05, "TERMINAL_S": 0.02, "LOG_S": 0.05}.items():
        monkeypatch.setattr(progress, name, seconds)
    return stream


def test_long_work_ticks(said: io.StringIO) -> None:
    """Several lines while it goes on, one when it is done, none afterwards."""
    with progress.ticking("building x"):
        time.sleep(0.4)
    lines = said.getvalue().splitlines()
    assert len(lines) > 2 and all(line.startswith("building x: working, ") for line in lines[:-1])
    assert lines[-1].startswith("building x: done in ")
    time.sleep(0.1)
    assert said.getvalue().splitlines() == lines


def test_steps_are_counted(said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them come in order, and the line says how many are done."""
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    assert list(progress.counted("tolerances", range(3))) == [0, 1, 2]
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("tolerances: 1 of 3, ") and lines[-1].startswith("tolerances: done in ")


def test_short_work_is_silent(said: io.StringIO) -> None:
    """Nothing is said of a moment."""
    with progress.ticking("building x"):
        pass
    assert said.getvalue() == ""


def test_an_error_ends_the_ticking(said: io.StringIO) -> None:
    """The line ends with the work, and the error passes."""
    with pytest.raises(ValueError), progress.ticking("building x"):
        time.sleep(0.2)
        raise ValueError("no")
    assert said.getvalue().splitlines()[-1].startswith("building x: done in ")


def test_inner_line_has_the_word(said: io.StringIO) -> None:
    """Once the work opened a line of its own, the ticking is silent."""
    with progress.ticking("building x"):
        inner = progress.ProgressLine("engine")
        time.sleep(0.2)
        inner.step("phase 1/3")
    assert [line.partition(":")[0] for line in said.getvalue().splitlines()] == ["engine"]
