"""Memory of conjugate gradients on a sparse design: python tests/benchmarks/conjugate_gradient.py.

Target: one right-hand side on newsgroups20 (p = 60,741) in under 300 MB. Needs INFLUSTAT_DATA. The
matrix alone would take 29.5 GB.
"""

import resource
from time import perf_counter

import numpy as np

import influstat as ist
from influstat.datasets import load_newsgroups20


def peak_megabytes():
    """Return the largest memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    imported = peak_megabytes()
    news = load_newsgroups20(part="all")
    science = np.char.startswith(news.y, "sci.").astype(np.int64)
    risk = ist.LinearRisk(ist.LogisticLoss(), news.X, science, penalty=ist.L2(2.0), names=news.names)
    n, p = risk.shape
    curvature = risk.curvature(np.zeros(p))
    rhs = risk.row_gradients(np.zeros(p), [0])[0]
    print(f"conjugate gradients, newsgroups20, n = {n}, p = {p}, {news.X.nnz} counts")
    loaded = peak_megabytes()
    for solver in (ist.ConjugateGradient(), ist.ConjugateGradient(jacobi=False)):
        start = perf_counter()
        solution = solver.solve(curvature, rhs)
        elapsed = perf_counter() - start
        steps, residual = solution.iterations, float(solution.residual)
        print(f"  jacobi={solver.jacobi}: {steps} steps, {elapsed:.1f} s, residual {residual:.1e}")
    solved = peak_megabytes()
    print(f"  peak memory beyond the imports: {solved - imported:.0f} MB after the solve (target 300),")
    print(f"  of which {loaded - imported:.0f} MB for reading the data and building the risk")


if __name__ == "__main__":
    main()
