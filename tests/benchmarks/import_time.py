"""Time `import influstat` beyond NumPy and SciPy: python tests/benchmarks/import_time.py.

Target: under 0.5 s. Each time is that of a new interpreter; the shortest of several counts.
"""

import subprocess
import sys
from pathlib import Path

REPEATS = 7
LIST = """
import sys, influstat
print(*(name for name in sys.modules if name.split(".")[0] in ("numpy", "scipy") and "._" not in name))
"""
TIME = """
from importlib import import_module
from time import perf_counter
start = perf_counter()
for name in {before!r}:
    import_module(name)
middle = perf_counter()
import influstat
print(middle - start, perf_counter() - middle)
"""


def run(code):
    """Return what a new interpreter prints, split at blanks."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return done.stdout.split()


def shortest(before):
    """Return the seconds for the modules `before`, and for influstat after them."""
    times = [tuple(map(float, run(TIME.format(before=before)))) for _ in range(REPEATS)]
    return min(first for first, _ in times), min(second for _, second in times)


def main():
    used = run(LIST)
    bare, beyond_bare = shortest(["numpy", "scipy"])
    whole, beyond_whole = shortest(used)
    print("import influstat, seconds (target 0.5):")
    print(f"  after `import numpy, scipy` ({bare:.3f} s): {beyond_bare:.3f}")
    print(f"  after those parts of NumPy and SciPy that it uses ({whole:.3f} s): {beyond_whole:.3f}")


if __name__ == "__main__":
    main()
