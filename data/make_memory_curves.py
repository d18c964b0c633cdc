"""Make memory_curves.npz: what readouts recognise, against the delay, for three networks.

    python data/make_memory_curves.py [FILE]

Takes about 40 minutes on one core and 2 GB of memory. What is already in FILE is kept, so a run
that was interrupted goes on where it stopped. See README.md for what is in the file.
"""

import sys
from pathlib import Path

import numpy as np
from resumable import load, save
from tqdm import tqdm

from critlib import dynamics, ensembles, memory, normalization

# seconds; fixed delays lie on a grid of 20 ms, so that few steps lead from one to the next
DELAYS = {
    "linear_fixed": (0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0),
    "linear_random": (0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0),
    "echo_fixed": (0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.24, 0.26, 0.3, 0.4, 0.5),
    "echo_random": (0.14, 0.16, 0.18, 0.2, 0.22, 0.24, 0.26, 0.3, 0.4),
}
TASKS = {
    "zero_shot": {},
    "binary": {"task": "binary"},
    "eigenvectors": {"inputs": "eigenvectors"},
}
# what the paper leaves open: zero-shot, random delays up to 0.5 and 1 s
VARIANTS = {
    "base": {},
    "amplitude_1.25": {"amplitude": 1.25},
    "amplitude_5": {"amplitude": 5.0},
    "noise_1": {"noise": 1.0},
    "penalty_0.1": {"penalty": 0.1},
    "penalty_100": {"penalty": 100.0},
    "penalty_1000": {"penalty": 1000.0},
    "not_standardized": {"standardize": False},
    "cosine": {"nearest": "cosine"},
    "features_50": {"n_features": 50},
    "features_200": {"n_features": 200},
}


def network(kind, n, target, seed):
    """One network; a symmetric one by its eigenvalues alone."""
    if kind == "symmetric":
        values = ensembles.goe_top_eigenvalues(n, n, rng=seed)
        return memory.SymmetricModes(target * values / values[0])
    A = ensembles.random_connectivity(n, symmetry=0, rng=seed)
    A = normalization.critically_normalize(A, target=target)
    return dynamics.LinearNetwork(A) if kind == "rotating" else memory.EchoStateNetwork(A)


def curves(kind, tasks=tuple(TASKS), whens=("fixed", "random")):
    """Yield name and arguments of the curves of one network."""
    for when in whens:
        for task in tasks:
            how = "echo" if kind == "echo" else "linear"
            yield (
                f"{task}_{when}",
                {"delay": DELAYS[f"{how}_{when}"], "time_independent": when == "random"}
                | TASKS[task],
            )


def variants():
    """Yield name and arguments of the rows that vary what is left open."""
    for name, changed in VARIANTS.items():
        yield f"sensitivity_{name}", {"delay": (0.5, 1.0), "time_independent": True} | changed


def plan(n=2000, large=10_000, n_seeds=5, n_varied=3, n_large=2, n_echo=1):
    """Name of each row: its network (kind, size, largest eigenvalue, seed) and arguments."""
    jobs = []
    for kind in ("symmetric", "rotating"):
        for seed in range(n_seeds):
            calls = [*curves(kind), *(variants() if seed < n_varied else ())]
            calls += [("matched", None)] if kind == "rotating" else []
            jobs.append((kind, n, 0.998, seed, calls))
    jobs += [("symmetric", n, 0.99, seed, curves("symmetric")) for seed in range(n_seeds)]
    echo = [curves("echo", *([] if seed < n_echo else [["zero_shot"], ["fixed"]]))
            for seed in range(n_seeds)]  # fmt: skip
    jobs += [("echo", n, 0.998, seed, calls) for seed, calls in enumerate(echo)]
    jobs += [("symmetric", large, 0.998, seed, curves("symmetric")) for seed in range(n_large)]
    return {
        f"{kind}_{size}_{target:g}_{name}_{seed}": ((kind, size, target, seed), how)
        for kind, size, target, seed, calls in jobs
        for name, how in calls
    }


def compute(which, how, *, made=None, n_trials=1000):
    """One row; the same seed for all networks, so that they are asked to remember the same."""
    made = made or network(*which)
    if how is None:
        return matched(which, made, n_trials)
    rng = np.random.default_rng([which[-1], 1])
    return memory.readout_accuracy(made, **how, n_trials=n_trials, rng=rng)


def matched(which, rotating, n_trials):
    """Compare at equal fixed-delay accuracy: weaker inputs for the network that is better there.

    Returns the amplitude with which the rotating network recognises as much as the symmetric one
    of the same seed at a fixed delay of 0.5 s, its accuracy at fixed delays of 0.4 and 0.5 s, and
    at random delays up to 0.5 and 1 s.
    """

    def accuracy(made, amplitude, delay, when="fixed"):
        how = {"amplitude": amplitude, "delay": delay, "time_independent": when == "random"}
        return compute(which, how, made=made, n_trials=n_trials)

    wanted = accuracy(network("symmetric", *which[1:]), 2.5, 0.5)
    low, high = 0.5, 5.0
    for _ in range(10):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if accuracy(rotating, middle, 0.5) < wanted else (low, middle)
    return np.concatenate(
        [
            [middle],
            accuracy(rotating, middle, (0.4, 0.5)),
            accuracy(rotating, middle, (0.5, 1.0), "random"),
        ]
    )


def main(path, *, n_trials=1000, **sizes):
    """Compute what `path` does not hold yet."""
    path = Path(path)
    rows = {f"delays_{name}": np.array(delays) for name, delays in DELAYS.items()}
    rows |= load(path)
    todo = {name: job for name, job in plan(**sizes).items() if name not in rows}
    made_for = None
    for name, (which, how) in tqdm(todo.items(), unit="row", desc="memory curves"):
        if which != made_for:  # a network is costly, and serves several rows
            made, made_for = network(*which), which
        rows[name] = compute(which, how, made=made, n_trials=n_trials).astype(np.float32)
        save(path, rows)
    print(f"{path}: {len(rows)} rows, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "memory_curves.npz")
