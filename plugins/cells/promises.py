"""A promise is the first line of a test's docstring. A failure says which promise broke, by how much, and how to repeat it."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from fixtures import PYTEST
from fixtures.bounds import beyond
from fixtures.capability import TOWERS, KnownFailure, Size
from fixtures.cells import Cell, EncoderKey, ModelId
from fixtures.datasets import DEFAULT
from fixtures.errors import BadInput
from fixtures.models import squashes
from fixtures.registry import preprocessors
from plugins.cells.cause import hint
from plugins.cells.matrix import model_of, subject, tower_of
from plugins.command_line.options import given
from plugins.command_line.outside import again
from plugins.latency.benchmark_options import compared
from plugins.measures.vectors.metrics import Comparison

MORE = (
    "against",
    "against-python",
    "against-repository",
    "drift-budget",
    "soak",
    "compare-vectors",
)  # options that change what a test compares with
# Whether these break depends on the pictures: square ones are not squashed, and opaque alpha may be dropped.
OF_PICTURES = {"P3", "P4", "P5", "P6", "P8", "C1", "C2", "R1", "R2"}
DRAWN = ("E16", "E18")  # whose inputs or calls a seed repeats
STORED = ("L6", "L7", "L8")  # which are judged only in runs that compare or store
PROMISE = re.compile(r"^([A-Z]\d+) (.+)$")


@dataclass
class Expected:
    """A test's declared failure, and what has broken within its bounds so far."""

    known: KnownFailure
    broken: list[str] = field(default_factory=list)


EXPECTED = pytest.StashKey[Expected]()
COMPARED = pytest.StashKey[set[str]]()  # names of all inputs that comparisons were about


class Declared(pytest.fail.Exception):  # type: ignore[name-defined, misc]
    """A declared promise broke within its declared bounds: an expected failure."""


class Judge(Protocol):
    """`judge(comparison)` or `judge(condition, "what was found", points=2.5)`, with the sizes of fixtures/bounds.py."""

    def __call__(self, verdict: object, found: str = "", **sizes: Size) -> None:
        """Fail the test unless `verdict` is true, or the failure is declared and within its bounds; then the test continues."""


def promise(item: pytest.Item) -> tuple[str, str]:
    """The id and sentence of the promise that a test checks; ("", "") if it checks none."""
    doc = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip().splitlines()
    match = PROMISE.match(doc[0]) if doc else None
    return (match[1], match[2]) if match else ("", "")


def reproduce(item: pytest.Item) -> str:
    """The command that repeats this test."""
    command = [PYTEST, *again(item.config, item.nodeid), *given(item.config, *MORE), *compared(item.config)]
    seed = [f"--seed={item.config.option.seed}"] if promise(item)[0] in DRAWN else []
    stores = ["--benchmark-autosave"] if promise(item)[0] in STORED and not compared(item.config) else []
    return " ".join([*command, *seed, *stores])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect a declared failure, strictly, and only as a broken promise, never as a crash or an unreadable file. On
    another data set, promises that depend on the pictures may also hold."""
    own = config.getoption("--dataset").resolve() != DEFAULT.resolve()
    squash = squashes(model_of(config))
    for item in items:
        name = promise(item)[0]
        known = _known(item, squash).get(name)
        if known:
            reason = f"{known.kind}: {known.reason}"
            item.stash[EXPECTED] = Expected(known)
            strict = known.strict and not (own and name in OF_PICTURES)
            item.add_marker(pytest.mark.xfail(reason=reason, strict=strict, raises=Declared))


def _known(item: pytest.Item, squash: bool) -> Mapping[str, KnownFailure]:
    about, tower = subject(item), tower_of(item)
    if about is None or isinstance(about, ModelId):
        return {}
    if isinstance(about, str):
        return preprocessors()[about].failures(squash)
    if not tower:
        _check_towers(about.encoder if isinstance(about, Cell) else about, promise(item)[0])
    return about.known_failures() if isinstance(about, Cell) else about.known_failures(tower)


def _check_towers(key: EncoderKey, name: str) -> None:
    """Raise BadInput if a failure is declared for one tower but the promise `name` is about both."""
    for tower in TOWERS:
        if key.known_failures(tower).get(name) != key.known_failures().get(name):
            what = f"{key.backend} declares a known failure of '{name}:{tower}'"
            raise BadInput(f"{what}: {name} is not judged tower by tower, expected '{name}'")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """End a test that continued after declared failures with all of them."""
    result = yield
    expected = pyfuncitem.stash.get(EXPECTED, None)
    if expected and expected.broken:
        raise Declared("\n".join(expected.broken), pytrace=False)
    return result


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """`judge(comparison)` or `judge(condition, "what was found")` fails the test unless it is true."""

    def check(verdict: object, found: str = "", **sizes: Size) -> None:
        item = request.node
        if isinstance(verdict, Comparison):
            item.config.stash.setdefault(COMPARED, set()).update(verdict.inputs)
        if verdict:
            return
        what, measured = (str(verdict), verdict.sizes) if isinstance(verdict, Comparison) else (found, sizes)
        expected = item.stash.get(EXPECTED, None)
        more = beyond(promise(item)[0], expected.known, measured) if expected else ""
        if expected is None or more:
            pytest.fail(broken(item, what, *([more] if more else []), *hint(item, promise(item)[0])), pytrace=False)
        text = broken(item, what)
        if not measured:  # a failure without a size is declared entirely, and later checks may depend on it
            raise Declared(text, pytrace=False)
        expected.broken.append(text)

    return check


def broken(item: pytest.Item, *found: str) -> str:
    """The message of a failure: the promise, the size, and the command that repeats it."""
    name, sentence = promise(item)
    lines = [f"{name} broken: {sentence}", *found]
    about = subject(item)
    if about is not None:
        lines.append(f"in {about}")
    return "\n".join([*lines, f"again: {reproduce(item)}"])
