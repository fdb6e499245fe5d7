"""The paper's models: the objective of each, by hand; their settings; what they refuse."""

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from tests.tolerance import INVERTED, SEARCHED, SOLVED, SUMS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = {
    "ridge": X @ [1.0, -2.0, 0.5] + RNG.normal(size=40),
    "01": (X[:, 0] + RNG.normal(size=40) > 0).astype(float),
}
Y["signed"] = 2 * Y["01"] - 1
WEIGHTS, OFFSET = RNG.uniform(0.5, 2.0, 40), RNG.normal(size=40)


def softplus(u):
    return np.logaddexp(0.0, u)


# model, targets, pointwise loss of (y, eta), penalty of the coefficients without the intercept
OBJECTIVES = {
    "ridge, eq. 13": (ist.Ridge(lam=3.0), "ridge", lambda y, e: (y - e) ** 2, lambda b: 3.0 * b @ b),
    "logistic, eq. 15": (
        ist.Logistic(lam=3.0),
        "01",
        lambda y, e: softplus(e) - y * e,
        lambda b: 3.0 * b @ b,
    ),
    "logistic, eq. 17": (
        ist.Logistic(lam=3.0, labels=(-1, 1)),
        "signed",
        lambda y, e: softplus(-y * e),
        lambda b: 3.0 * b @ b,
    ),
    "smoothed hinge, eq. 18": (
        ist.SmoothedSVC(lam=3.0, t=0.5, intercept=False),
        "signed",
        lambda y, e: 0.5 * softplus((1 - y * e) / 0.5),
        lambda b: 1.5 * b @ b,
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_model_minimises_its_own_equation(name, intercept, weighted):
    model, targets, loss, penalty = OBJECTIVES[name]
    model = type(model)(**{**vars(model), "intercept": intercept})
    y, w, o = Y[targets], WEIGHTS if weighted else np.ones(40), OFFSET if weighted else np.zeros(40)

    def objective(theta):
        eta = X @ theta[:3] + o + (theta[3] if intercept else 0.0)
        return (w @ loss(y, eta) + penalty(theta[:3])) / w.sum()

    extra = {"weights": w, "offset": o} if weighted else {}
    fit = model.fit(X, y, **extra)
    assert fit.names == ("x0", "x1", "x2") + (("intercept",) if intercept else ())
    np.testing.assert_allclose(fit.risk.value(fit.theta), objective(fit.theta), rtol=SUMS)
    found = minimize(objective, np.zeros(3 + intercept), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(fit.theta, found.x, atol=SEARCHED)
    assert objective(fit.theta) <= found.fun + 1e-12
    assert model.risk(X, y, **extra).value(fit.theta) == fit.risk.value(fit.theta)


def test_ridge_is_its_closed_form():
    fit = ist.Ridge(lam=3.0).fit(X, Y["ridge"])
    truth = np.linalg.solve(X.T @ X + 3.0 * np.eye(3), X.T @ Y["ridge"])
    np.testing.assert_allclose(fit.theta, truth, rtol=SUMS)


def test_both_codings_of_the_logistic_model_are_one_model():
    plain = ist.Logistic(lam=2.0).fit(X, Y["01"])
    signed = ist.Logistic(lam=2.0, labels=(-1, 1)).fit(X, Y["signed"])
    np.testing.assert_allclose(signed.theta, plain.theta, rtol=SUMS)
    np.testing.assert_allclose(
        signed.influence().on_self().values, plain.influence().on_self().values, rtol=SOLVED
    )


@pytest.mark.parametrize("model", [ist.Ridge, ist.Logistic, ist.SmoothedSVC])
def test_the_protocol_is_folded_unless_asked_otherwise(model):
    y = {ist.Ridge: "ridge", ist.Logistic: "01", ist.SmoothedSVC: "signed"}[model]
    folded, fixed = model().fit(X, Y[y]), model(protocol="fixed").fit(X, Y[y])
    assert (folded.risk.protocol, fixed.risk.protocol) == ("folded", "fixed")
    assert np.array_equal(folded.theta, fixed.theta)
    share = folded.risk.penalty.value(folded.theta) / 40
    difference = folded.loss(X, Y[y]) - fixed.loss(X, Y[y])
    np.testing.assert_allclose(difference, np.full(40, share), rtol=INVERTED)


def test_defaults_are_those_of_the_paper():
    assert ist.Ridge() == ist.Ridge(lam=1.0, intercept=False, protocol="folded")
    assert ist.Logistic() == ist.Logistic(lam=1.0, labels=(0, 1), intercept=False, protocol="folded")
    assert ist.SmoothedSVC() == ist.SmoothedSVC(lam=1.0, t=0.1, intercept=True, protocol="folded")
    assert ist.HingeSVC() == ist.HingeSVC(lam=1.0, intercept=True, protocol="folded")
    with pytest.raises(FrozenInstanceError):
        ist.Ridge().lam = 2.0
    with pytest.raises(TypeError):
        ist.Ridge(1.0)


def test_names_and_labels_may_be_given_or_come_with_a_table():
    frame = pd.DataFrame(X, columns=["age", "dose", "sex"], index=[f"row {i}" for i in range(40)])
    fit = ist.SmoothedSVC().fit(frame, Y["signed"])
    assert fit.names == ("age", "dose", "sex", "intercept")
    assert fit.row_labels[3] == "row 3"
    fit = ist.Ridge().fit(X, Y["ridge"], names=["u", "v", "w"], row_labels=range(100, 140))
    assert fit.names == ("u", "v", "w")
    assert fit.row_labels[0] == 100


BAD_SETTINGS = [
    *((model, {"lam": -1.0}, "lam must be at least 0, but it is -1") for model in (ist.Ridge, ist.Logistic)),
    (ist.SmoothedSVC, {"lam": -1.0}, "lam must be at least 0"),
    (ist.HingeSVC, {"lam": 0.0}, "lam must be greater than 0"),
    *(
        (model, {"lam": wrong}, sentence)
        for model in (ist.Ridge, ist.Logistic, ist.SmoothedSVC, ist.HingeSVC)
        for wrong, sentence in [
            (np.nan, "lam must be finite"),
            (np.inf, "lam must be finite"),
            ("1", "lam must be a real number"),
            (None, "lam must be a real number"),
            (1j, "lam must be a real number"),
            (True, "lam must be a real number"),
            (np.ones(1), "lam must be a real number"),
        ]
    ),
    *(
        (model, {"protocol": "fold"}, "protocol must be 'folded' or 'fixed', but it is 'fold'")
        for model in (ist.Ridge, ist.Logistic, ist.SmoothedSVC, ist.HingeSVC)
    ),
    *(
        (model, {"intercept": "yes"}, "intercept must be True or False")
        for model in (ist.Ridge, ist.Logistic, ist.SmoothedSVC, ist.HingeSVC)
    ),
    *(
        (ist.Logistic, {"labels": wrong}, r"labels must be \(0, 1\) or \(-1, 1\), but it is")
        for wrong in [(1, 2), (1, 0), [0, 1], np.array([0, 1]), None, "01"]
    ),
    (ist.SmoothedSVC, {"t": 0.0}, r"t must be greater than 0, but it is 0\b"),
    (ist.SmoothedSVC, {"t": -0.1}, "t must be greater than 0"),
    (ist.SmoothedSVC, {"t": np.nan}, "t must be finite"),
    (ist.SmoothedSVC, {"t": "0.1"}, "t must be a real number"),
]


@pytest.mark.parametrize(("model", "wrong", "sentence"), BAD_SETTINGS)
def test_settings_out_of_range_are_refused(model, wrong, sentence):
    with pytest.raises((InvalidArgument, InvalidType), match=f"^{sentence}"):
        model(**wrong)


MODELS = {
    "ridge": ist.Ridge(),
    "logistic": ist.Logistic(),
    "signed logistic": ist.Logistic(labels=(-1, 1)),
    "svc": ist.SmoothedSVC(),
    "hinge": ist.HingeSVC(),
}
TARGETS = {
    "ridge": "ridge",
    "logistic": "01",
    "signed logistic": "signed",
    "svc": "signed",
    "hinge": "signed",
}
BAD_DATA = {  # of every model alike
    "nan": ({"X": np.where(X > 2, np.nan, X)}, "X must be finite"),
    "inf": ({"X": np.where(X > 2, np.inf, X)}, "X must be finite"),
    "objects": ({"X": np.full(X.shape, {})}, "X must hold real numbers"),
    "complex": ({"X": X + 0j}, "X must hold real numbers"),
    "3-d": ({"X": X[:, :, None]}, "X must be two-dimensional"),
    "1-d": ({"X": X[:, 0]}, "X must be two-dimensional"),
    "empty": ({"X": X[:0], "y": []}, "X must have at least one row"),
    "p = 0": ({"X": X[:, :0]}, "X must have at least one row and one column"),
    "one row": ({"X": X[:1], "y": [1.0]}, "X must have at least 2 rows, but it has 1"),
    "huge integers": ({"X": np.full((40, 3), 2**60)}, "X must hold integers that float64 keeps exactly"),
    "short y": ({"y": [1.0, 1.0]}, r"y must have one entry per row of X \(40\), but it has 2"),
    "y (n, 1)": ({"y": np.ones((40, 1))}, r"y must be one-dimensional, but it has shape \(40, 1\). .*ravel"),
    "y number": ({"y": 1.0}, r"y must be one-dimensional, but it has shape \(\). Pass one number per row"),
    "y frame": ({"y": pd.DataFrame({"y": np.ones(40)})}, r"y must be one-dimensional, .*\(40, 1\)"),
    "y text": ({"y": ["a"] * 40}, "y must hold real numbers"),
    "y nan": ({"y": np.where(X[:, 0] > 1, np.nan, 1.0)}, "y must be finite|y must hold only the labels"),
    "negative weights": ({"weights": -np.ones(40)}, "weights must be at least 0, but it has -1 at row 0"),
    "zero weights": ({"weights": np.zeros(40)}, "weights must have a positive entry"),
    "weights (n, 1)": ({"weights": np.ones((40, 1))}, "weights must be one-dimensional"),
    "offset (n, 1)": ({"offset": np.ones((40, 1))}, "offset must be one-dimensional"),
    "short offset": ({"offset": np.ones(39)}, r"offset must have one entry per row \(40\)"),
}


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.parametrize("name", MODELS)
def test_unusable_data_are_refused_with_a_sentence(name, case):
    changes, sentence = BAD_DATA[case]
    arguments = {"X": X, "y": Y[TARGETS[name]], **changes}
    if case == "y nan":
        assert np.isnan(arguments["y"]).any()
    with pytest.raises((InvalidArgument, InvalidType), match=f"^({sentence})"):
        MODELS[name].fit(arguments.pop("X"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("name", "y", "sentence"),
    [
        ("logistic", "signed", r"y must hold only the labels 0 and 1, but it holds -1\. .*labels=\(-1, 1\)"),
        (
            "signed logistic",
            "01",
            r"y must hold only the labels -1 and 1, but it holds 0\. .*labels=\(0, 1\)",
        ),
        ("svc", "01", r"y must hold only the labels -1 and 1, but it holds 0\. .*2 \* y - 1"),
        ("hinge", "01", "y must hold only the labels -1 and 1, but it holds 0"),
        ("logistic", "ridge", "y must hold only the labels 0 and 1"),
    ],
)
def test_labels_of_another_coding_are_refused_with_the_remedy(name, y, sentence):
    with pytest.raises(InvalidArgument, match=f"^{sentence}"):
        MODELS[name].fit(X, Y[y])


def test_columns_too_large_to_square_are_refused():
    with pytest.raises(ist.errors.InflustatError, match="rescale the columns of X|Rescale the columns of X"):
        ist.Ridge(lam=1.0).fit(X * 1e200, Y["ridge"])
