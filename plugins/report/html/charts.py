"""The page's charts, as Vega-Lite specifications (https://vega.github.io/vega-lite/docs/spec.html)."""

from collections.abc import Sequence
from typing import Any

from fixtures.capability import TOWERS
from plugins.measures.latency.step import step
from plugins.report.encoders import by_encoder, shown
from plugins.report.html.answer import Row

Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name: nothing is loaded from it
INK = "currentColor"  # the page's own, in either theme
SHAPES = {"pass": "circle", "expected-failure": "diamond", "fail": "cross"}
VERDICT = {"scale": {"domain": list(SHAPES), "range": list(SHAPES.values())}, "title": "verdict"}
CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": INK, "gridColor": INK, "gridOpacity": 0.15, "domainColor": INK, "tickColor": INK},
    "legend": {"labelColor": INK, "titleColor": INK, "orient": "bottom", "columns": 3},
    "title": {"color": INK},
}
BLUE, ORANGE, RED, GREY = "#3b82c4", "#d9822b", "#c43a3a", "#858e99"  # 3:1 or more on the page's white and on its dark grey
LINE = 18  # pixels of height an encoder


def charts(rows: Sequence[Row]) -> dict[str, tuple[str, Spec]]:
    """Specifications by name, each with the sentence below it; a chart without data is left out."""
    found: dict[str, tuple[str, Spec]] = {}
    for tower in TOWERS:
        points = [point for row in rows if (point := _point(row, tower))]
        if points:
            found[f"drift and time, {tower}"] = (
                f"Each mark is a cell: its {tower} tower's time at batch 1, and its largest {tower} drift as a share of "
                "what is allowed. Down and left is better. The colour is the change of recall (text to image, R@1).",
                _pareto(points, tower),
            )
    for name, what, unit in (
        ("distribution of drift", _drifts, "cosine distance from golden"),
        ("distribution of time", _times, "milliseconds of a call at batch 1"),
    ):
        spans = [span for encoder, own in by_encoder(rows).items() for span in what(encoder, shown(own))]
        if spans:
            ticks = "median, 99th percentile and largest" if what is _drifts else "50th, 95th and 99th percentile"
            found[name] = (f"Of each encoder: {ticks}, joined by a line.", _spans(spans, unit))
    runs = [run for encoder, own in by_encoder(rows).items() for run in _runs(encoder, shown(own))]
    if runs:
        found["history"] = (
            "The time of a call as a ratio to the reference's in each stored run, oldest first; a large mark is a new level.",
            _history(runs),
        )
    return found


def _point(row: Row, tower: str) -> dict[str, Any] | None:
    drift, latency = row.get("drift", {}).get(tower), row.get("latency_ms", {}).get(tower)
    if not drift or not latency or not drift["share_of_tolerance"] > 0:
        return None
    change = row.get("retrieval", {}).get("text_to_image", {}).get("change")
    found = {"cell": row["id"], "verdict": row["verdict"], "ms": latency["p50"], "share": drift["share_of_tolerance"]}
    return found | {"href": f"#{row['id']}"} | ({} if change is None else {"recall": change})


def _drifts(encoder: str, row: Row) -> list[dict[str, Any]]:
    found = []
    for what, tower in (("image_encoder", "image"), ("text", "text")):
        if drift := row.get("drift", {}).get(what):
            low, middle, high = (max(drift["cosine_distance"][name], 1e-16) for name in ("median", "p99", "max"))
            found.append({"encoder": encoder, "tower": tower, "low": low, "middle": middle, "high": high})
    return found


def _times(encoder: str, row: Row) -> list[dict[str, Any]]:
    latency = row.get("latency_ms", {})
    towers = [tower for tower in TOWERS if tower in latency]
    return [
        {"encoder": encoder, "tower": tower}
        | {name: latency[tower][of] for name, of in zip(("low", "middle", "high"), ("p50", "p95", "p99"), strict=True)}
        for tower in towers
    ]


