"""The figures as Markdown tables: where errors arise, planted defects, and the worst inputs."""

from typing import Any

from plugins.report.layout import code, table
from suites.studies.drift.page_ranges import ranges


def markdown(found: dict[str, Any]) -> str:
    """The layers' part of the page."""
    parts = [_where(found), _planted(found["planted"])]
    parts += [ranges(tower, found["ranges"][tower]) for tower in found["ranges"]]
    return "\n".join([*parts, _worst(found["worst"])])


def _where(found: dict[str, Any]) -> str:
    head = (
        "cell",
        "tower",
        "error (cosine distance)",
        "enters at",
        "fastest growth",
        "largest own",
        "least headroom, bits",
        "named",
    )
    count = found["cells"][0]["inputs"]
    lines = [
        "## Where: error against float64, layer by layer",
        "",
        f"Relative errors of the embedding and of layers, medians over {count} inputs. What a layer adds when float64 is given",
        "the same inputs is its own error; error enters at the first layer whose own is a tenth of the largest. A layer is",
        "named when its own error stands out from its neighbours' of the same kind, or it is close to overflow.",
        "",
        table(head, [_cell(cell) for cell in found["cells"]]),
    ]
    if found["skipped"]:
        lines += ["Not looked into:", ""]
        lines += [f"- {one['backend']} {one['precision']}: {one['reason']}" for one in found["skipped"]]
        lines.append("")
    return "\n".join(lines)


def _cell(cell: dict[str, Any]) -> list[str]:
    layers = cell["layers"]
    steepest = max((row for row in layers if "growth" in row), key=lambda row: float(row["growth"]), default=None)
    own = max(layers, key=lambda row: float(row["own"]["median"]))
    least = min(layers, key=lambda row: float(row["headroom_bits"]))
    return [
        f"{cell['backend']} {cell['precision']}",
        cell["tower"],
        f"{_figure(layers[-1]['total']['median'])} ({_figure(layers[-1]['cosine']['median'])})",
        _short(cell["enters_at"] or "none"),
        f"{float(steepest['growth']):.3g} in {_short(steepest['name'])}" if steepest else "–",
        f"{_figure(own['own']['median'])} in {_short(own['name'])}",
        f"{float(least['headroom_bits']):.1f} in {_short(least['name'])}",
        "; ".join(f"{_short(one['layer'])}: {one['sentence']}" for one in cell["findings"]) or "nothing stands out",
    ]


def _planted(rows: list[dict[str, Any]]) -> str:
    shown = [[row["defect"], row["tower"], code(row["planted_in"]), code(row["named"] or "none"), _why(row)] for row in rows]
    head = ("defect", "tower", "planted in", "named first", "why")
    return "\n".join(["## Planted defects (torch-eager fp16)", "", table(head, shown)])


def _why(row: dict[str, Any]) -> str:
    sentence = str(row["findings"][0]["sentence"]) if row["findings"] else "–"
    weight = row["weight_error"]
    if not weight:
        return sentence
    usual = f"{float(weight['median']):.2%}"
    return f"{sentence}; {code(weight['name'])} differs by {float(weight['error']):.1%} from the model's, others by {usual}"


def _worst(rows: list[dict[str, Any]]) -> str:
    head = ("precision", "tower", "input", "cosine distance", "the data set's worst", "times")
    shown = [
        [
            row["found_for"],
            row["tower"],
            code(ascii(row["input"])),
            _figure(row["distance"]),
            _figure(row["of_data_set"]["max"]),
            f"{float(row['distance']) / float(row['of_data_set']['max']):.1f}",
        ]
        for row in rows
    ]
    return "\n".join(["## Worst inputs found by search", "", table(head, shown)])


def _short(name: str) -> str:
    """Without the tower's part of the path, which has a column of its own."""
    _, found, rest = name.rpartition("resblocks.")
    return f"block {rest.replace('.', ' ')}" if found else code(name)


def _figure(value: float | str) -> str:
    return f"{float(value):.2g}"
