"""The command line: its tables, its files, and how it refuses."""

import re
import subprocess
import sys

import pytest

from influstat import __main__ as command
from influstat.errors import MissingDependency
from influstat.experiments import demonstration


def run(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-m", "influstat", *arguments], capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shown():
    return list(demonstration.demonstrations())


def test_without_a_command_it_shows_three_models(monkeypatch, capsys):
    monkeypatch.setattr(demonstration, "demonstrations", lambda: iter(["first", "second"]))
    assert command.main([]) == 0
    assert capsys.readouterr().out.startswith("first\n\nsecond\n\n")


@pytest.mark.slow
def test_each_table_has_four_solvers_and_named_rows(shown):
    assert [text.split(",")[0] for text in shown] == [
        "Ridge regression", "Logistic regression", "Smoothed SVC",
    ]  # fmt: skip
    for text in shown:
        for heading in ("solver", "residual", "Pearson", "slope", "largest error", "seconds"):
            assert heading in text
        for solver in demonstration.solvers():
            assert re.search(rf"^  {re.escape(solver)} +\d\.\de[-+]\d\d ", text, re.MULTILINE)
        rows = text.splitlines()[-demonstration.TOP :]
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
    for task in demonstration.tasks():
        split = task.split
        fit = task.model.fit(split.X, split.y)
        exact = fit.leave_one_out().loss_change(split.X_test, split.y_test)[:, 0]
        lines, scores = demonstration.compare(fit, split, exact)
        explicit, cg, taylor, lissa = lines
        assert explicit.residual < 1e-12
        assert cg.residual < 1e-9
        assert taylor.residual < 1e-5
        assert 1e-4 < lissa.residual < 0.3
        assert cg.agreement.slope == pytest.approx(explicit.agreement.slope, abs=1e-6)
        assert explicit.agreement.pearson > 0.8
        assert scores.removal.shape == (len(split.y), 1)


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


@pytest.mark.usefixtures("data_dir")
def test_reproduce_says_why_a_number_differs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["reproduce", "figure4", "--no-png"]) == 0
    out = capsys.readouterr().out
    assert "19 of 20 agree. The paper's 0.8602 belongs to libsvm's hinge fits" in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert list(tmp_path.iterdir()) == []


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
        (["--help"], ["reproduce"]),
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
