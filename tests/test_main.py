"""The command line: its tables, its files, and how it refuses."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from influstat import __main__ as command
from influstat.errors import MissingDependency
from influstat.experiments import first_minute, solver_tables


def run(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-m", "influstat", *arguments], capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shown():
    return list(solver_tables.solver_tables())


def test_without_a_command_it_answers_a_question(capsys):
    assert command.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Which rows drive this coefficient, and what happens without them?\n")
    for words in ("How to read it:", "Certificate:", "--solvers", "reproduce"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100


def test_its_table_is_that_of_refits(capsys):
    command.main([])
    line = r"^  without (.+?)  +(\S+) +(\S+) +(\S+) +(\S+) to (\S+) "
    found = re.findall(line, capsys.readouterr().out, flags=re.MULTILINE)
    table = sm.datasets.statecrime.load_pandas().data
    whole = sm.OLS.from_formula(first_minute.FORMULA, table).fit().params["single"]
    assert len(found) == first_minute.TOP
    for state, _, change, estimate, *limits in found:
        refit = sm.OLS.from_formula(first_minute.FORMULA, table.drop(index=state)).fit()
        numbers = [refit.params["single"] - whole, refit.params["single"], *refit.conf_int().loc["single"]]
        assert [float(number) for number in (change, estimate, *limits)] == np.round(numbers, 3).tolist()


def test_its_sentences_are_true():
    """The sign and the significance hang on no single state, and every state is certified."""
    fit = first_minute.state_crime()
    limits = fit.report("single", top=51).to_frame()
    assert len(limits) == 51
    assert (limits["lower"] > 0.0).all()
    text = first_minute.first_minute()
    assert "This holds for 51 of 51 states." in text
    assert "District of Columbia moves\nthe coefficient 3.9 times as far" in text  # 0.2457 / 0.0632
    assert "39 % of its\nsize" in text  # 0.2457 / 0.6374


def test_the_lines_for_your_own_fit_run(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(30, 3)), columns=["y", "x", "z"])
    table.to_csv(tmp_path / "my.csv", index=False)
    monkeypatch.chdir(tmp_path)
    text = first_minute.first_minute()
    lines = [line[4:] for line in text.splitlines() if re.match(r"    \S", line)]
    assert len(lines) == 5
    exec("\n".join(lines), {})
    assert "'HC3' covariance" in capsys.readouterr().out


def test_the_solver_tables_stand_under_an_option(monkeypatch, capsys):
    monkeypatch.setattr(command, "solver_tables", lambda: iter(["first", "second"]))
    assert command.main(["--solvers"]) == 0
    assert capsys.readouterr().out.startswith("first\n\nsecond\n\n")


@pytest.mark.slow
def test_each_table_has_four_solvers_and_named_rows(shown):
    assert [text.split(",")[0] for text in shown] == [
        "Ridge regression", "Logistic regression", "Smoothed SVC",
    ]  # fmt: skip
    for text in shown:
        for heading in ("solver", "residual", "Pearson", "slope", "largest error", "seconds"):
            assert heading in text
        for solver in solver_tables.solvers():
            assert re.search(rf"^  {re.escape(solver)} +\d\.\de[-+]\d\d ", text, re.MULTILINE)
        rows = text.splitlines()[-solver_tables.TOP :]
        assert all(
            re.fullmatch(r"  \D.+?( +[-+]\d\.\d\de[-+]\d\d){2}    \w.+?( +[-+]\S+){2}", row) for row in rows
        )
    assert "District of Columbia" in shown[0]
    assert "woman 1511" in shown[1]


@pytest.mark.slow
def test_lines_fit_narrow_terminals(shown):
    assert max(len(line) for text in shown for line in text.splitlines()) <= 100


@pytest.mark.slow
def test_solvers_agree_as_far_as_their_residuals_say():
    for task in solver_tables.tasks():
        split = task.split
        fit = task.model.fit(split.X, split.y)
        exact = fit.leave_one_out().loss_change(split.X_test, split.y_test)[:, 0]
        lines, scores = solver_tables.compare(fit, split, exact)
        explicit, cg, taylor, lissa = lines
        assert explicit.residual < 1e-12
        assert cg.residual < 1e-9
        assert taylor.residual < 1e-5
        assert 1e-4 < lissa.residual < 0.3
        assert cg.agreement.slope == pytest.approx(explicit.agreement.slope, abs=1e-6)
        assert explicit.agreement.pearson > 0.8
        assert scores.removal.shape == (len(split.y), 1)


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
def test_reproduce_prints_the_table_and_writes_the_figure(tmp_path, capsys):
    pytest.importorskip("matplotlib.pyplot").close(
        "all"
    )  # of other tests: to switch the backend beside them is deprecated
    assert command.main(["reproduce", "figure5", "--out", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "SVC (fixed): Spearman of |I| and distance" in out
    assert "6 of 6 agree." in out
    assert "Data: Fisher (1936)" in out
    assert (tmp_path / "new" / "figure5.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
def test_reproduce_says_why_a_number_differs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["reproduce", "figure4", "--no-png"]) == 0
    out = capsys.readouterr().out
    assert "19 of 20 agree. The paper's 0.8602 belongs to libsvm's hinge fits" in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_missing_data_ends_with_code_2_and_one_sentence(tmp_path):
    done = run("reproduce", "figure1", "--no-png", environment={"INFLUSTAT_DATA": str(tmp_path)})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("influstat: forestfires/forestfires.csv must be in the folder")
    assert "Traceback" not in done.stderr


def test_missing_matplotlib_ends_with_code_2_before_the_work(monkeypatch, capsys):
    def missing():
        raise MissingDependency("Drawing needs the package matplotlib.")

    monkeypatch.setattr("influstat.plots.base.pyplot", missing)
    assert command.main(["reproduce", "figure1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "influstat: Drawing needs the package matplotlib.\n"


@pytest.mark.parametrize("arguments", [["reproduce"], ["reproduce", "figure9"], ["unknown"]])
def test_wrong_arguments_are_refused_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m influstat" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--help"], ["reproduce", "--solvers"]),
        (["reproduce", "--help"], ["figure1", "figure2", "figure3", "figure4", "figure5", "all", "--no-png"]),
    ],
)
def test_help_names_commands_and_figures(arguments, named, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "exit codes" in out
    assert [word for word in named if word not in out] == []


@pytest.mark.parametrize("arguments", [["--solvers", "reproduce", "figure1"], ["--solver"]])
def test_options_are_not_dropped_or_guessed(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert "--solver" in capsys.readouterr().err
