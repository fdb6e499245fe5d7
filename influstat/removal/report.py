"""`RemovalReport`: four orders of approximation side by side, for the rows that matter, errors certified."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.influence.scores import HELPS
from influstat.input.labels import index_of, label_name, label_text
from influstat.input.ranking import Moves, Ranked, Ranking
from influstat.input.validation import FloatArray, whole_number
from influstat.input.warning import doubt_once, unsaid
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import groups_or_rows
from influstat.removal.leave_out import collect

# Column, what it is called in text, method, whether the loss is linearised.
ORDERS = (
    ("first_order", "first order", "influence", True),
    ("newton_linear", "Newton, linear", "newton", True),
    ("newton", "Newton", "newton", False),
    ("second_order", "second order", "second_order", False),
    ("exact", "exact", "exact", False),
)


@dataclass(frozen=True, eq=False, repr=False)
class RemovalReport(Ranked):
    """Changes of one loss, after minus before, when rows or groups leave: one line for each removal.

    Attributes
    ----------
    labels : ndarray, shape (k,)
        What the removed rows or groups are called, the largest change first.
    changes : dict of str to ndarray, shape (k,)
        By order: "first_order" (-(w_i / W) I), "newton_linear" (the tangent of the loss at the Newton
        step), "newton" and "second_order" (the loss evaluated there), "exact" (a refit). Positive: the
        loss grows without the row, so the row helps. nan where there is none.
    bounds : dict of str to ndarray, shape (k,)
        For "newton" and "exact": certified, |change - true change| <= bound; nan where not certified.
    status : tuple of str
        Why the exact change is missing, or it or the Newton step not certified; "" where nothing is wrong.
    subject : str
        Whose loss it is.
    loss : float
        That loss before any removal.

    Examples
    --------
    >>> import influstat as ist
    >>> X, y = [[1.0], [1.0], [2.0]], [1.0, 3.0, 4.0]
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, y, row_labels=["a", "b", "c"])
    >>> report = fit.removal_report([[1.0]], [3.0])
    >>> report.labels, report.changes["exact"].round(2)       # theta is 2; 9/5, 11/5 and 2 without
    (array(['b', 'a', 'c'], dtype='<U1'), array([ 0.44, -0.36,  0.  ]))
    """

    HEADING = "Change of {0.subject}, {0.loss:.6g} before any removal"

    labels: NDArray[Any]
    changes: dict[str, FloatArray]
    bounds: dict[str, FloatArray]
    status: tuple[str, ...]
    subject: str
    loss: float

    def to_frame(self) -> Any:
        """Return a pandas DataFrame: one line per removal, orders and their certified errors as columns."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name, change in self.changes.items():
            columns[name] = change
            if name in self.bounds:
                columns[f"{name}_bound"] = self.bounds[name]
        columns["status"] = list(self.status)
        return pd.DataFrame(columns, index=index_of(self.labels))

    def moves(self) -> Moves:
        """Return the changes of the loss, a column for each order of approximation."""
        values = np.column_stack(list(self.changes.values()))
        return Moves(values, self.labels, list(self.changes), self.HEADING.format(self), "removals", HELPS)

    def top(self, k: int = 5, *, column: Any = "exact", side: str | None = None) -> Ranking:
        """Return the k removals, of those shown, that move the loss most, by one order of approximation."""
        return super().top(k, column=column, side=side)

    def __repr__(self) -> str:
        """Return the table as text, with what its columns mean below it."""
        header, cells = ["without"], [[label_name(label) for label in self.labels]]
        for name, title, _, _ in ORDERS:
            header.append(title)
            cells.append([_signed(value) for value in self.changes[name]])
            if name in self.bounds:
                header.append("+- at most")
                cells.append([_size(value) for value in self.bounds[name]])
        widths = [max(map(len, [title, *column])) for title, column in zip(header, cells, strict=True)]
        lines = [_line(header, widths), *(_line(row, widths) for row in zip(*cells, strict=True))]
        notes = [
            f"{label_name(label)}: {text}"
            for label, text in zip(self.labels, self.status, strict=True)
            if text
        ]
        return "\n".join(
            [
                self.HEADING.format(self),
                *lines,
                "Positive: the loss grows without it. +- at most: certified distance to the true change.",
                *notes,
            ]
        )


def _line(cells: Any, widths: list[int]) -> str:
    first, *others = (cell for cell in cells)
    padded = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join([f"{first:<{widths[0]}}", *padded])


def _signed(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:+#.5g}"


def _size(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1e}"


def removal_report(fit: Minimum, X: Any, y: Any, *, top: int, groups: Any, offset: Any) -> RemovalReport:
    """Return the report; `Fit.removal_report` says more."""
    top = whole_number("top", top, at_least=1)
    before = fit.loss(X, y, offset=offset)
    everything = groups_or_rows(fit, groups)
    size = np.abs(_total(collect(fit, everything, "newton", whole=True).loss_change(X, y, offset=offset)))
    # Removals without a Newton step come first: something is the matter with them.
    order = np.argsort(-np.where(np.isnan(size), np.inf, size), kind="stable")[:top]
    chosen = everything.take(order)
    found = {method: collect(fit, chosen, method) for method in ("newton", "exact", "influence")}
    with suppress(Unsupported):  # a risk of the user's own has no third derivatives
        found["second_order"] = collect(fit, chosen, "second_order")
    exact, changes = found["exact"], {}
    for name, _, method, linear in ORDERS:
        changes[name] = np.full(len(order), np.nan)
        if method in found:
            changes[name] = _total(found[method].loss_change(X, y, offset=offset, linear=linear))
    with unsaid():  # bounds that are nan: the status says it
        bounds = {name: _total(found[name].loss_bound(X, y, offset=offset)) for name in ("newton", "exact")}
    steps = [text and f"Newton step {text}" for text in found["newton"].certificate.status]
    reasons = zip(exact.status, exact.certificate.status, steps, strict=True)
    status = tuple(next(filter(None, three), "") for three in reasons)
    bad = [f"without {label_text(chosen.labels[k])}: {text}" for k, text in enumerate(status) if text]
    if bad:
        what = f"{len(bad)} of {len(order)} lines of the report hold a nan (`status` says why), {bad[0]}"
        doubt_once(fit, what, "report")
    return RemovalReport(
        labels=chosen.labels,
        changes=changes,
        bounds=bounds,
        status=status,
        subject=_subject(fit, X, y, offset, before),
        loss=float(before.sum()),
    )


def _total(values: FloatArray) -> FloatArray:
    """Return the sum over the test rows, shape (k,)."""
    return np.asarray(values.sum(axis=1))


def _subject(fit: Minimum, X: Any, y: Any, offset: Any, before: FloatArray) -> str:
    if len(before) > 1:
        return f"the summed loss of {len(before)} test rows"
    label = fit.test_rows(X, y, offset=offset).row_labels[0]
    return f"the loss of test row {label_name(label)}"
