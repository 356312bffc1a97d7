"""A promise is the first line of a test's docstring; breaking one says which, by how much, and how to see it again."""

import re
from collections.abc import Mapping
from typing import Protocol

import pytest

from fixtures.capability import KnownFailure
from fixtures.datasets import DEFAULT
from fixtures.models import family
from fixtures.registry import preprocessors
from plugins.benchmark_options import compared
from plugins.comparison import Comparison
from plugins.matrix import Cell, EncoderKey, model_of, subject
from plugins.options import given
from plugins.outside import again
from plugins.pixels import CannotRead

MORE = ("against", "against-python", "against-repository", "drift-budget")  # options that decide what a test compares with
# Whether these break as declared depends on the pictures: square ones are not squashed, and opaque alpha may be dropped.
OF_PICTURES = {"P3", "P4", "P5", "P6", "P8", "C1", "C2", "R1", "R2"}
PROMISE = re.compile(r"^([A-Z]\d+) (.+)$")


class Judge(Protocol):
    """`judge(comparison)` or `judge(condition, "what was found")`."""

    def __call__(self, verdict: object, found: str = "") -> None:
        """Fail the test unless `verdict` is true."""


def promise(item: pytest.Item) -> tuple[str, str]:
    """Id and sentence of the promise that a test checks; ("", "") for a test of something else."""
    doc = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip().splitlines()
    match = PROMISE.match(doc[0]) if doc else None
    return (match[1], match[2]) if match else ("", "")


def reproduce(item: pytest.Item) -> str:
    """The command that runs this one test again."""
    command = ["pytest", *again(item.config, item.nodeid), *given(item.config, *MORE), *compared(item.config)]
    return " ".join(command)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A declared failure is expected, strictly, and only as a broken promise: a crash or a file without pixels never is. On
    pictures of another data set than ours, those that depend on them are free to hold."""
    own = config.getoption("--dataset").resolve() != DEFAULT.resolve()
    broken = pytest.RaisesExc(pytest.fail.Exception, check=lambda error: not isinstance(error, CannotRead))
    squash = family(model_of(config)).squash
    for item in items:
        name = promise(item)[0]
        known = _known(subject(item), squash).get(name)
        if known:
            reason = f"{known.kind}: {known.reason}"
            strict = known.strict and not (own and name in OF_PICTURES)
            item.add_marker(pytest.mark.xfail(reason=reason, strict=strict, raises=broken))


def _known(about: Cell | EncoderKey | str | None, squash: bool) -> Mapping[str, KnownFailure]:
    if isinstance(about, Cell | EncoderKey):
        return about.known_failures()
    if isinstance(about, str):
        return preprocessors()[about].failures(squash)
    return {}


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """`judge(comparison)` or `judge(condition, "what was found")` fails the test unless it is true."""

    def check(verdict: object, found: str = "") -> None:
        if verdict:
            return
        name, sentence = promise(request.node)
        lines = [f"{name} broken: {sentence}", str(verdict) if isinstance(verdict, Comparison) else found]
        about = subject(request.node)
        if about is not None:
            lines.append(f"in {about}")
        pytest.fail("\n".join([*lines, f"again: {reproduce(request.node)}"]), pytrace=False)

    return check
