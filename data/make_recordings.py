"""Make the two simulated recordings in this folder.

    python data/make_recordings.py [FOLDER]

Takes a few seconds. Running it again gives the same bytes; see README.md for what is in them.
"""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from critlib import dynamics, ensembles, normalization, spectra

N_NEURONS, N_BINS, DT = 800, 4_500, 0.1
LEVELS_PER_SD = 32  # activity is stored in 1/32 of a standard deviation, in one byte


def cortex_like(rng):
    """Symmetric, critically normalized network, seen through private noise."""
    A = normalization.critically_normalize(ensembles.random_connectivity(N_NEURONS, rng=rng))
    network = dynamics.LinearNetwork(A)
    signal = network.simulate(N_BINS * DT, DT, rng=rng)
    signal /= signal.std(axis=1, keepdims=True)
    # variance of a bin average of each mode, in closed form (chapter 4)
    gap = 1 - np.linalg.eigvalsh(A)[::-1]
    z = gap * DT / network.tau
    variances = (z + np.expm1(-z)) / z**2 / gap
    return signal, spectra.fit_power_law(variances).exponent


def ca1_like(rng):
    """Independent neurons, each with its own slow activity; no two are related."""
    timescale = rng.uniform(0.3, 1.0, N_NEURONS)
    keep = np.exp(-DT / timescale)
    signal = np.empty((N_NEURONS, N_BINS))
    signal[:, 0] = rng.standard_normal(N_NEURONS)
    for t in tqdm(range(1, N_BINS), desc="independent neurons", delay=2, leave=False):
        fresh = rng.standard_normal(N_NEURONS)
        signal[:, t] = keep * signal[:, t - 1] + np.sqrt(1 - keep**2) * fresh
    return signal, 0.0  # all neurons alike and unrelated: a flat spectrum


def observe(signal, side, rng):
    """Turn unit-variance signals into what a microscope gives: noisy, not negative, in bytes."""
    snr = rng.uniform(0.2, 1.0, N_NEURONS)  # fraction of each neuron's variance that is signal
    noise = rng.standard_normal(signal.shape)
    observed = np.sqrt(snr)[:, None] * signal + np.sqrt(1 - snr)[:, None] * noise
    xpos, ypos = rng.uniform(0, side, (2, N_NEURONS))
    return {
        "sp": np.clip(np.round(LEVELS_PER_SD * (observed + 2.5)), 0, 255).astype(np.uint8),
        "xpos": xpos.astype(np.float32),
        "ypos": ypos.astype(np.float32),
        "snr": snr.astype(np.float32),
        "dt": np.float64(DT),
    }


def main(folder):
    """Write both recordings into `folder`."""
    for seed, (make, side) in enumerate(((cortex_like, 1000), (ca1_like, 500)), start=2026):
        rng = np.random.default_rng(seed)
        signal, exponent = make(rng)
        arrays = observe(signal, side, rng)
        path = Path(folder) / f"{make.__name__}.npz"
        # not compressed: the bytes must not depend on the version of zlib
        np.savez(path, **arrays, true_exponent=round(exponent, 3))
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
