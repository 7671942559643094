"""The figures as files, for papers and slides: drawn by matplotlib, the extra ``figures``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenext_search.errors import UserError
from edgenext_search.report.plot import COLORS, Plot, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("pdf", "png", "svg")
_MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "star": "*", "cross": "x"}
_WIDTH, _HEIGHT, _LOW = 5.2, 3.6, 4.4  # inches
_DPI = 300
_POINTS = 0.75  # of a pixel
_MANY = 150


def check_formats(text: str) -> list[str]:
    """The formats of ``--figures pdf,png``.

    Raises:
        UserError: One is unknown, or matplotlib is missing.
    """
    formats = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in formats or [""]:
        if name not in FORMATS:
            raise UserError(f"--figures takes {', '.join(FORMATS)}, comma-separated, but got {text!r}.")
    try:
        import matplotlib as mpl  # noqa: F401 - whether it is there
    except ImportError as error:
        raise UserError("--figures needs matplotlib: pip install 'edgenext-search[figures]'.") from error
    return list(dict.fromkeys(formats))


def write_figures(figures: Mapping[str, Plot], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write each figure in each format, named as on the page: ``params.pdf``, ``history.png``.

    Files are the same for the same figures: they hold no date.

    Args:
        figures: By identifier.
        folder: Made where missing.
        formats: Of :data:`FORMATS`.

    Returns:
        The files.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    looks: Any = {"font.size": 8, "pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "edgenext-search"}
    looks |= {"text.parse_math": False}  # a dollar sign is one
    with mpl.rc_context(looks), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # names of any script; a box stands for them
        for identifier, plot in figures.items():
            drawing = Figure(figsize=_size(plot), layout="constrained")
            draw(plot, drawing)
            for suffix in formats:
                path = folder / f"{identifier.removeprefix('fig-')}.{suffix}"
                nameless: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(suffix, {})
                drawing.savefig(path, format=suffix, dpi=_DPI, metadata=nameless)
                written.append(path)
    return written


def draw(plot: Plot, drawing: Any) -> None:  # noqa: ANN401 - a matplotlib figure
    """Draw a figure into one of matplotlib's."""
    two = any(series.panel for series in plot.series)
    if two:
        axes = drawing.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        axes[1].set_title("Stopped early, on a scale of their own", fontsize=7, loc="left", color=COLORS["quiet"])
    else:
        axes = [drawing.subplots()]
    for series in plot.series:
        _series(axes[series.panel], series)
    top, bottom = axes[0], axes[-1]
    top.set_title(plot.title, loc="left", fontsize=9, fontweight="bold", pad=18 if plot.y_label else 6)
    top.annotate(plot.y_label, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=7)
    bottom.set_xlabel(plot.x_label)
    _marks(axes, plot)
    _names(top, plot)
    if plot.x_log:
        _logarithmic(bottom)
    if plot.x_range:
        bottom.set_xlim(*plot.x_range)
    if plot.y_range:
        top.set_ylim(*plot.y_range)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis="x" if plot.y_names else "y", linewidth=0.4, alpha=0.5)
        each.set_axisbelow(True)
    if any(series.legend for series in plot.series):
        drawing.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=7)


def _marks(axes: Sequence[Axes], plot: Plot) -> None:
    """Vertical lines with their text, and bands."""
    for at, text in plot.marks:
        for each in axes:
            each.axvline(at, color=COLORS["quiet"], linestyle="--", linewidth=0.8, zorder=0)
        axes[0].annotate(
            text, (at, 1), (-3, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="right", va="top", fontsize=7,
        )  # fmt: skip
    for index, (low, high, _) in enumerate(plot.bands):
        if index % 2:
            for each in axes:
                each.axvspan(low, high, color=COLORS["quiet"], alpha=0.1, linewidth=0, zorder=0)


def _logarithmic(axes: Axes) -> None:
    """Across, with numbers rather than powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _size(plot: Plot) -> tuple[float, float]:
    if plot.small:
        return _WIDTH / 2, _HEIGHT / 2
    return _WIDTH, _LOW if any(series.panel for series in plot.series) else _HEIGHT


def _names(axes: Axes, plot: Plot) -> None:
    if plot.x_names is not None:
        axes.set_xticks(range(len(plot.x_names)), plot.x_names)
        axes.set_xlim(-0.5, len(plot.x_names) - 0.5)
    if plot.y_names is not None:
        axes.set_yticks(range(len(plot.y_names)), plot.y_names)
        axes.set_ylim(len(plot.y_names) - 0.5, -0.5)


def _series(axes: Axes, series: Series) -> None:
    style, color = series.style, COLORS[series.style.color]
    shown = f"\N{ZERO WIDTH SPACE}{series.name}" if series.name.startswith("_") else series.name  # or it is left out
    label = shown if series.legend else None
    alpha = 0.75 if style.faint else 1.0
    x, y = list(series.x), [float("nan") if value is None else value for value in series.y]
    line = "--" if style.dashed else "-"
    if style.kind == "bar":
        axes.barh(y, x, color=color, height=0.66, label=label)
    elif style.kind == "area":
        axes.fill_between(x, _numbers(series.low), _numbers(series.high), color=color, alpha=0.13, lw=0, label=label)
    elif style.kind == "step":
        axes.step(x, y, where="post", color=color, linestyle=line, linewidth=1.1, label=label)
    elif style.kind == "line":
        axes.plot(x, y, color=color, linestyle=line, linewidth=0.5 if style.faint else 1.1, alpha=alpha, label=label)
    else:
        size = style.size * _POINTS * (0.6 if len(x) > _MANY and style.size < 10 else 1.0)
        if series.low is not None:
            bars = [[abs(a - b) for a, b in zip(y, _numbers(ends), strict=True)] for ends in (series.low, series.high)]
            axes.errorbar(x, y, yerr=bars, fmt="none", ecolor=color, elinewidth=0.8, capsize=2)
        axes.plot(
            x, y, linestyle="none", marker=_MARKERS[style.shape], markersize=size, alpha=alpha, label=label,
            markeredgecolor=color, markerfacecolor=color if style.filled else "none", markeredgewidth=0.9,
        )  # fmt: skip
    for at, up, text in zip(x, y, series.labels or (), strict=False):
        axes.annotate(text, (at, up), xytext=(4, 4), textcoords="offset points", fontsize=7, color=color)


def _numbers(values: Sequence[float | None] | None) -> list[float]:
    return [float("nan") if value is None else value for value in values or ()]
