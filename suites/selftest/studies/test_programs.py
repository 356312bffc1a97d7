"""Every study ends as pytest does: with 4 and a sentence on standard error for bad input, which no verdict has."""

import importlib

import pytest

from fixtures import ROOT
from fixtures.errors import BadInput
from plugins.command_line.program import code_of

STUDIES = ROOT / "suites" / "studies"
PYTEST_S = ("profile",)  # its options are all pytest's
# Others pass options on to pytest, or have none.
OWN = {"faults": "--only=no such fault", "mutants": "--no-such-option", "canary": "--processors=no-such-processor"}
PROGRAMS = sorted(
    ".".join(path.parent.relative_to(STUDIES).parts)
    for path in STUDIES.rglob("__main__.py")
    if path.parent.name not in PYTEST_S
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_bad_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option, or a wrong name."""
    program = importlib.import_module(f"suites.studies.{name}.__main__")
    try:
        ended = program.main([OWN.get(name, "--no-such-option")])
    except SystemExit as end:  # argparse's way
        ended = end.code
    said = capsys.readouterr()
    assert ended == 4 and said.err.strip() and not said.out
    assert "Traceback" not in said.err


def test_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict is passed on, and so are errors that nobody foresaw; a sentence, a trouble and an interruption have codes."""

    def raising(error: BaseException) -> int:
        raise error

    assert code_of(lambda: 0, "") == 0 and code_of(lambda: 1, "") == 1
    assert code_of(lambda: raising(BadInput("found a, expected b")), "") == 4
    assert code_of(lambda: raising(KeyError("x")), "", KeyError) == 4
    assert code_of(lambda: raising(KeyboardInterrupt()), "nothing was written") == 130
    assert capsys.readouterr().err == "found a, expected b\n'x'\n\ninterrupted: nothing was written\n"
    with pytest.raises(KeyError):
        code_of(lambda: raising(KeyError("x")), "")
