"""The evidence as a file: JSON with four digits a figure and a line for each layer."""

import json
import math
from typing import Any

LEVELS = 4  # of nesting that begin a new line for each entry: the file, its lists, their entries, and the entries' layers


def text(found: dict[str, Any]) -> str:
    """Write non-finite values as text, because JSON has none."""
    return _lines(_rounded(found), LEVELS, "") + "\n"


def _lines(value: Any, levels: int, pad: str) -> str:
    if not levels or not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    deeper = pad + " "
    if isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {_lines(item, levels - 1, deeper)}" for key, item in value.items()]
        left, right = "{}"
    else:
        entries = [_lines(item, levels - 1, deeper) for item in value]
        left, right = "[]"
    return f"{left}\n{deeper}" + f",\n{deeper}".join(entries) + f"\n{pad}{right}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value
