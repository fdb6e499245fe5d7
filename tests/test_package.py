"""The package as a whole: what an import loads, which way imports run, what the public names promise."""

import ast
import inspect
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import influstat as ist

PACKAGE = Path(ist.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    "statsmodels",
    "pandas",
    "sklearn",
    "matplotlib",
    "pooch",
    "tqdm",
    "hypothesis",
    "pytest",
    "dask",
    "distributed",
    "pyarrow",
    "zarr",
)

# The floors of the house, lowest first. A part is a folder, or a file that lies flat. What stands on one
# line may import what stands before it, on that line or above; a folder's own files too, without circles.
FLOORS = [
    ["errors", "version"],
    ["input"],
    ["numerics", "algebra", "plots"],
    ["losses", "curvature"],
    ["solvers"],
    ["risks"],
    ["minimise"],
    ["influence", "removal", "sets", "statistics"],
    ["partitioned"],
    ["fit"],
    ["adapters", "models", "checks", "strategies", "applications"],
    ["datasets"],
    ["experiments"],
    ["__main__"],
]
ORDER = [name for floor in FLOORS for name in floor]

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

PACKAGE_LINES, TEST_LINES, FLAT_FILES = 350, 450, 12
KINDS_OF_RISKS = "risks/linear.py"  # the one file that tells the kinds of risks apart
WHAT_LEAVES = "risks/protocol.py"  # the one file that knows what leaves with a row


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(path):
    """Return the name in ORDER of the file's module: the file's own, or that of its folder."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache  # every rule reads every file
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def type_checking_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@cache
def nodes_of(tree):
    return list(ast.walk(tree))


@cache
def all_imports(tree):
    """Return every name that is imported anywhere: inside functions and for type checking too."""
    names = []
    for child in nodes_of(tree):
        if isinstance(child, ast.Import):
            names += [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute here"
            names += [f"{child.module}.{alias.name}" for alias in child.names]
    return names


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


def module_level_imports_of(tree):
    return module_level_imports(tree.body)


@cache
def file_of(name):
    """Return the file of the package that an imported name, `a.b.c` of `from a.b import c`, comes from."""
    parts = name.split(".")[1:]
    for k in range(len(parts), -1, -1):
        base = PACKAGE.joinpath(*parts[:k])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if k and path.is_file():
                return path
    return PACKAGE / "__init__.py"


@cache
def files_imported(path, names=all_imports):
    found = {file_of(name) for name in names(tree_of(path)) if name.split(".")[0] == "influstat"}
    return frozenset(found - {path})


def circle_in(graph):
    """Return one circle of a graph (a dict from each node to what it points at), [] where there is none."""
    left = {node: set(targets) & set(graph) for node, targets in graph.items()}
    while ends := {node for node, targets in left.items() if not targets}:
        left = {node: targets - ends for node, targets in left.items() if node not in ends}
    if not left:
        return []
    way = [min(left)]
    while way[-1] not in way[:-1]:
        way.append(min(left[way[-1]]))
    return way[way.index(way[-1]) :]


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
        ({"a": {"elsewhere"}}, []),
    ],
)
def test_circles_are_found(graph, circle):
    assert circle_in(graph) == circle


def test_no_circle_between_files():
    graph = {relative(path): {relative(other) for other in files_imported(path)} for path in FILES}
    assert circle_in(graph) == []


def test_no_circle_between_folders():
    graph = {}
    for path in FILES:
        graph.setdefault(part_of(path), set()).update(part_of(other) for other in files_imported(path))
    assert circle_in({part: found - {part} for part, found in graph.items()}) == []


def test_every_part_has_a_place_in_the_order():
    assert {part_of(path) for path in FILES} - {"__init__"} <= set(ORDER)
    assert set(IMPORTED_BY) <= set(ORDER)


def parts_imported(path):
    if part_of(path) == "__init__":  # the parts that it loads on demand are no imports of its own
        return {part_of(other) for other in files_imported(path, module_level_imports_of)}
    return {part_of(other) for other in files_imported(path)} - {part_of(path)}


def test_imports_run_one_way():
    inner = [path for path in FILES if part_of(path) != "__init__"]
    upward = {
        (relative(path), part)
        for path in inner
        for part in parts_imported(path) - set(ORDER[: ORDER.index(part_of(path))])
    }
    assert upward == set()


def test_outer_parts_are_imported_by_few():
    others = {
        (relative(path), outer)
        for path in FILES
        for outer in parts_imported(path) & set(IMPORTED_BY)
        if part_of(path) not in IMPORTED_BY[outer]
    }
    assert others == set()


def test_modules_of_the_package_are_imported_at_module_level():
    def own(names):
        return Counter(name for name in names if name.startswith("influstat"))

    inside = {
        relative(path)
        for path in FILES
        if part_of(path) != "__init__"
        and own(all_imports(tree_of(path))) != own(module_level_imports_of(tree_of(path)))
    }
    assert inside == set()


# -- shape --------------------------------------------------------------------------------------------------


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_too_long():
    assert {relative(path) for path in FILES if lines_of(path) > PACKAGE_LINES} == set()


def test_no_test_file_is_too_long():
    assert {path.name for path in Path(__file__).parent.rglob("*.py") if lines_of(path) > TEST_LINES} == set()


def test_few_files_lie_flat():
    assert len(list(PACKAGE.glob("*.py"))) <= FLAT_FILES


def tells_kinds_apart(node):
    """Return whether the node asks if something is a LinearRisk."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
        return "LinearRisk" in names_in(node.args[1])
    if isinstance(node, ast.Compare):
        return any("LinearRisk" in names_in(side) for side in (node.left, *node.comparators))
    return isinstance(node, ast.MatchClass) and "LinearRisk" in names_in(node.cls)


