"""The documents' set-up: images come from a Python image server on this machine, a process of its own on loopback."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from fixtures.services._http import DIRECT

SAYS = re.compile(r"Serving HTTP on \S+ port (\d+)")
LIMIT_S = 10.0  # of a download


@contextmanager
def image_server(folder: Path) -> Iterator[str]:
    """Serve the files of a folder with Python's own `http.server` for as long as the context lasts; its address.

    Raises RuntimeError with what it said if it does not start.
    """
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        said = server.stdout.readline()
        try:
            if not (port := SAYS.match(said)):
                raise RuntimeError(f"the image server did not start; it said {said!r}")
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            server.kill()


def download(address: str, name: str) -> bytes:
    """The file's bytes, over a connection of its own and past any proxy; raises OSError."""
    with DIRECT.open(f"{address}/{quote(name)}", timeout=LIMIT_S) as answer:
        return bytes(answer.read())
