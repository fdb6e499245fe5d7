"""The package as a whole: what an import loads, which way imports run, what the public names promise."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import influstat as ist

PACKAGE = Path(ist.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("statsmodels", "pandas", "sklearn", "matplotlib", "pooch", "tqdm", "hypothesis", "pytest")

# The layers of design.md, lowest first. What stands on one line may import what stands before it, on that
# line or above. A folder is one name: its files import each other freely.
LAYERS = [
    ["errors", "version"],
    ["input"],
    ["numerics", "algebra"],
    ["losses", "curvature"],
    ["solvers"],
    ["risks"],
    ["minimise"],
    ["row_statistics", "fit"],
    ["influence", "removal", "models", "statistics"],
    ["applications"],
    ["adapters", "checks", "strategies", "datasets"],
    ["plots", "experiments"],
    ["__main__"],
]
ORDER = [name for layer in LAYERS for name in layer]

# Nothing else may import these, so that no calculation ever needs them. `__init__` only hands out names.
IMPORTED_BY = {
    "adapters": {"__init__", "experiments", "__main__"},
    "checks": {"__init__", "strategies"},
    "strategies": set(),
    "datasets": {"__init__", "experiments", "__main__"},
    "plots": {"experiments", "__main__"},
    "experiments": {"__main__"},
    "__main__": set(),
}


def part_of(path):
    """Return the name in ORDER of the file's module: the file's own, or that of its folder."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def type_checking_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def module_level_imports(nodes):
    """Yield the names of the modules that are imported when the file is: not those inside functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or type_checking_only(node)):
            yield from module_level_imports(ast.iter_child_nodes(node))


def parts_imported(path):
    """Return the parts of influstat that a file imports, its own part left out."""
    names = module_level_imports(ast.parse(path.read_text(encoding="utf-8")).body)
    inside = {name.split(".")[1] for name in names if name.startswith("influstat.")}
    return inside - {part_of(path)}


def test_every_part_has_a_place_in_the_order():
    assert {part_of(path) for path in FILES} - {"__init__"} <= set(ORDER)
    assert set(IMPORTED_BY) <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    part, imported = part_of(path), parts_imported(path)
    if part != "__init__":
        assert imported <= set(ORDER[: ORDER.index(part)])
    for outer in imported & set(IMPORTED_BY):
        assert part in IMPORTED_BY[outer]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_optional_packages_are_imported_where_they_are_used(path):
    names = module_level_imports(ast.parse(path.read_text(encoding="utf-8")).body)
    tops = {name.split(".")[0] for name in names}
    allowed = {"hypothesis"} if part_of(path) == "strategies" else set()
    assert tops & set(HEAVY) <= allowed


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("from influstat.risks.linear import LinearRisk", ["influstat.risks.linear.LinearRisk"]),
        ("import influstat.risks.linear as r, math", ["influstat.risks.linear", "math"]),
        ("def f():\n    import influstat.risks.linear", []),
        ("class A:\n    import math\n    def f(self):\n        import json", ["math"]),
        ("try:\n    import math\nexcept ImportError:\n    import json", ["math", "json"]),
        ("if TYPE_CHECKING:\n    import math\nif True:\n    import json", ["json"]),
    ],
)
def test_imports_are_read_as_python_would_run_them(source, imported):
    assert list(module_level_imports(ast.parse(source).body)) == imported


def test_importing_influstat_loads_numpy_and_scipy_only():
    code = f"import sys, influstat; print(*sorted(set({HEAVY!r}) & set(sys.modules)), 'numpy' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert run.stdout.split() == ["True"]


def test_public_names_exist_once_and_in_order():
    assert len(set(ist.__all__)) == len(ist.__all__)
    for name in ist.__all__:
        assert getattr(ist, name).__name__.split(".")[-1] == name


@pytest.mark.parametrize("name", [name for name in ist.__all__ if not inspect.ismodule(getattr(ist, name))])
def test_every_public_name_is_explained_with_an_example(name):
    documentation = inspect.getdoc(getattr(ist, name))
    assert "Examples\n--------\n>>> " in documentation
