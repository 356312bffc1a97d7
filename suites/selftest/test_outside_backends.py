"""The README's page "Your own backend", run as printed against a small server: other people's backends need no file here."""

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fixtures.capability import Encoder, Tower
from fixtures.models import load_model
from fixtures.registry import backends
from suites.selftest.conftest import ROOT, small_dataset, start

PAGE = (ROOT / "README.md").read_text().split("## Your own backend")[1].split("\n## ")[0]
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
INDENTED = [block.replace("\n       ", "\n").strip() for block in re.findall(r"\n\n((?:       [^\n]*\n|\n(?=       ))+)", PAGE)]
BY_NAME, ENTRY_POINT, HOOK = INDENTED
PYTHON = "$CLIP/.venv/bin/python"


class Handler(BaseHTTPRequestHandler):
    """POST /good/image and so on: torch eager's embeddings as they are, or with a fault."""

    encoder: Encoder

    def do_POST(self) -> None:
        """Answer with a .npy file."""
        _, fault, tower = self.path.split("/")
        batch = np.load(io.BytesIO(self.rfile.read(int(self.headers["Content-Length"]))))
        embedding = self.encoder.encode(batch, "image" if tower == "image" else "text")
        if fault == "wrong":
            embedding = np.ascontiguousarray(embedding[:, ::-1])
        if fault == "unsteady":
            embedding += np.random.default_rng().normal(0, 1e-7, embedding.shape).astype(np.float32)
        file = io.BytesIO()
        np.save(file, embedding)
        self.send_response(500 if fault == "crashing" else 200)
        self.end_headers()
        self.wfile.write(file.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of the default model in fp32; its address."""
    Handler.encoder = backends()["torch-eager"].load(load_model("scenes-s", ""), "fp32", "cpu")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a small data set with golden data of its own."""
    folder = tmp_path_factory.mktemp("data")
    options = [f"--dataset={small_dataset(folder / 'mine')}", f"--golden={folder}/golden"]
    start(folder, "--update-golden", *options)
    return options


class Outside:
    """A folder of somebody else's, with the README's example in it."""

    def __init__(self, folder: Path, data: list[str], url: str) -> None:
        self.folder, self.url = folder, url
        self.options = ["--benchmark-disable", *data, "--preprocessor=original_clip", "-k", "'test_encoder or test_cell'"]
        self.write("http_encoder.py", EXAMPLE)

    def write(self, name: str, text: str) -> None:
        """A file of that folder."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def entry_points(self, *lines: str) -> None:
        """What installing a package with these entry points leaves behind, on PYTHONPATH."""
        self.write("site/theirs-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
        self.write("site/theirs-1.dist-info/entry_points.txt", "\n".join(["[clip_conformance.backends]", *lines]))

    def type(self, command: str, fault: str = "good") -> subprocess.CompletedProcess[str]:
        """Type a command in the folder; fewer tests and smaller data than it asks for come from pytest's own variable."""
        assert PYTHON in command
        env = {
            **os.environ, "CLIP": str(ROOT), "HTTP_ENCODER": f"{self.url}/{fault}", "no_proxy": "127.0.0.1", "COLUMNS": "200",
            "PYTHONPATH": str(self.folder / "site"), "PYTEST_ADDOPTS": " ".join(self.options),
        }  # fmt: skip
        script = command.replace(PYTHON, sys.executable)
        return subprocess.run(["sh", "-c", script], cwd=self.folder, env=env, capture_output=True, text=True, timeout=280)

    @property
    def verdicts(self) -> dict[str, str]:
        """By cell id, from report.json, which lies where the command was typed."""
        cells = json.loads((self.folder / "report.json").read_text())["cells"]
        return {cell["id"]: cell["verdict"] for cell in cells}


CELL = "scenes-s-http-fp32-original_clip-cpu"


@pytest.fixture
def outside(tmp_path: Path, data: list[str], server: str) -> Outside:
    """See Outside."""
    return Outside(tmp_path, data, server)


def test_by_name(outside: Outside) -> None:
    """`--backend module:Class` from its folder keeps every promise."""
    result = outside.type(BY_NAME)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}
    assert "17 passed" in result.stdout  # eight promises of two towers, and one of the cell


def test_by_entry_point(outside: Outside) -> None:
    """An installed entry point; its name may differ from the backend's, whose name is what the report shows."""
    declaration, command = ENTRY_POINT.split("\n\n")
    outside.entry_points(*declaration.splitlines()[1:])
    outside.options[-1] = "test_cell"
    result = outside.type(command)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}


