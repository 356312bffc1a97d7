"""The wheel, installed for somebody whose repository has folders named like our rooms: docs/install.md is true of it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fixtures import ROOT
from suites.selftest.conftest import Run
from suites.selftest.planted.stranger import ROOMS, Stranger, done, wheel

pytest.importorskip("hatchling", reason="hatchling is not installed: make setup")
OURS = ("--backend=ours:OurBackend", "--benchmark-disable")
ENCODER = "scenes-s-ours-fp32-cpu"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """See Stranger."""
    return Stranger(tmp_path_factory.mktemp("stranger"), wheel(tmp_path_factory.mktemp("wheel")))


@pytest.fixture
def clean(stranger: Stranger) -> Stranger:
    """The same with the example as it is printed."""
    stranger.example()
    return stranger


def files(folder: Path) -> set[Path]:
    """All but what Python keeps of compiled modules."""
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_green_then_red(clean: Stranger) -> None:
    """One command with their backend in one file; a fault in it is named. Nothing is written beside the package."""
    before = files(clean.package)
    green = clean.types("audit", *OURS, "-k", "test_encoder and (test_form or test_direction or test_length)")
    assert green.returncode == 0, green.stdout + green.stderr
    assert {name: row["verdict"] for name, row in clean.cells.items()} == {ENCODER: "pass"}
    clean.example(download="embedding.numpy()[:, ::-1].copy()")
    red = clean.types("audit", *OURS, "suites/embeddings", "-k", "test_direction and image")
    assert red.returncode == 1, red.stdout + red.stderr
    assert "E2 broken" in red.stdout
    assert clean.cells[ENCODER]["verdict"] == "fail"
    assert files(clean.package) == before
    # A test's name in a report means ours, although a folder of theirs has the same name.
    named = re.findall(r"again: clip-conformance audit '(suites/embeddings/test_encoder.py::test_direction[^']+)'", red.stdout)
    again = clean.types("audit", "--collect-only", "-q", named[0], *OURS)
    assert again.stdout.count("::test_direction[") == 1, again.stdout + again.stderr


@pytest.mark.long
def test_against_a_revision_of_theirs(clean: Stranger) -> None:
    """Both sides run in workers that import the installed suite, and nothing else that is installed, and their own code."""
    git = ("git", "-c", "user.name=them", "-c", "user.email=them@example.org")
    for command in (("init", "--quiet"), ("add", "*.py"), ("commit", "--quiet", "--message=before")):
        done(*git, *command, cwd=clean.folder)
    clean.example(download="embedding.numpy()[:, ::-1].copy()")
    changed = clean.types("audit", *OURS, "--against=HEAD", "-k", "test_accuracy and image")
    assert changed.returncode == 1, changed.stdout + changed.stderr
    assert "A1 broken" in changed.stdout and "46 of 46 inputs beyond the limit" in changed.stdout, changed.stdout
    assert "this working tree against revision HEAD" in changed.stdout


def test_every_file(stranger: Stranger) -> None:
    """Data, weights and modules of the rooms are there; data to the byte."""
    tracked = done("git", "ls-files", "-z", "--", *ROOMS, "golden").split("\0")
    left_out = re.compile("golden/evidence/|suites/selftest/|suites/studies/(?!drift/|[^/]+$)")
    wanted = [name for name in filter(None, tracked) if not left_out.match(name)]
    assert len(wanted) > 900
    assert [name for name in wanted if not (stranger.package / name).is_file()] == []
    data = [name for name in wanted if not name.endswith(".py")]
    assert [name for name in data if (stranger.package / name).read_bytes() != (ROOT / name).read_bytes()] == []


def test_promises_are_the_same(clean: Stranger, run: Run) -> None:
    """Of every suite."""
    printed = [line for line in clean.types("promises").stdout.splitlines() if line.startswith("| ")]
    assert printed == [line for line in run("--promises").stdout.splitlines() if line.startswith("| ")]


def test_environment(clean: Stranger) -> None:
    """Every backend of ours, and where those run that have an environment of their own."""
    printed = clean.types("environment").stdout
    assert "torch-eager" in printed
    assert "BACKENDS=deepsparse in a clone" in " ".join(printed.split())


@pytest.mark.parametrize("command", ["golden", "drift"])
def test_released_data_stay(clean: Stranger, command: str) -> None:
    """What would write golden data asks for a folder before it measures anything."""
    refused = clean.types(command)
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert "add --golden=FOLDER" in refused.stdout + refused.stderr


def test_one_import_name(stranger: Stranger) -> None:
    """The environment has gained no other; theirs are what Python finds under the names of our rooms."""
    assert not [room for room in ROOMS if (stranger.package.parent / room).exists()]
    places = "import fixtures, plugins, suites, clip_conformance.fixtures as ours; print(fixtures.__file__, ours.ROOT)"
    theirs, ours = done(stranger.bin / "python", "-c", places, cwd=stranger.folder).split()
    assert Path(theirs).is_relative_to(stranger.folder)
    assert Path(ours) == stranger.package


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """requirements/wheel.py, which no room imports."""
    spec = importlib.util.spec_from_file_location("wheel_hook", ROOT / "requirements" / "wheel.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("from fixtures import ROOT", "from clip_conformance.fixtures import ROOT"),
        ("    import plugins.cells.matrix as m", "    import clip_conformance.plugins.cells.matrix as m"),
        ('"python -m suites.studies.drift"', '"python -m clip_conformance.suites.studies.drift"'),
        ("config.plugins.cells", "config.plugins.cells"),
        ("plugins.append(suites.name)", "plugins.append(suites.name)"),
        ('"golden/fixtures.machine"', '"golden/fixtures.machine"'),
    ],
)
def test_names(hook: ModuleType, text: str, becomes: str) -> None:
    """Modules of ours get their new name wherever they are named, and nothing else does."""
    module = f"def f() -> None:\n{text}\n" if text.startswith(" ") else text
    assert becomes in hook.renamed(module, ROOT, Path("x.py")).splitlines()


def test_an_old_name_stops_the_build(hook: ModuleType) -> None:
    """A form of import that the hook does not know is no silent fault of the wheel."""
    with pytest.raises(ValueError, match=r"fixtures/x.py would import plugins by the name that it has in the repository"):
        hook.renamed("import plugins", ROOT, Path("fixtures/x.py"))


def test_editable_is_refused(tmp_path: Path) -> None:
    """In one sentence, as two names for one module would be two modules."""
    command = "from hatchling.build import build_editable; build_editable('.')"
    ended = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "work in the clone, with `make setup`" in ended.stderr
