"""What the user interrupts leaves what was found and proven until then; a bar shows what is known."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult
from influstat.sets import reach as reach_room
from influstat.sets.search.search import Search
from tests.breakdown_cases import fit_of, two_states


def copper():
    data = sm.datasets.copper.load_pandas().data
    return ist.from_statsmodels(sm.OLS(data.iloc[:, 0], sm.add_constant(data.iloc[:, 1:])).fit())


def interrupted_at(call, method):
    """Return a method that works so many times before the user interrupts it."""
    calls = []

    def counted(*arguments, **settings):
        calls.append(0)
        if len(calls) == call:
            raise KeyboardInterrupt
        return method(*arguments, **settings)

    return counted


def test_an_interrupt_leaves_the_bracket(monkeypatch):
    monkeypatch.setattr("influstat.sets.search.search.Search.down", interrupted_at(1, None))
    with pytest.warns(DoubtfulResult, match="Interrupted: the bracket is what was found and proven"):
        answer = fit_of("statecrime").breakdown("poverty")
    assert (answer.upper, answer.lower, answer.limit) == (8, 2, "interrupted")


@pytest.mark.parametrize("call", [1, 4, 15])
def test_an_interrupt_leaves_the_reach_so_far(monkeypatch, call):
    fit = fit_of("statecrime")
    whole = two_states()
    monkeypatch.setattr("influstat.sets.reach._Side._stands", interrupted_at(call, reach_room._Side._stands))
    with pytest.warns(DoubtfulResult, match="Interrupted: the limits are what was attained and proven"):
        part = fit.reach("single", k=2)
    assert part.limit == "interrupted"
    assert part.attained == (whole.attained[0], part.value if call < 15 else whole.attained[1])
    assert part.proven[0] == pytest.approx(whole.proven[0], abs=0.1) or call == 1
    assert part.proven[0] <= whole.proven[0]
    assert part.proven[1] >= whole.proven[1]
    assert np.isfinite(part.proven).tolist() == [call > 1, call == 15]


def test_an_interrupt_of_the_refits_one_by_one_leaves_nothing(monkeypatch):
    monkeypatch.setattr("influstat.sets.reach.collect", interrupted_at(1, None))
    with pytest.warns(DoubtfulResult, match="Interrupted"):
        reach = fit_of("statecrime").reach("single", k=1)
    assert (reach.attained, reach.proven) == ((reach.value,) * 2, (-np.inf, np.inf))


def test_an_interrupt_ends_the_table(monkeypatch):
    monkeypatch.setattr("influstat.sets.search.search.Search.down", interrupted_at(2, Search.down))
    with pytest.warns(DoubtfulResult, match="Interrupted"):
        table = ist.breakdown_table(fit_of("stackloss"), coefficients=[3, 2, 1])
    assert [one.limit == "interrupted" for one in table.results.values()] == [False, True]
    assert table.status == {"AIRFLOW": "not done: interrupted before"}


def test_an_interrupt_of_one_end_is_one_of_the_other(monkeypatch):
    monkeypatch.setattr("influstat.sets.breakdown.Search.down", interrupted_at(1, None))
    fit = fit_of("statecrime")
    row = sm.datasets.statecrime.load_pandas().data.iloc[[20]]
    with pytest.warns(DoubtfulResult, match="Interrupted") as said:
        answer = fit.breakdown_of_loss(row, row["murder"], above=9.0)
    assert answer.limit == "interrupted"
    assert len(said) == 1


def test_a_bar_shows_what_is_known(monkeypatch):
    shown = []

    class Bar:
        def __init__(self, *_, **options):
            self.n = 0.0
            shown.append(options["desc"])

        def set_postfix_str(self, text, refresh):
            shown.append(text)

        def update(self, seconds):
            self.n += seconds

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("influstat.input.progress._bar", lambda: Bar)
    answer = fit_of("stackloss").breakdown("WATERTEMP")
    assert shown[0] == "breakdown of WATERTEMP"
    assert shown[-1] == "closed"
    assert f"not 5, but {answer.upper}" not in shown  # it is over then
    assert any(text.startswith("not ") and text.endswith("but 6") for text in shown)


def test_an_interrupt_leaves_the_bracket_so_far(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("influstat.sets.significance.answer.climbed", interrupted)
    with pytest.warns(DoubtfulResult, match="Interrupted: the bracket"):
        found = copper().inference().breakdown(2)
    assert (found.lower, found.upper, found.limit) == (2, 4, "interrupted")


def test_an_interrupted_refit_ends_the_search_of_a_significance(monkeypatch):
    inference = copper().inference()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("influstat.removal.leave_out.prepare", interrupted)
    with pytest.warns(DoubtfulResult, match="Interrupted: the bracket"):
        found = inference.breakdown(2)
    assert (found.upper, found.limit) == (None, "interrupted")
