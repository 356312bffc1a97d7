"""`--export-vectors` and `--compare-vectors`: vectors of one machine beside another's, or another language's."""

import shutil
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import TOWERS, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from plugins.cells.beside import declared
from plugins.cells.fixtures import subjects_of
from plugins.cells.on_request import on_request
from plugins.golden.verified import Golden, load_golden, names_of
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import METRICS, Comparison, add_angles
from plugins.report.layout import columns
from plugins.report.rows import RESULTS
from plugins.run.write_failures import NOT_WRITTEN, noted
from plugins.stored.bundle import Stored, belongs_to, of, read, same_but_device, write
from plugins.subjects import Subjects

SUITE = "suites/embeddings/test_stored.py"
COSINE, WHAT = "cosine_distance", "vectors"
HEADER = ("encoder", "tower", "beside", "largest cosine distance", "of what is allowed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add both options."""
    group = parser.getgroup("clip-conformance")
    text = "store the vectors of all selected encoders, to compare with them on another machine"
    group.addoption("--export-vectors", type=Path, metavar="FILE", help=text)
    text = "compare with vectors that --export-vectors stored elsewhere, or that another program wrote (E19)"
    group.addoption("--compare-vectors", type=Path, metavar="FILE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Stored vectors are compared only if there are any."""
    missing = "compares with stored vectors: add --compare-vectors=FILE"
    on_request(config, SUITE, lambda config: bool(config.option.compare_vectors), missing)


class StoredVectors:
    """The stored vectors of this run's --compare-vectors, read once."""

    def __init__(self, source: Path, subjects: Subjects, golden: Golden) -> None:
        self.source, self.subjects, self.golden = source, subjects, golden

    @cached_property
    def stored(self) -> list[Stored]:
        """All encoders of the file; raises BadInput."""
        rows = {"image": len(self.golden.pixels), "text": len(self.subjects.tokens)}
        return read(self.source, belongs_to(self.subjects, self.golden), rows)

    def comparison(self, key: EncoderKey, tower: Tower, ours: Drift) -> tuple[str, Comparison]:
        """The stored encoder's name, and the distances of our vectors to its own.

        Allowed is as far as two encoders can be from each other that both keep golden's tolerance: their angles added.
        """
        try:
            found = of(key, self.stored, tower, self.source)
        except Unavailable as reason:
            pytest.skip(str(reason))
        names = list(self.golden.pixel_names) if tower == "image" else names_of(self.subjects, tower)
        bound = declared(key, tower)  # as far both may be, if both are of one backend
        theirs = self.golden.limits(found.precision, tower, COSINE, names)
        limits = add_angles(
            np.maximum(ours.limits[COSINE], bound), np.maximum(theirs, bound if same_but_device(found.name, key) else 0.0)
        )
        distances = METRICS[COSINE](ours.found, found.vectors[tower])
        return found.name, Comparison(f"cosine distance to the stored vector of {found.name}", distances, limits, names, COSINE)


@pytest.fixture(scope="session")
def elsewhere(subjects: Subjects, golden: Golden, pytestconfig: pytest.Config) -> StoredVectors:
    """The stored vectors of this run."""
    return StoredVectors(pytestconfig.option.compare_vectors, subjects, golden)


def _parts(config: pytest.Config) -> Path:
    """Where processes of this run put an encoder's vectors until all are there."""
    target: Path = config.option.export_vectors
    return target.with_name(f".{target.name}.parts")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Keep an encoder's vectors of the golden inputs as soon as they are computed."""
    found = yield
    if fixturedef.argname == "drift" and isinstance(found, Drift) and request.config.option.export_vectors:
        params = request.node.callspec.params
        folder = _parts(request.config)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{params['encoder_key']}.{params['tower']}.npy", found.found)
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the bundle, with every encoder that has run."""
    config = session.config
    if not (target := config.option.export_vectors):
        return
    keys = config.stash[RESULTS].encoders
    files = {f"{name}/{tower}": _parts(config) / f"{name}.{tower}.npy" for name in keys for tower in TOWERS}
    vectors = {name: np.load(file) for name, file in files.items() if file.exists()}
    if vectors:
        subjects = subjects_of(config)
        precisions = {name: key.tolerance for name, key in keys.items()}
        with noted(config, WHAT):
            write(target, vectors, precisions, belongs_to(subjects, load_golden(subjects)))
    shutil.rmtree(_parts(config), ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line for each encoder and tower that was compared, and where vectors were stored."""
    found = [
        (name, tower, each["beside"], f"{each['cosine_distance']:.1e}", f"{each['share_of_limit']:.0%}")
        for name in config.stash[RESULTS].encoders
        for tower, each in config.stash[RESULTS].measures[name].get("stored", {}).items()
    ]
    if found:
        terminalreporter.section("stored vectors")
        for text in columns([HEADER, *found], right=(3, 4)):
            terminalreporter.write_line(text)
    if (target := config.option.export_vectors) and WHAT not in config.stash[NOT_WRITTEN]:
        said = f"vectors: {target}" if target.exists() else f"{target} was not written: no selected test encodes golden inputs"
        terminalreporter.write_line(said)
