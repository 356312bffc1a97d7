"""What names no usable backend of somebody else's ends in one sentence."""

from pathlib import Path

import pytest

from suites.selftest.planted.outside import BY_NAME, EXAMPLE, HOOK, Outside

MODULES = {
    "ours": EXAMPLE.replace('name = "http"', 'name = "onnxruntime"'),
    "broken": "import no_such_library",
    "bare": EXAMPLE.replace('name = "http"', 'title = "http"'),
    "text": EXAMPLE.replace('("fp32",)', '("fp32")'),
    "reason": EXAMPLE.replace("= {}  # {", "= {'E6': 'slow'}  # {"),
    "boundless": EXAMPLE.replace(", at_most=1e-4", "").replace("= {}  # {", "= {"),
    "towerless": EXAMPLE.replace('= {}  # {"E6"', '= {"E6:txet"'),
    "unfinished": EXAMPLE.replace("def load", "def open"),
    "needy": EXAMPLE.replace("    def load", "    def __init__(self, url): ...\n    def load"),
}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("http_encodr:HttpBackend", "no module 'http_encodr' for 'http_encodr:HttpBackend': run in its folder or"),
        ("http_encoder:HttpBacken", "module 'http_encoder' has no 'HttpBacken': did you mean 'HttpBackend'?"),
        ("http_encoder:HttpEncoder", "http_encoder:HttpEncoder is not a Backend: expected a class derived from"),
        ("http_encoder:", "found 'http_encoder:', expected package.module:Class"),
        ("broken:HttpBackend", "module 'broken' cannot be imported (ModuleNotFoundError: No module named 'no_such_library')"),
        ("bare:HttpBackend", "bare:HttpBackend has the name None: expected letters"),
        (
            "ours:HttpBackend",
            "ours:HttpBackend has the `name` 'onnxruntime', which fixtures.backends.onnxruntime:OnnxRuntime has too",
        ),
        ("text:HttpBackend", "text:HttpBackend declares precisions = 'fp32': expected a tuple of names"),
        ("reason:HttpBackend", "reason:HttpBackend declares known_failures = {'E6': 'slow'}: expected {'E6': KnownFailure("),
        ("boundless:HttpBackend", "boundless:HttpBackend declares a known failure of 'E6' without at_most: expected a bound"),
        ("towerless:HttpBackend", "'E6:txet': 'txet' is not one of its precisions, devices or towers: did you mean 'text'?"),
        ("unfinished:HttpBackend", "unfinished:HttpBackend is incomplete: expected it to define load"),
        ("needy:HttpBackend", "needy:HttpBackend cannot be created (TypeError: "),
        ("http_encoder:HttpBackend,htpp", "unknown backend 'htpp': did you mean 'http'?"),
    ],
)
def test_bad_names(tmp_path: Path, spec: str, sentence: str) -> None:
    """What names no backend ends the run with one sentence and exit code 4."""
    outside = Outside(tmp_path, [], "")
    for name, text in MODULES.items():
        outside.write(f"{name}.py", text)
    _ends(outside, BY_NAME.replace("http_encoder:HttpBackend", spec), sentence)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return HttpBackend()", "pytest_clip_conformance_backends failed (TypeError: 'HttpBackend' object is not iterable)"),
        ("return [HttpBackend]", "in its list: expected objects of classes from Backend"),
        ("return [object] + nothing", "pytest_clip_conformance_backends failed (NameError: "),
    ],
)
def test_bad_hooks(tmp_path: Path, body: str, sentence: str) -> None:
    """So does a hook that gives something else than a list of backends."""
    outside = Outside(tmp_path, [], "")
    code, command = HOOK.rsplit("\n\n", 1)
    outside.write("conftest.py", code.replace("return [HttpBackend()]", body))
    _ends(outside, command, sentence)


def _ends(outside: Outside, command: str, sentence: str) -> None:
    result = outside.type(command, forks=True)
    output = result.stdout + result.stderr
    assert result.returncode == 4, output
    assert sum(sentence in line for line in output.splitlines()) == 1, output
    assert "Traceback" not in output
