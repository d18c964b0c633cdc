"""Make structured_exponents.npz: leading variances of networks with structured connectivity.

    python data/make_structured_exponents.py [FILE]

108 networks of 10,000 neurons: about half an hour on one core and 4 GB of memory. What is already
in FILE is kept, so a run that was interrupted goes on where it stopped. All conditions with seed
0 come first, then all with seed 1, and so on. See README.md for what is in the file.
"""

import sys
from pathlib import Path

import numpy as np
import scipy.linalg
from resumable import load, save
from scipy.sparse.linalg import eigsh
from tqdm import tqdm

from critlib import connectivity, ensembles, spectra

TARGET = 0.998  # largest eigenvalue
# (kind, k): the probability of a connection, or of a global one, is 2^-k
CONDITIONS = [("dense", 0)]
CONDITIONS += [("sparse", k) for k in range(12, 1, -1)]
CONDITIONS += [(kind, k) for kind in ("clustered", "spatial") for k in range(12, 0, -1)]


def network(kind, k, n, seed):
    """Symmetric connectivity in single precision, not normalized; every call has its own draw."""
    rng = np.random.default_rng([seed, k, ("dense", "sparse", "clustered", "spatial").index(kind)])
    if kind == "dense":
        return ensembles.random_connectivity(n, rng=rng).astype(np.float32)
    if kind == "sparse":
        return connectivity.sparse(n, 2.0**-k, dtype="float32", rng=rng).A
    make = {"clustered": connectivity.clustered, "spatial": connectivity.spatial}[kind]
    return make(n, p_global=2.0**-k, dtype="float32", rng=rng).A


def leading_variances(A, k):
    """Largest k eigenvalues of (I - A)^-1 / 2 for A scaled to the critical point; A symmetric.

    Block Lanczos iteration on the inverse of s I - A, for s a little above the largest eigenvalue
    of A, where a Cholesky decomposition makes a product with the inverse as cheap as one with A.
    Leading eigenvalues of the inverse are far apart, so that 40 blocks of k / 10 vectors are
    plenty. At n = 10,000, k = 500 this takes less than a third of the time of
    scipy.linalg.eigvalsh, with which 1 - lambda agrees to 1e-4 of itself from rank 11 on, and
    exponents to 1e-5 (sparse and spatial networks at 2^-12, all in single precision). To keep
    connections in a sparse matrix, and their mean as a product of two vectors, does not pay: at
    2^-12, where that is cheapest, 500 eigenvalues by scipy.sparse.linalg.eigsh took 1.5 times as
    long, since most of the time goes into keeping so many vectors orthogonal.
    """
    n = len(A)
    if n < 8 * k:
        values = scipy.linalg.eigvalsh(A)[::-1][:k]
        return 1 / (2 * (1 - TARGET * values / values[0]))
    rng = np.random.default_rng(0)
    start = rng.standard_normal(n).astype(A.dtype)
    edge = eigsh(A, 1, which="LA", ncv=40, tol=1e-3, v0=start, return_eigenvectors=False)[0]
    shift = 1.01 * edge
    shifted = -A.T  # in column order, as LAPACK wants it
    shifted[np.diag_indices(n)] += shift
    factor = scipy.linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)

    block = max(1, k // 10)  # vectors that are iterated together
    size = 40 * block
    basis = np.empty((size, n), A.dtype).T  # a vector per column, each in one piece
    band = np.zeros((size, size), A.dtype)
    last = np.linalg.qr(rng.standard_normal((n, block)).astype(A.dtype))[0]
    for j in range(0, size, block):
        here = slice(j, j + block)
        basis[:, here] = last
        new = scipy.linalg.cho_solve(factor, last, check_finite=False)
        for i in (j - block, j) if j else (j,):
            there = slice(i, i + block)
            overlap = basis[:, there].T @ new
            new -= basis[:, there] @ overlap
            band[there, here], band[here, there] = overlap, overlap.T
        new -= basis[:, : here.stop] @ (basis[:, : here.stop].T @ new)  # what rounding left
        last = np.linalg.qr(new)[0]
    inverse = scipy.linalg.eigvalsh(band)[::-1][:k].astype(float)
    values = shift - 1 / inverse
    return 1 / (2 * (1 - TARGET * values / values[0]))


def exponent(variances):
    """Exponent over the ranks that the paper fits."""
    return spectra.fit_power_law(variances, ranks=spectra.default_ranks(len(variances))).exponent


def main(path, *, n=10_000, kept=500, n_seeds=3, conditions=CONDITIONS):
    """Compute what `path` does not hold yet."""
    path = Path(path)
    rows = load(path)
    names = [(f"{kind}_{k}_{s}", kind, k, s) for s in range(n_seeds) for kind, k in conditions]
    missing = [job for job in names if job[0] not in rows]
    with tqdm(total=len(names), initial=len(names) - len(missing), unit="network") as bar:
        for name, kind, k, seed in missing:
            rows[name] = leading_variances(network(kind, k, n, seed), kept).astype(np.float32)
            save(path, rows)
            bar.write(f"{name}: exponent {exponent(rows[name]):.3f}")
            bar.update()
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "structured_exponents.npz")
