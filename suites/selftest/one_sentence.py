"""What the end of a run looks like that was refused, or that could not write something."""


def failures_of(said: str, cell: str) -> list[str]:
    """The messages of one cell's broken promises in what a run printed."""
    return [part for part in said.split("again: pytest") if f"in {cell}" in part]


def sentence(result, *parts: str) -> None:  # type: ignore[no-untyped-def]
    """All parts stand in exactly one line of the output, nothing looks like a crash, and the run failed."""
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert sum(all(part in line for part in parts) for line in output.splitlines()) == 1, output[-3000:]
    assert "Traceback" not in output
    assert "BadInput" not in output
