"""How many rows a conclusion hangs on, drawn: by first order, by refits, and what is proven."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidType
from influstat.input.lazy_types import Axes
from influstat.input.printing import amount, as_drawn
from influstat.input.settings import optional_text
from influstat.input.validation import FloatArray
from influstat.plots import base, lines, points
from influstat.plots.wording import shortened, wrapped

ABOVE = 38.0  # points between axes and title, where the key is
FEW = 40  # sizes of sets that have a marker each
ROOM = 0.12  # of the range of the path: beyond it and beyond the threshold


def breakdown(
    result: Any,
    *,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how few rows flip a conclusion, how far they move a quantity, or both numbers per coefficient.

    Parameters
    ----------
    result : Breakdown, Reach or BreakdownTable
        Of `Fit.breakdown`, `Inference.breakdown`, `Fit.reach` or `influstat.breakdown_table`.
    title, size, ax
        As for all pictures: see `influstat.plots`. A breakdown without a title has its conclusion there.

    Returns
    -------
    Axes
        Of a breakdown: the number k of removed rows across, up the quantity without the k rows of largest
        first-order effect, by first order and by refits (the lines of `path()`), the threshold, the set that
        was found, and the values that no set of k rows attains by proof. Of a reach: the same towards both
        sides, for up to its k. Of a table: a line per coefficient from what is proven to what was found.

    Raises
    ------
    InvalidType
        It is another object.
    InvalidArgument
        ax is no Axes, size no pair of inches, or a table has no coefficient with an answer.
    MissingDependency
        matplotlib is not installed.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> ax = ist.plots.breakdown(fit.breakdown("mean"))
    >>> ax.lines[1].get_ydata().round(2).tolist()                # refits without 3, and without 3 and 2
    [0.8, 0.25, -0.33]
    """
    title = optional_text("title", title)
    kind = getattr(result, "drawn_as", None)
    if kind not in PICTURES:
        need = "be a Breakdown, a Reach or a BreakdownTable"
        raise InvalidType("result", need, f"is a {type(result).__name__}", "Pass fit.breakdown(coefficient).")
    return PICTURES[kind](result, title, size, ax)


def _flipped(result: Any, title: str | None, size: Any, ax: Axes | None) -> Axes:
    """Draw one conclusion."""
    ax, path, at = base.one_axes(ax, height=3.4, size=size), result.path(), result.at
    k = path.index.to_numpy(dtype=np.float64)
    first, refit = (path[name].to_numpy(dtype=np.float64) for name in ("first_order", "refit"))
    _curves(ax, k, first, refit)
    shown = np.concatenate([first, refit, [at]])
    if result.upper is not None:
        ax.plot(
            [result.upper], [result.value_without], "D", color=base.ORANGE, markersize=6, linestyle="",
            label=f"found: {amount(result.upper, result.units)}", zorder=4,
        )  # fmt: skip
        shown = np.append(shown, result.value_without)
    low, high = np.nanmin(shown), np.nanmax(shown)
    low, high = low - ROOM * (high - low), high + ROOM * (high - low)
    lines.levels(ax, [(at, f"threshold\n{at:g}")])
    if result.lower > 1:
        beyond = low if result.side == "above" else high
        what = amount(result.lower - 1, result.units)
        _band(ax, 0.0, result.lower - 1.0, at, beyond, f"proven: {what} cannot get here")
    ax.set(xlim=(0.0, max(float(k[-1]), result.upper or 0, 1.0) * 1.04), ylim=(low, high))
    _key(ax)
    said = [] if result.upper is not None else ["no set was found"]
    said += [f"nothing is proven: {result.limit}"] if result.lower == 1 and result.limit else []
    xlabel = _noted(ax, f"{result.units} removed, largest first-order effect first", said)
    base.tidy(
        ax, xlabel=xlabel, ylabel=_quantity(result), title=title or as_drawn(result.question), pad=ABOVE
    )
    return ax


def _reached(result: Any, title: str | None, size: Any, ax: Axes | None) -> Axes:
    """Draw both ends of a reach."""
    ax, path, k = base.one_axes(ax, height=3.4, size=size), result.path(), float(result.k)
    sizes = path.index.to_numpy(dtype=np.float64)
    for side in ("least", "largest"):
        first, refit = (
            path[f"{side}_{name}"].to_numpy(dtype=np.float64) for name in ("first_order", "refit")
        )
        _curves(ax, sizes, first, refit, named=side == "least")
    for position, (attained, units) in enumerate(zip(result.attained, result.positions, strict=True)):
        label = "attained by a refit" if position == 0 else None
        ax.plot([len(units)], [attained], "D", color=base.ORANGE, markersize=6, label=label, zorder=4)
    everything = np.concatenate([path.to_numpy(dtype=np.float64).ravel(), result.attained])
    known = [one for one in result.proven if np.isfinite(one)]
    low, high = np.nanmin([*everything, *known]), np.nanmax([*everything, *known])
    room = ROOM * float(high - low) or 1.0
    low, high = low - room, high + room
    for position, (limit, beyond) in enumerate(zip(result.proven, (low, high), strict=True)):
        if np.isfinite(limit):
            label = "proven: not attained" if position == 0 or not np.isfinite(result.proven[0]) else None
            _band(ax, 0.0, k, limit, beyond, label)
    ax.set(xlim=(0.0, k * 1.04), ylim=(low, high))
    lines.levels(ax, [(limit, f"proven\n{limit:.3g}") for limit in known])
    _key(ax)
    called = "clusters" if result.asked.clusters else "rows"
    said = [] if known else [f"nothing is proven{f': {result.limit}' if result.limit else ''}"]
    xlabel = _noted(ax, f"{called} removed, largest first-order effect first", said)
    base.tidy(ax, xlabel=xlabel, ylabel=as_drawn(result.quantity), title=title, pad=ABOVE)
    return ax


