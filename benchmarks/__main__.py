"""Print one table: critlib, the alternative, and their ratio, from the same run.

    python -m benchmarks            all rows, about six minutes on two cores
    python -m benchmarks abscissa   only the rows whose name holds this word

Times are wall-clock, the best of the repeats; the alternative is timed right after critlib.
"""

import os
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import scipy.linalg
from pydmd import DMD as PyDMD
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

from critlib import (  # noqa: E402
    dmd,
    dynamics,
    ensembles,
    normalization,
    recordings,
    report,
    shared_variance,
    spectra,
)


def abscissa():
    A = ensembles.random_connectivity(3000, symmetry=0, rng=1)
    yield (
        "spectral_abscissa, n = 3,000, not symmetric",
        lambda: normalization.spectral_abscissa(A),
        "numpy.linalg.eigvals",
        lambda: np.linalg.eigvals(A).real.max(),
        lambda ours, theirs: abs(ours - theirs) / theirs,
        3,
    )


def covariance():
    A = normalization.critically_normalize(ensembles.random_connectivity(2000, symmetry=0, rng=2))
    network = dynamics.LinearNetwork(A)
    F, identity = A - np.eye(2000), np.eye(2000)

    def ours():
        vars(network).pop("_covariance", None)  # it is kept between calls; time a first call
        return network.covariance()

    yield (
        "LinearNetwork.covariance, n = 2,000, not symmetric",
        ours,
        "scipy.linalg.solve_continuous_lyapunov",
        lambda: scipy.linalg.solve_continuous_lyapunov(F, -identity),
        lambda ours, theirs: np.linalg.norm(ours - theirs) / np.linalg.norm(theirs),
        1,
    )


def simulate():
    for symmetry, name in ((1, "symmetric"), (0, "not symmetric")):
        A = ensembles.random_connectivity(2000, symmetry=symmetry, rng=3)
        A = normalization.critically_normalize(A)
        settings = {"n_trials": 20, "rng": 4}
        yield (
            f"simulate, n = 2,000, 20 x 60 s in 46 ms bins, {name}",
            lambda A=A, kw=settings: dynamics.LinearNetwork(A).simulate(60, 0.046, **kw),
            "Euler steps of 2 ms, no burn-in",
            lambda A=A, kw=settings: dynamics.simulate_euler(A, 60, 0.046, burn_in=0, **kw),
            None,
            1,
        )


def goe():
    def dense():
        B = np.random.default_rng(5).standard_normal((4000, 4000))
        return scipy.linalg.eigvalsh((B + B.T) / np.sqrt(32_000), subset_by_index=(3500, 3999))

    yield (
        "goe_top_eigenvalues, top 500 of n = 4,000",
        lambda: ensembles.goe_top_eigenvalues(4000, 500, rng=5),
        "dense matrix, scipy.linalg.eigvalsh",
        dense,
        None,
        1,
    )
    for n in (10_000, 70_000_000):
        yield (
            f"goe_top_eigenvalues, top 500 of n = {n:,}",
            lambda n=n: ensembles.goe_top_eigenvalues(n, 500, rng=5),
            "dense matrix: not tried, slow or too large",
            None,
            None,
            1,
        )


