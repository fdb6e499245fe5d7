"""No test's random numbers depend on which tests ran before it."""

import ast
from pathlib import Path

import pytest


def drawn_from(function, generators):
    """Return which of the generators a function draws from, unless it has its own under that name."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own.update(argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg))
    return {node.id for body in function.body for node in ast.walk(body) if isinstance(node, ast.Name)} & (
        generators - own
    )


@pytest.mark.slow
def test_no_test_draws_from_a_generator_that_others_draw_from():
    """What it drew would depend on which of them ran before it."""
    shared = {}
    for path in Path(__file__).parent.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        generators = {
            target.id
            for node in body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "np.random.default_rng"
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in body:
            if isinstance(node, ast.FunctionDef) and drawn_from(node, generators):
                shared.setdefault(path.name, []).append(node.name)
    assert shared == {}