def _table(result: Any, title: str | None, size: Any, ax: Axes | None) -> Axes:
    """Draw an interval per coefficient, from what is proven to what was found."""
    names = [*result.results, *result.status]
    ax = base.one_axes(ax, height=1.3 + 0.3 * len(names), size=size)
    most = max((one.total for one in result.results.values()), default=1)
    for place, one in enumerate(result.results.values()):
        end = one.total if one.upper is None else one.upper
        ax.plot([one.lower, end], [place, place], color=base.BLUE, linewidth=2.0, zorder=2)
        ax.plot([one.lower], [place], "|", color=base.BLUE, markersize=11, markeredgewidth=2.0, zorder=3)
        if one.upper is None:
            ax.plot([end], [place], ">", color=base.BLUE, markersize=6, zorder=3)
        else:
            ax.plot([end], [place], "D", color=base.ORANGE, markersize=6, zorder=4)
        first = one.counts.get("first_order")
        if first is not None:
            ax.plot(
                [first],
                [place],
                "o",
                markerfacecolor=base.shade(0.0),
                color=base.shade(),
                markersize=5,
                zorder=3,
            )
    for place, why in enumerate(result.status.values(), start=len(result.results)):
        said = as_drawn(shortened(why, 0.9 * base.width_of(ax), base.SMALL))
        ax.text(0.02, place, said, transform=ax.get_yaxis_transform(), va="center", fontsize=base.SMALL)
    _counts_across(ax, most)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), list(map(points.row_name, names)))
    units = next(iter(result.results.values())).units if result.results else "rows"
    _table_key(ax)
    base.tidy(ax, xlabel=f"{units} whose removal flips the conclusion", ylabel="", title=title, pad=ABOVE)
    ax.tick_params(axis="y", labelsize=base.SMALL, length=0)
    return ax


def _counts_across(ax: Axes, most: int) -> None:
    """Let numbers of rows be read across, in equal ratios."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    ax.set_xscale("log")
    ax.set_xlim(0.8, 1.25 * most)
    steps = (1, 2, 5) if most <= 200 else (1,)
    places = [step * 10**power for power in range(len(str(most))) for step in steps]
    ax.xaxis.set_major_locator(FixedLocator([float(one) for one in places if one <= 1.25 * most]))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def _noted(ax: Axes, xlabel: str, said: list[str]) -> str:
    """Return the label of the horizontal axis with what else is to be said, on lines of its width."""
    notes = [wrapped(f"({as_drawn(one)})", base.width_of(ax), base.TEXT) for one in said]
    return "\n".join([xlabel, *notes])


def _curves(ax: Axes, k: FloatArray, first: FloatArray, refit: FloatArray, *, named: bool = True) -> None:
    """Draw the quantity without the k largest effects, by two accounts."""
    from matplotlib.ticker import MaxNLocator

    labels = ("first order", "refit") if named else (None, None)
    ax.plot(k, first, color=base.GREY, linewidth=1.2, linestyle="-.", label=labels[0], zorder=2)
    marker = "o" if len(k) <= FEW else ""
    ax.plot(
        k, refit, color=base.BLUE, linewidth=1.5, marker=marker, markersize=3.5, label=labels[1], zorder=3
    )
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _band(ax: Axes, start: float, end: float, limit: float, beyond: float, label: str | None) -> None:
    """Shade what no set of these sizes attains."""
    ax.fill_between(
        [start, end], limit, beyond, color=base.GREEN, alpha=0.18, linewidth=0, label=label, zorder=0
    )


def _key(ax: Axes) -> None:
    """Name lines and band above the axes, where no line is."""
    ax.legend(
        fontsize=base.SMALL, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=2,
        handlelength=1.6, handletextpad=0.5, columnspacing=1.2, borderpad=0.2, labelspacing=0.25,
    )  # fmt: skip


def _table_key(ax: Axes) -> None:
    """Name the marks of a table above the axes."""
    for marker, colour, face, label in (
        ("|", base.BLUE, base.BLUE, "proven: no fewer do it"),
        ("D", base.ORANGE, base.ORANGE, "found, refitted"),
        ("o", base.shade(), base.shade(0.0), "first order says"),
    ):
        ax.plot([], [], marker, color=colour, markerfacecolor=face, markersize=6, label=label)
    _key(ax)


def _quantity(result: Any) -> str:
    """Return what is drawn up: the quantity of the question, or its confidence limit."""
    name = as_drawn(result.asked.quantity)
    return name if result.drawn_as == "conclusion" else f"confidence limit of {name}"


PICTURES = {"conclusion": _flipped, "judged conclusion": _flipped, "reach": _reached, "table": _table}