def test_by_hook(outside: Outside) -> None:
    """A hook in a conftest.py outside this repository."""
    code, command = HOOK.rsplit("\n\n", 1)
    outside.write("conftest.py", code)
    outside.options[-1] = "test_cell"
    result = outside.type(command)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}


def test_known_failure(outside: Outside) -> None:
    """The README's example of a known failure is an expected failure where it breaks, and a failure where it does not."""
    outside.write("http_encoder.py", EXAMPLE.replace("= {}  # {", "= {"))
    outside.options[-1] = "'test_repeat or test_cell'"
    result = outside.type(BY_NAME, "unsteady")
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "expected-failure"}
    assert "upstream: batches by load" in result.stdout
    assert outside.type(BY_NAME).returncode == 1
    assert outside.verdicts == {CELL: "fail"}


def test_wrong_vectors(outside: Outside) -> None:
    """A server with wrong vectors fails, and the command that shows it again works where it is typed."""
    outside.options[-1] = "test_cell"
    result = outside.type(BY_NAME, "wrong")
    assert result.returncode == 1
    assert outside.verdicts == {CELL: "fail"}
    assert "C1 broken" in result.stdout
    command = re.findall(r"again: pytest (.*)", result.stdout)[0]
    assert "--backend=http_encoder:HttpBackend" in command
    again = outside.type(f"{PYTHON} -m pytest --collect-only -q {command}")
    assert again.stdout.count("::test_end_to_end[") == 1, again.stdout


def test_what_cannot_run(outside: Outside) -> None:
    """Without a server a cell is skipped with what to do; an entry point that cannot be loaded costs its own row."""
    outside.entry_points("gone = no_such_module:Gone", "named = http_encoder:HttpBackend")
    outside.url, outside.options[-1] = "http://127.0.0.1:9", "test_cell"
    result = outside.type(f"{PYTHON} -m pytest $CLIP --backend named,gone")
    assert result.returncode == 1  # nothing was compared
    assert outside.verdicts == {CELL: "skipped", "scenes-s-gone-fp32-original_clip-cpu": "skipped"}
    assert "no server at http://127.0.0.1:9" in result.stdout
    assert "start it, or set HTTP_ENCODER" in result.stdout
    assert "entry point gone = no_such_module:Gone: no module 'no_such_module'" in result.stdout


def test_server_error(outside: Outside) -> None:
    """A server that answers with an error is no reason to skip."""
    outside.options[-1] = "test_cell"
    result = outside.type(BY_NAME, "crashing")
    assert result.returncode == 1
    assert outside.verdicts == {CELL: "fail"}
    assert "could not be built: HTTPError: HTTP Error 500" in result.stdout


OURS = EXAMPLE.replace('name = "http"', 'name = "onnxruntime"')
MODULES = {"ours.py": OURS, "broken.py": "import no_such_library", "bare.py": EXAMPLE.replace('name = "http"', 'title = "x"')}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("http_encodr:HttpBackend", "no module 'http_encodr' for 'http_encodr:HttpBackend': start in its folder or"),
        ("http_encoder:HttpBacken", "module 'http_encoder' has no 'HttpBacken': did you mean 'HttpBackend'?"),
        ("http_encoder:HttpEncoder", "http_encoder:HttpEncoder is no Backend: expected a class derived from"),
        ("http_encoder:", "found 'http_encoder:', expected package.module:Class"),
        ("broken:HttpBackend", "module 'broken' cannot be imported (ModuleNotFoundError: No module named 'no_such_library')"),
        ("bare:HttpBackend", "bare:HttpBackend has the name None: expected letters"),
        ("ours:HttpBackend", "ours:HttpBackend is named 'onnxruntime', and so is fixtures.backends.onnxruntime:OnnxRuntime"),
        ("http_encoder:HttpBackend,htpp", "unknown backend 'htpp': did you mean 'http'?"),
    ],
)
def test_bad_names(tmp_path: Path, spec: str, sentence: str) -> None:
    """What names no backend ends the run with one sentence and exit code 4."""
    outside = Outside(tmp_path, [], "")
    for name, text in MODULES.items():
        outside.write(name, text)
    result = outside.type(BY_NAME.replace("http_encoder:HttpBackend", spec))
    output = result.stdout + result.stderr
    assert result.returncode == 4, output
    assert sum(sentence in line for line in output.splitlines()) == 1, output
    assert "Traceback" not in output
