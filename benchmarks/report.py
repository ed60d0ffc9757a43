"""The results of `compare.py`: as a table, as a table for the docs, and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import harness

YARDSTICK = "pyzmq"
MIB = 2**20
SCENARIOS = {
    "one": "one call at a time",
    "many": "64 in flight",
    "threads": "16 threads",
    "echo": "1 MiB there and back",
}
_OURS, _OTHERS, _BASE = "#c2410c", "#94a3b8", "#475569"


def show(result: dict[str, Any]) -> None:
    """Print the rate of each contender, and its ratio to bare pyzmq."""
    harness.table(_header(), _rows(result))
    print("\n" + _machine(result))


def as_rst(result: dict[str, Any]) -> str:
    """The same, for the documentation."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (_header(), *_rows(result)):
        lines += [f"   {'*' if not index else ' '} - {cell}" for index, cell in enumerate(row)]
    return "\n".join([*lines, "", _machine(result), ""])


def _header() -> list[str]:
    return ["", *(f"{text}, /s" for text in SCENARIOS.values())]


def _rows(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, version in result["versions"].items():
        if version is None:
            rows.append([name, "not installed", *[""] * (len(SCENARIOS) - 1)])
        else:
            cells = [_cell(result["samples"][scenario], name) for scenario in SCENARIOS]
            rows.append([f"{name} {version}", *cells])
    return rows


def _cell(samples: dict[str, list[float]], name: str) -> str:
    if name not in samples:
        return "–"
    _, middle, _ = harness.spread(samples[name])
    low, ratio, high = harness.spread(harness.ratios(samples[YARDSTICK], samples[name]))
    if name == YARDSTICK:
        return f"{1 / middle:,.0f}"
    return f"{1 / middle:,.0f} ({ratio:.2f}; {low:.2f} – {high:.2f})"


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return f"{machine['python']}, {machine['system']}, {machine['cores']} cores."


def plot(result: dict[str, Any], stem: Path) -> None:
    """Draw the shares of bare pyzmq as bars, with their quartiles: STEM.png and STEM.svg."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "pycom"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for panel, (scenario, title) in zip(panels.flat, SCENARIOS.items(), strict=True):
        _panel(panel, result["samples"][scenario])
        panel.set_title(title, loc="left", fontweight="bold")
    figure.supxlabel(f"calls a second, of bare pyzmq with JSON · {_machine(result)}", fontsize=10)
    figure.savefig(stem.with_suffix(".png"), dpi=120)
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})


def _panel(panel: Any, samples: dict[str, list[float]]) -> None:
    spreads = {
        name: harness.spread(harness.ratios(samples[YARDSTICK], times))
        for name, times in samples.items()
    }
    names = sorted(spreads, key=lambda name: spreads[name][1])
    middles = [spreads[name][1] for name in names]
    errors = [
        [spreads[name][1] - spreads[name][0] for name in names],
        [spreads[name][2] - spreads[name][1] for name in names],
    ]
    colors = [
        _OURS if name.startswith("PyCOM") else _BASE if name == YARDSTICK else _OTHERS
        for name in names
    ]
    panel.barh(names, middles, xerr=errors, color=colors, ecolor="#0f172a", height=0.7, capsize=2)
    for place, (name, middle) in enumerate(zip(names, middles, strict=True)):
        rate = 1 / harness.spread(samples[name])[1]
        panel.text(
            spreads[name][2] + 0.02 * max(middles), place, f"{middle:.2f}  ({rate:,.0f}/s)",
            va="center", fontsize=8,
        )  # fmt: skip
    panel.axvline(1, color=_BASE, linewidth=0.8, linestyle="--")
    panel.set_xlim(0, max(high for _, _, high in spreads.values()) * 1.3)
    panel.spines[["top", "right"]].set_visible(False)