def spectrum():
    X = np.random.default_rng(6).standard_normal((2000, 20_000))
    Z = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    yield (
        "covariance_spectrum, 2,000 x 20,000",
        lambda: spectra.covariance_spectrum(X),
        "sklearn PCA (full SVD)",
        lambda: PCA(svd_solver="full").fit(Z.T).explained_variance_ * (1 - 1 / 20_000),
        lambda ours, theirs: np.abs(ours / theirs - 1).max(),
        1,
    )
    variances = np.arange(1, 10_001) ** -0.69
    rank = np.arange(11, 501)
    yield (
        "fit_power_law, 10,000 values",
        lambda: spectra.fit_power_law(variances).exponent,
        "sklearn LinearRegression",
        lambda: (
            -LinearRegression()
            .fit(np.log(rank)[:, None], np.log(variances[10:500]), sample_weight=1 / rank)
            .coef_[0]
        ),
        lambda ours, theirs: abs(ours / theirs - 1),
        20,
    )

    def by_rounds():
        rng, Y = np.random.default_rng(7), X.copy()
        for _ in range(500):
            half = rng.permutation(len(Y))[: len(Y) // 2]
            Y[half] = np.roll(Y[half], rng.integers(Y.shape[1]), axis=1)
        return Y

    yield (
        "shuffle_in_time, 2,000 x 20,000, 500 rounds",
        lambda: spectra.shuffle_in_time(X, rng=7),
        "numpy.roll in every round",
        by_rounds,
        lambda ours, theirs: np.abs(ours - theirs).max(),
        1,
    )


def reading():
    rng = np.random.default_rng(8)
    times, units = rng.uniform(0, 1800, 450_000), rng.integers(0, 1200, 450_000)
    edges = np.arange(0, 1800 + 0.046, 0.046), np.arange(1201)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spikes.npz"
        np.savez(path, st=times, clu=units)
        yield (
            "load_recording, 450,000 spikes of 1,200 units",
            lambda: recordings.load_recording(path).activity,
            "numpy.histogram2d on loaded arrays",
            lambda: np.histogram2d(units, times, bins=edges[::-1])[0],
            lambda ours, theirs: np.abs(ours - theirs[:, : ours.shape[1]]).max(),
            3,
        )


def halves():
    n, n_times = 4000, 20_000
    X = report.simulate_network("symmetric", n, n_times, 0.046, rng=9)
    X /= X.std(axis=1, keepdims=True)
    X += 1.5 * np.random.default_rng(10).standard_normal(X.shape, dtype=np.float32)
    half = np.arange(n) < n // 2
    Z = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    first, second = Z[half], Z[~half]
    M = np.random.default_rng(11).standard_normal((4096, 4096), dtype=np.float32)
    seconds, _ = best_time(lambda: M @ M, 5)
    rate = 2 * len(M) ** 3 / seconds

    def what(k, seconds):
        """Name, with the useful operations per second: one product of the two halves."""
        part = 2 * (n // 2) ** 2 * n_times / seconds / rate
        return (
            f"svca2, 4,000 x 20,000, {'all' if k is None else k} components, float32 "
            f"({part:.0%} of the rate of a matrix product, {rate / 1e9:.0f} GFlop/s)"
        )

    for k in (None, 20):
        yield (
            partial(what, k),
            lambda k=k: shared_variance.svca2(X, halves=half, n_components=k),
            "z-scored before, product and numpy.linalg.svd",
            lambda: np.linalg.svd(first @ second.T / np.float32(n_times), compute_uv=False),
            lambda ours, theirs: np.abs(ours / theirs[: len(ours)] - 1).max(),
            3,
        )


def decomposition():
    n, n_times = 2000, 20_000
    A = normalization.critically_normalize(ensembles.random_connectivity(n, rng=11))
    X = dynamics.LinearNetwork(A).simulate(n_times * 0.046, 0.046, rng=12)[:, :n_times]
    Z = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)

    def difference(ours, theirs):  # each of a complex pair is the other's conjugate
        ours, theirs = (np.sort_complex(v.real.round(9) + 1j * abs(v.imag)) for v in (ours, theirs))
        return np.abs(ours - theirs).max()

    yield (
        "fit_dmd, 2,000 x 20,000, 1,000 components, lag of 5 bins",
        lambda: dmd.fit_dmd(X, 0.046, ridge=0.0).eigenvalues,
        "PyDMD of z-scored activity",
        lambda: PyDMD(svd_rank=1000, exact=False).fit(Z[:, :-5], Z[:, 5:]).eigs,
        difference,
        1,
    )


def best_time(function, repeats):
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def main(words):
    print("| ratio | what | critlib (s) | alternative | (s) | difference |", flush=True)
    print("|---|---|---|---|---|---|")
    for group in (abscissa, covariance, simulate, goe, spectrum, reading, halves, decomposition):
        if words and not any(word in group.__name__ for word in words):
            continue
        for what, ours, alternative, theirs, compare, repeats in group():
            seconds, result = best_time(ours, repeats)
            what = what(seconds) if callable(what) else what
            row = ["", what, f"{seconds:.3g}", alternative, "", ""]
            if theirs is not None:
                other_seconds, other = best_time(theirs, repeats)
                row[0], row[4] = f"{other_seconds / seconds:.1f}", f"{other_seconds:.3g}"
                if compare is not None:
                    row[5] = f"{compare(result, other):.0e}"
            print("| " + " | ".join(row) + " |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of the whole run: {peak:.1f} GiB")


if __name__ == "__main__":
    main(sys.argv[1:])
