"""What `-m "not slow"` leaves out: combinations and cases, but no law."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.budget import FULL, QUICK, examples, halved, in_turns, spanning, thinned


@examples(100)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_every_entry_of_every_table_is_kept_in_the_fewest_combinations(sizes):
    combinations = list(product(*map(range, sizes)))
    kept = [combinations[k] for k in spanning(combinations)]
    assert [set(column) for column in zip(*kept, strict=True)] == [set(range(size)) for size in sizes]
    assert len(kept) == max(sizes)


def test_a_table_that_is_not_crossed_is_kept_whole():
    assert spanning([(0,), (1,), (2,)]) == [0, 1, 2]
    assert spanning([("a", 1), ("a", 2), ("b", 1), ("b", 2)]) == [0, 3]


def test_of_what_takes_long_a_quarter_is_kept():
    for count in range(1, 60):
        kept = thinned(list(range(count)))
        assert kept[0] == 0
        assert len(kept) == -(-count // 4)


def test_laws_about_the_same_table_take_turns_and_leave_no_entry_out():
    for count, laws in product(range(1, 12), range(1, 6)):
        kept = in_turns([list(range(count)) for _ in range(laws)])
        assert {entry for cases in kept for entry in cases} == set(range(count))
        assert min(map(len, kept)) >= 1
        assert laws == 1 or count == 1 or max(map(len, kept)) < count


def test_two_laws_about_the_same_cases_try_all_of_them_between_them():
    for count in range(1, 12):
        cases = list(range(count))
        one, other = halved(cases, 4), halved(cases, 7)
        assert sorted({*one, *other}) == cases
        assert one
        assert other


def test_searches_draw_all_their_cases_where_that_is_asked_for(monkeypatch):
    monkeypatch.delenv(QUICK, raising=False)
    for asked, count in ((None, 60), ("1", 2000)):
        monkeypatch.delenv(FULL, raising=False)
        if asked:
            monkeypatch.setenv(FULL, asked)
        assert examples(60, full=2000).max_examples == count
