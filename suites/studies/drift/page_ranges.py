"""The dynamic range as Markdown tables: the extremes of each tower, activations and weights."""

from typing import Any

from plugins.report.layout import code, table

SHOWN = 6  # rows of a table of extremes


def ranges(tower: str, found: dict[str, Any]) -> str:
    """One tower's tables."""
    activations, weights = found["activations"], [row for row in found["weights"] if "int8" in row]
    largest = max(found["weights"], key=lambda row: float(row["largest"]))
    parts = [
        f"## Why: dynamic range of the {tower} tower ({found['inputs']} inputs)",
        "",
        "Closest to overflow in fp16:",
        "",
        _closest(activations),
        "Most values below fp16's normal numbers (bf16 has fp32's exponents and flushes none of them):",
        "",
        _small(activations),
        "Coarsest on an 8-bit scale of their own (levels, of 127, that the usual value spans):",
        "",
        _coarse(activations),
        f"Largest weight: {float(largest['largest']):.3g} in {code(largest['name'])}. Error of int8 weights by output channel:",
        "",
        _channels(weights),
    ]
    return "\n".join(parts)


def _closest(rows: list[dict[str, Any]]) -> str:
    head = ("tensor", "largest", "headroom fp16, bits", "bf16", "channel (times the median)", "token")
    shown = sorted(rows, key=lambda row: float(row["fp16"]["headroom_bits"]))[:SHOWN]
    return table(
        head,
        [
            [
                code(row["name"]),
                f"{float(row['largest']):.4g}",
                f"{float(row['fp16']['headroom_bits']):.1f}",
                f"{float(row['bf16']['headroom_bits']):.0f}",
                _outliers(row["outlier_channels"]),
                _outliers(row["outlier_tokens"]),
            ]
            for row in shown
        ],
    )


def _small(rows: list[dict[str, Any]]) -> str:
    shown = sorted(rows, key=lambda row: -row["fp16"]["subnormal_share"] - row["fp16"]["flushed_share"])[:SHOWN]
    return table(
        ("tensor", "subnormal in fp16", "flushed to 0 in fp16", "flushed in bf16"),
        [
            [
                code(row["name"]),
                f"{row['fp16']['subnormal_share']:.3%}",
                f"{row['fp16']['flushed_share']:.3%}",
                f"{row['bf16']['flushed_share']:.3%}",
            ]
            for row in shown
        ],
    )


def _coarse(rows: list[dict[str, Any]]) -> str:
    shown = sorted(rows, key=lambda row: float(row["int8"]["levels_of_rms"]))[:SHOWN]
    return table(
        ("tensor", "levels", "rounds to 0"),
        [
            [code(row["name"]), f"{row['int8']['levels_of_rms']:.1f}", f"{row['int8']['rounds_to_zero_share']:.1%}"]
            for row in shown
        ],
    )


def _channels(rows: list[dict[str, Any]]) -> str:
    shown = sorted(rows, key=lambda row: -row["int8"]["channel_error"]["max"])[:SHOWN]
    return table(
        ("matrix", "median channel", "worst channel", "which"),
        [
            [code(row["name"]), f"{error['median']:.2%}", f"{error['max']:.2%}", str(error["worst_channel"])]
            for row in shown
            for error in [row["int8"]["channel_error"]]
        ],
    )


def _outliers(found: list[dict[str, float]]) -> str:
    return ", ".join(f"{one['index']} ({one['times_the_median']:.1f})" for one in found) or "–"
