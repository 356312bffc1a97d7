"""What the page is made with; optional, so it is asked for before a run takes its time."""

from importlib.util import find_spec

from fixtures.errors import BadInput

PACKAGES = {"jinja2": "jinja2", "vl_convert": "vl-convert-python"}  # module, and its name for pip


def check() -> None:
    """Raises BadInput for a package that is missing."""
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise BadInput(f"the page needs {' and '.join(missing)}, not installed here: pip install {' '.join(missing)}")
