"""Cold starts: a new process for each image, and where its seconds go."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

from typing_extensions import TypedDict

PROGRAM = Path(__file__).with_name("start.py")
LIMIT_S = 300.0


class Start(TypedDict):
    """Seconds of the parts of one process, which follow each other, and of all of it."""

    process: float  # from the start to the first line of the program
    imports: float
    load: float
    first_image: float
    first_labels: float
    other_labels: float
    end: float  # from the last line to the end
    total: float


PARTS = {
    "process": "a new Python, until its program's first line",
    "imports": "torch, open_clip, Pillow",
    "load": "the model is created and its weights are read",
    "first_image": "decode, preprocess and encode one image",
    "first_labels": "10 labels are encoded",
    "other_labels": "17 more labels are encoded",
    "end": "the process ends",
}


def start(folder: Path, image: Path, labels: Sequence[str], few: int, device: str) -> Start:
    """One process. Raises RuntimeError with the end of what it said if it fails."""
    command = [sys.executable, "-P", str(PROGRAM), str(folder), json.dumps([*labels]), str(few), str(image), device]
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    ended = time.time()
    if done.returncode:
        raise RuntimeError(f"a new process ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    at = json.loads(done.stdout)
    order = [begun, *(at[name] for name in ("started", "import", "load", "image", "few labels", "other labels")), ended]
    parts = [later - earlier for earlier, later in pairwise(order)]
    return cast(Start, {**dict(zip(PARTS, parts, strict=True)), "total": ended - begun})
