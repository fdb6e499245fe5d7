"""The one word about what refits hold, where held-out errors are taken for those of new rows."""

from __future__ import annotations

from influstat.input.warning import doubt_once
from influstat.minimise.minimum import Minimum


def warn_of_held(fit: Minimum, what: str) -> None:
    """Warn, once for each fit, that `fit.stated.held` has seen the rows left out; `what` is a plural."""
    if fit.stated.held:
        doubt_once(
            fit,
            f"{what} are not those of whole refits, which may be far worse: rows left out have had a part in "
            f"what is held. {' '.join(fit.stated.held)} For whole refits, fit everything anew without each "
            "fold, as scikit-learn's cross_val_score of a Pipeline does.",
        )
