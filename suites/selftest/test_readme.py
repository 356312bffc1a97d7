"""The README shows what is true: its list of promises is the suites' own."""

from suites.selftest.conftest import ROOT, Run


def test_promises_are_the_docstrings(run: Run) -> None:
    """Each row that `pytest --promises` prints stands in the README, and no other promise does."""
    printed = [line for line in run("--promises").stdout.splitlines() if line.startswith("| ")]
    readme = (ROOT / "README.md").read_text().splitlines()
    assert len(printed) > 15
    assert [line for line in readme if line.startswith(("| E", "| P", "| C", "| R", "| L"))] == printed[1:]


def test_documented_options_exist(run: Run) -> None:
    """Every long option that the README names is known to pytest."""
    import re

    known = run("--help").stdout
    for option in set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", (ROOT / "README.md").read_text())):
        assert option in known, option
