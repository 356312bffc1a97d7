"""Somebody else's folder with the example of docs/your-backend.md in it, and the small server that the example talks to."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from fixtures import ROOT
from fixtures.capability import Encoder
from fixtures.models import load_model
from fixtures.registry import backends
from suites.selftest import forked
from suites.selftest.patience import HANG_S

PAGE = (ROOT / "docs" / "your-backend.md").read_text()
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


@contextmanager
def serving() -> Iterator[str]:
    """A server of the default model in fp32, in a thread; its address."""
    Handler.encoder = backends()["torch-eager"].load(load_model("scenes-s", ""), "fp32", "cpu")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


class Outside:
    """A folder of somebody else's, with the page's example in it."""

    def __init__(self, folder: Path, data: list[str], url: str) -> None:
        self.folder, self.url = folder, url
        self.options = ["--benchmark-disable", *data, "--preprocessor=original_clip", "-k", "'test_encoder or test_cell'"]
        self.write("http_encoder.py", EXAMPLE)

    def write(self, name: str, text: str) -> None:
        """A file of that folder."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def entry_points(self, *lines: str) -> None:
        """What installing a package with these entry points leaves behind, on PYTHONPATH."""
        self.write("site/theirs-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
        self.write("site/theirs-1.dist-info/entry_points.txt", "\n".join(["[clip_conformance.backends]", *lines]))

    def type(self, command: str, fault: str = "good", forks: bool = False) -> subprocess.CompletedProcess[str]:
        """Type a command in the folder; fewer tests and smaller data than it asks for come from pytest's own variable.

        With `forks` no shell and no new process is behind it: for many commands that end at once.
        """
        assert PYTHON in command
        env = {
            "CLIP": str(ROOT),
            "HTTP_ENCODER": f"{self.url}/{fault}",
            "no_proxy": "127.0.0.1",
            "COLUMNS": "200",
            "PYTHONPATH": str(self.folder / "site"),
            "PYTEST_ADDOPTS": " ".join(self.options),
        }
        if forks:
            words = shlex.split(command.replace("$CLIP", str(ROOT)))
            return forked.run(words[words.index("pytest") + 1 :], env, supervised=True, folder=self.folder)
        script, env = command.replace(PYTHON, sys.executable), {**os.environ, **env}
        return subprocess.run(["sh", "-c", script], cwd=self.folder, env=env, capture_output=True, text=True, timeout=HANG_S)

    @property
    def verdicts(self) -> dict[str, str]:
        """By cell id, from report.json, which lies where the command was typed."""
        cells = json.loads((self.folder / "report.json").read_text())["cells"]
        return {cell["id"]: cell["verdict"] for cell in cells}