def _runs(encoder: str, row: Row) -> list[dict[str, Any]]:
    found = []
    for tower in TOWERS:
        ratios = row.get("latency_ratio", {}).get(tower, {}).get("trend", {}).get("ratios", [])
        at = step(ratios)
        found += [
            {"encoder": encoder, "tower": tower, "run": i, "ratio": ratio, "step": i == at} for i, ratio in enumerate(ratios)
        ]
    return found


def _chart(values: list[dict[str, Any]], **more: Any) -> Spec:
    return {"$schema": SCHEMA, "config": CONFIG, "width": "container", "data": {"values": values}, **more}


def _pareto(points: list[dict[str, Any]], tower: str) -> Spec:
    widest = max((abs(point.get("recall", 0.0)) for point in points), default=0.0) or 1.0
    recall = {
        "field": "recall",
        "type": "quantitative",
        "title": "recall, points",
        "scale": {"range": [RED, GREY, BLUE], "domain": [-widest, 0, widest]},
    }
    return _chart(
        points,
        height=320,
        mark={"type": "point", "filled": True, "size": 80, "opacity": 0.9, "stroke": INK, "strokeWidth": 0.5},
        params=[{"name": "zoom", "select": "interval", "bind": "scales"}],
        encoding={
            "x": {"field": "ms", "type": "quantitative", "scale": {"type": "log"}, "title": f"{tower}, p50 ms"},
            "y": {
                "field": "share",
                "type": "quantitative",
                "scale": {"type": "log"},
                "title": "drift, share of what is allowed",
            },
            "shape": {"field": "verdict", "type": "nominal", **VERDICT},
            "color": recall if any("recall" in point for point in points) else {"value": BLUE},
            "href": {"field": "href"},
            "tooltip": [{"field": field} for field in ("cell", "verdict", "ms", "share", "recall")],
        },
    )


def _spans(spans: list[dict[str, Any]], unit: str) -> Spec:
    def x(field: str, title: str | None = None) -> Spec:
        return {"field": field, "type": "quantitative", "scale": {"type": "log"}, "title": title}

    shared = {
        "y": {"field": "encoder", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 150}},
        "yOffset": {"field": "tower", "type": "nominal"},
        "color": {"field": "tower", "type": "nominal", "scale": {"domain": list(TOWERS), "range": [BLUE, ORANGE]}},
        "tooltip": [{"field": field} for field in ("encoder", "tower", "low", "middle", "high")],
    }
    height = LINE * len({span["encoder"] for span in spans})
    return _chart(
        spans,
        height=height,
        encoding=shared,
        layer=[
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"x": x("low", unit), "x2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": True, "size": 40}, "encoding": {"x": x("low")}},
            {"mark": {"type": "tick", "thickness": 2, "size": 7}, "encoding": {"x": x("middle")}},
            {"mark": {"type": "tick", "thickness": 2, "size": 7}, "encoding": {"x": x("high")}},
        ],
    )


def _history(runs: list[dict[str, Any]]) -> Spec:
    names = list(dict.fromkeys(run["encoder"] for run in runs))
    first = next((run["encoder"] for run in runs if run["step"]), names[0])
    colour = {"field": "tower", "type": "nominal", "scale": {"domain": list(TOWERS), "range": [BLUE, ORANGE]}}
    return _chart(
        runs,
        height=240,
        params=[{"name": "shown", "value": first, "bind": {"input": "select", "options": names, "name": "encoder "}}],
        transform=[{"filter": "datum.encoder == shown"}],
        encoding={
            "x": {"field": "run", "type": "quantitative", "title": "run", "axis": {"tickMinStep": 1}},
            "y": {"field": "ratio", "type": "quantitative", "scale": {"zero": False}, "title": "ratio to the reference"},
            "color": colour,
            "tooltip": [{"field": field} for field in ("encoder", "tower", "run", "ratio")],
        },
        layer=[
            {"mark": "line"},
            {
                "mark": {"type": "point", "filled": True},
                "encoding": {"size": {"condition": {"test": "datum.step", "value": 250}, "value": 40}},
            },
        ],
    )
