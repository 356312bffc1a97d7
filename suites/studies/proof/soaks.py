"""Every encoder that runs here is called for a while, and every vector is looked at: faults that are late or rare."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fixtures import ROOT


def figures(seconds: float, seed: int) -> dict[str, Any]:
    """Calls of each encoder and tower, what so many calls would have found, and the tests that failed."""
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        report = Path(folder) / "report.json"
        options = (f"--soak={seconds:g}", f"--seed={seed}", f"--report={report}", "--benchmark-disable")
        command = [sys.executable, "-m", "pytest", "suites/embeddings/test_soak.py", *options, "--device=cpu", "-q"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        cells = json.loads(report.read_text(encoding="utf-8"))["cells"] if report.exists() else []
    rows = [
        {"encoder": cell["id"], "tower": tower, **found, "verdict": cell["verdict"]}
        for cell in cells
        for tower, found in cell.get("soak", {}).items()
    ]
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {"seconds": seconds, "seed": seed, "exit": done.returncode, "rows": rows, "failed": failed}
