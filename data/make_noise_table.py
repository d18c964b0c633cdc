"""Make noise_table.npz: spectra of noisy recordings of networks whose true spectrum is known.

    python data/make_noise_table.py [FILE]

Takes about an hour on one core and 4 GB of memory. What is already in FILE is kept, so a run that
was interrupted goes on where it stopped. See README.md for what is in the file.
"""

import sys
from pathlib import Path

import numpy as np
from resumable import load, save
from tqdm import tqdm

from critlib import dynamics, ensembles, normalization, shared_variance, spectra

DT = 0.046
LEVELS = ("low", "medium", "high")
NOISY = [(how, level) for how in ("spikes", "imaging") for level in LEVELS]
CONDITIONS = [("none", "none"), *NOISY]
KEPT = 1000  # ranks that are stored


def connectivity(n, seed):
    """Symmetric network, critically normalized."""
    return normalization.critically_normalize(ensembles.random_connectivity(n, rng=seed))


def record(A, minutes, seed):
    """Activity of the network, averaged over bins."""
    network = dynamics.LinearNetwork(A.astype(np.float32))
    return network.simulate(60 * minutes, DT, rng=np.random.default_rng([seed, 1]))


def observe(X, technique, level, seed):
    """Activity as it is seen, and the fraction of neurons whose SNR is above 0.3."""
    rng = np.random.default_rng([seed, 2])
    if technique == "spikes":
        return shared_variance.spike_noise(X, level=level, rng=rng), np.nan
    if technique == "imaging":
        seen = shared_variance.two_photon_noise(X, DT, level=level, rng=rng)
        return seen.activity, np.mean(seen.snr > 0.3)
    return X, np.nan


def random_halves(n, seed):
    """Which of n neurons are in the first half."""
    return np.random.default_rng([seed, 3]).permutation(n) < n // 2


def measure(X, seed):
    """Spectra by the three methods, with the same random halves."""
    halves = random_halves(len(X), seed)
    return {
        "direct": spectra.covariance_spectrum(X),
        "svca": shared_variance.svca(X, halves=halves),
        "svca2": shared_variance.svca2(X, halves=halves),
    }


def binned_variances(eigenvalues, tau=0.02):
    """Variance of a bin average of each mode (chapter 4)."""
    gap = 1 - eigenvalues
    z = gap * DT / tau
    return (z + np.expm1(-z)) / z**2 / gap


def binned_correlation(A, n):
    """Correlation matrix of bin averages of the first n neurons, of an endless recording."""
    values, vectors = np.linalg.eigh(A)
    S = (vectors[:n] * binned_variances(values)) @ vectors[:n].T
    sd = np.sqrt(np.diag(S))
    return S / sd / sd[:, None]


def endless_svca2(C, seed):
    """What SVCA2 gives for a known correlation matrix, with the halves of `measure`."""
    halves = random_halves(len(C), seed)
    return np.linalg.svd(C[halves][:, ~halves], compute_uv=False)


def table_rows(n, minutes, seed, have=()):
    """Yield name and values of all conditions, for one network."""
    names = [f"{how}_{level}_{seed}" for how, level in CONDITIONS]
    if all(f"{name}_svca2" in have for name in names) and f"truth_{seed}" in have:
        return
    A = connectivity(n, seed)
    truth = binned_variances(np.linalg.eigvalsh(A)[::-1])
    yield f"truth_{seed}", truth / truth.mean()
    yield f"endless_{seed}", endless_svca2(binned_correlation(A, n), seed)
    X = record(A, minutes, seed)
    for name, (how, level) in zip(names, CONDITIONS, strict=True):
        if f"{name}_svca2" not in have:
            seen, above = observe(X, how, level, seed)
            yield f"{name}_above", np.array([above])
            for method, values in measure(seen, seed).items():
                yield f"{name}_{method}", values


def grid_rows(n, minutes, seed, have=()):
    """Yield spectra from parts of one long recording of spikes: fewer neurons, less time."""
    sizes = (n // 4, n // 2, n)
    lengths = [minutes / 4**i for i in (2, 1, 0)]
    if f"grid_{sizes[-1]}_{lengths[-1]:g}_{seed}_svca2" in have:
        return
    A = connectivity(n, seed)
    X, _ = observe(record(A, minutes, seed), "spikes", "medium", seed)
    for size in sizes:
        yield f"grid_{size}_truth_{seed}", np.linalg.eigvalsh(binned_correlation(A, size))[::-1]
        for length in lengths:
            part = X[:size, : round(60 * length / DT)]
            for method, values in measure(part, seed).items():
                yield f"grid_{size}_{length:g}_{seed}_{method}", values


def part_rows(n, seed, have=()):
    """Yield what SVCA2 gives for fewer neurons of one network, without noise and without end."""
    sizes = (n // 4, n // 2, n)
    if all(f"grid_{size}_endless_{seed}" in have for size in sizes):
        return
    C = binned_correlation(connectivity(n, seed), n)
    for size in sizes:
        yield f"grid_{size}_endless_{seed}", endless_svca2(C[:size, :size], seed)


def size_rows(n, have=()):
    """Yield the spectrum of endless, noiseless recordings and what SVCA2 makes of it."""
    if f"endless_{n}" not in have:
        C = binned_correlation(connectivity(n, 0), n)
        yield f"exact_{n}", np.linalg.eigvalsh(C)[::-1]
        yield f"endless_{n}", endless_svca2(C, 0)


def main(
    path,
    *,
    n=2000,
    minutes=30,
    n_seeds=5,
    grid_minutes=120,
    n_grid_seeds=3,
    sizes=(500, 1000, 2000, 4000),
):
    """Compute what `path` does not hold yet."""
    path = Path(path)
    rows = load(path)
    jobs = [table_rows(n, minutes, seed, rows) for seed in range(n_seeds)]
    jobs += [grid_rows(n, grid_minutes, seed, rows) for seed in range(n_grid_seeds)]
    jobs += [part_rows(n, seed, rows) for seed in range(n_grid_seeds)]
    jobs += [size_rows(size, rows) for size in sizes]
    total = n_seeds * (2 + 4 * len(CONDITIONS)) + n_grid_seeds * 3 * 11 + 2 * len(sizes)
    with tqdm(total=total, initial=min(len(rows), total), unit="row", desc="noise table") as bar:
        for job in jobs:
            for name, values in job:
                bar.update(name not in rows)
                rows[name] = np.asarray(values, np.float32)[:KEPT]
                if name.endswith("svca2") or "endless" in name:
                    save(path, rows)
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "noise_table.npz")
