"""pytest-benchmark's options on the command line: combinations that cannot work as a gate end the run in one sentence."""

import shlex

import pytest

from plugins.latency.gate import GATE, Gate

COMPARED_S, SHOWN_S = 3.0, 0.25  # seconds of timed calls for one comparison


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --latency-budget."""
    parser.getgroup("clip-conformance").addoption(
        "--latency-budget",
        type=float,
        metavar="SECONDS",
        help="timed calls of one encoder's tower and of what it is compared with, in more fresh processes where there is more "
        "of it; a slow encoder takes the fewest blocks allowed "
        f"[{COMPARED_S} when runs or sides are compared, or runs stored, else {SHOWN_S}]",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Handle --benchmark-compare, because pytest-benchmark would load the newest file, whatever it contains."""
    asked = config.getoption("benchmark_compare") or False
    refusal = _swallowed(config, asked) or _parallel(config) or _disabled(config, asked)
    if refusal:
        raise pytest.UsageError(refusal)
    if config.getoption("benchmark_compare_fail") and not asked:
        raise pytest.UsageError("--benchmark-compare-fail has nothing to compare with: add --benchmark-compare")
    stores = bool(asked) or any(config.getoption(option, None) for option in ("benchmark_save", "benchmark_autosave"))
    config.option.latency_budget = _budget(config, stores)
    if config.getoption("--latency-budget") <= 0:
        raise pytest.UsageError(f"--latency-budget is {config.getoption('--latency-budget'):g}, expected seconds above 0")
    config.stash[GATE] = Gate(config, asked, stores)
    config.option.benchmark_compare = []
    if asked:
        config.option.benchmark_quiet = False  # pytest-benchmark's table shows what is compared


def _swallowed(config: pytest.Config, asked: bool | str) -> str:
    """`--benchmark-compare suites/` takes the path as the option's value: end the run with the right order."""
    if not isinstance(asked, str):
        return ""
    path = config.invocation_params.dir / asked.split("::")[0]
    if "::" in asked or path.is_dir() or (path.is_file() and path.suffix == ".py"):
        return (
            f"--benchmark-compare took '{asked}' for the stored run to compare with: put paths of tests before it "
            f"(pytest {asked} --benchmark-compare) or give it a value (--benchmark-compare=0001 {asked})"
        )
    if path.suffix == ".json" and not path.is_file():
        return f"--benchmark-compare={asked}: no such file, expected a stored run or its number"
    return ""


def _budget(config: pytest.Config, stores: bool) -> float:
    typed: float | None = config.getoption("--latency-budget")
    sides = any(config.getoption(option, None) for option in ("against", "against_python"))
    return (COMPARED_S if stores or sides else SHOWN_S) if typed is None else typed


def _parallel(config: pytest.Config) -> str:
    workers = config.getoption("numprocesses", None)
    if not workers or config.getoption("benchmark_disable") or config.getoption("benchmark_skip"):
        return ""
    return f"-n {workers} runs several tests at once, which disturbs latency: drop -n, or disable latency (--benchmark-disable)"


def _disabled(config: pytest.Config, asked: bool | str) -> str:
    off = [name for name in ("disable", "skip") if config.getoption(f"benchmark_{name}")]
    if not off or config.getoption("benchmark_enable") or not (asked or config.getoption("benchmark_compare_fail")):
        return ""
    return f"--benchmark-{off[0]} measures nothing that --benchmark-compare could compare: drop one of them"


def compared(config: pytest.Config) -> list[str]:
    """This run's options that choose what is compared, as they are typed to repeat it."""
    asked, storage = config.stash[GATE].asked, config.getoption("benchmark_storage")
    if not asked:
        return []
    here = f"--benchmark-storage={storage}"
    typed = any(str(arg).startswith("--benchmark-storage") for arg in config.invocation_params.args)
    compare = "--benchmark-compare" if asked is True else f"--benchmark-compare={asked}"
    return [shlex.quote(part) for part in (compare, *[here] * typed)]
