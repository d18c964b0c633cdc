"""Make verdicts.npz: what the report measures in recordings whose truth is known.

    python data/make_verdicts.py [FILE]

Takes about an hour and a half on one core and 4 GB of memory. What is already in FILE is kept, so
a run that was interrupted goes on where it stopped. See README.md for what is in the file.
"""

import sys
from pathlib import Path

import numpy as np
from make_noise_table import DT, NOISY, observe
from resumable import load, save
from tqdm import tqdm

from critlib import report, shared_variance, spectra


def numbers(found):
    """Evidence as an array."""
    return np.array([found.top, found.n_shared, found.asymmetry, found.asymmetry_error])


def evidence(row):
    """Evidence from such an array."""
    return report.Evidence(row[0], int(row[1]), row[2], row[3])


def answers(rows, name):
    """What the report says of one recording."""
    recording, *references, (shuffled_top, *_) = rows[name]
    references = dict(zip(report.NETWORKS, map(evidence, references), strict=True))
    return report.judge(evidence(recording), shuffled_top, references)


def verdict_rows(kind, n, minutes, seed, have=()):
    """Yield name and values for one recorded network, with each technique and level of noise."""
    todo = [(f"{how}_{level}_{kind}_{seed}", how, level) for how, level in NOISY]
    todo = [job for job in todo if job[0] not in have]
    if not todo:
        return
    rng = np.random.default_rng([seed, list(report.NETWORKS).index(kind), n])
    size = (n, round(60 * minutes / DT), DT)
    X = report.simulate_network(kind, *size, rng=rng)
    # other networks, to compare with; new ones for each that is recorded
    references = [report.simulate_network(other, *size, rng=rng) for other in report.NETWORKS]
    for name, how, level in todo:
        rng = np.random.default_rng([seed, 4])
        seen = np.asarray(observe(X, how, level, seed)[0], np.float32)
        halves = rng.permutation(n) < n // 2
        found = [numbers(report.evidence(seen, DT, halves=halves, rng=rng))]
        for signal in references:
            noisy = report.add_noise_like(signal, seen, rng=rng)
            found.append(numbers(report.evidence(noisy, DT, halves=halves, rng=rng)))
        shuffled = spectra.shuffle_in_time(seen, rng=rng)
        found.append(np.full(4, shared_variance.svca2(shuffled, halves=halves)[0]))
        yield name, np.array(found)


def main(path, *, n=2000, minutes=30, seeds=range(3)):
    """Compute what `path` does not hold yet."""
    path = Path(path)
    rows = load(path)
    networks = [(kind, seed) for seed in seeds for kind in report.NETWORKS]
    jobs = [verdict_rows(kind, n, minutes, seed, rows) for kind, seed in networks]
    total = len(jobs) * len(NOISY)
    with tqdm(total=total, initial=min(len(rows), total), unit="recording", desc="verdicts") as bar:
        for job in jobs:
            for name, values in job:
                rows[name] = values.astype(np.float32)
                save(path, rows)
                bar.write(f"{name}: {', '.join(answers(rows, name))}")
                bar.update()
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "verdicts.npz")
