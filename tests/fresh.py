"""What a new interpreter has loaded after each of the first steps of a session, one interpreter for all.

Steps follow each other: what is not loaded after one has not been loaded by any step before it either.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import influstat as ist

STEPS = {
    "influstat": "import influstat as ist",
    "adapters": "import influstat.adapters",
    "fit": "fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0]], [1.0, 3.0]); assert fit.plot",
    "from_sklearn": (
        "try: ist.from_sklearn(object(), [[1.0], [2.0]], [1.0, 2.0])\n"
        "except ist.errors.Unsupported: pass\n"
        "else: raise AssertionError"
    ),
    "plots": "assert callable(ist.plots.influence_index)",
    "datasets": "assert callable(ist.datasets.available)",
    "experiments": "assert callable(ist.experiments.figure1)",
    "strategies": "assert callable(ist.strategies.fits)",
}


@cache
def modules() -> dict[str, set[str]]:
    """Return the names of all modules that are loaded after each step."""
    code = ["import json, sys"]
    for name, step in STEPS.items():
        code += [step, f"print(json.dumps([{name!r}, list(sys.modules)]))"]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(ist.__file__).parents[1],
    )
    return {name: set(loaded) for name, loaded in map(json.loads, run.stdout.splitlines())}