def names_in(node):
    return {
        child.id if isinstance(child, ast.Name) else child.attr
        for child in ast.walk(node)
        if isinstance(child, (ast.Name, ast.Attribute))
    }


def compares_protocols(node):
    """Return whether the node compares with one of the protocols, by its text or by its member."""
    if isinstance(node, ast.MatchValue):
        return is_protocol(node.value)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(is_protocol(child) for side in sides for child in ast.walk(side))


def is_protocol(node):
    text = isinstance(node, ast.Constant) and node.value in ("folded", "fixed")
    return text or (isinstance(node, ast.Attribute) and node.attr in ("FOLDED", "FIXED"))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (tells_kinds_apart, "isinstance(risk, LinearRisk)"),
        (tells_kinds_apart, "isinstance(risk, (SoftmaxRisk, linear.LinearRisk))"),
        (tells_kinds_apart, "type(risk) is LinearRisk"),
        (tells_kinds_apart, "type(risk) == LinearRisk"),
        (compares_protocols, "risk.protocol == 'folded'"),
        (compares_protocols, "protocol in ('fixed', 'folded')"),
        (compares_protocols, "protocol is Protocol.FOLDED"),
        (compares_protocols, "'fixed' != protocol"),
    ],
)
def test_the_two_rules_see_what_they_forbid(rule, source):
    assert any(rule(node) for node in ast.walk(ast.parse(source)))
    assert not any(rule(node) for node in ast.walk(ast.parse("LinearRisk(loss, X, y, protocol='fixed')")))


@pytest.mark.parametrize(
    ("rule", "home"), [(tells_kinds_apart, KINDS_OF_RISKS), (compares_protocols, WHAT_LEAVES)]
)
def test_one_file_knows_it(rule, home):
    found = {relative(path) for path in FILES if any(map(rule, nodes_of(tree_of(path))))}
    assert found == {home}


# -- optional packages --------------------------------------------------------------------------------------


def test_optional_packages_are_imported_where_they_are_used():
    heavy = {
        (part_of(path), top)
        for path in FILES
        for top in {name.split(".")[0] for name in module_level_imports_of(tree_of(path))} & set(HEAVY)
    }
    assert heavy == {("strategies", "hypothesis")}


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


def test_public_names_exist_once_and_in_order():
    assert len(set(ist.__all__)) == len(ist.__all__)
    for name in ist.__all__:
        assert getattr(ist, name).__name__.split(".")[-1] == name


@pytest.mark.parametrize("name", [name for name in ist.__all__ if not inspect.ismodule(getattr(ist, name))])
def test_every_public_name_is_explained_with_an_example(name):
    documentation = inspect.getdoc(getattr(ist, name))
    assert "Examples\n--------\n>>> " in documentation
