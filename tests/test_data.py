"""The simulated recordings in data/: made again byte for byte, and what their datasheet says."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from critlib import recordings, shared_variance, spectra

DATA = Path(__file__).parent.parent / "data"
SHEET = (DATA / "README.md").read_text(encoding="utf-8")
NAMES = ("cortex_like", "ca1_like")


@pytest.fixture(scope="module")
def made_again(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, DATA / "make_recordings.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_script_makes_the_same_bytes(made_again, name):
    assert (made_again / f"{name}.npz").read_bytes() == (DATA / f"{name}.npz").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_datasheet_states_the_hash(name):
    digest = hashlib.sha256((DATA / f"{name}.npz").read_bytes()).hexdigest()
    assert re.search(rf"`{name}\.npz` \| 3\.6 \| `{digest}`", SHEET)


def test_both_files_are_small():
    assert sum((DATA / f"{name}.npz").stat().st_size for name in NAMES) <= 8e6


@pytest.mark.parametrize(("name", "kept"), [("cortex_like", 701), ("ca1_like", 697)])
def test_loading_leaves_out_noisy_neurons(name, kept):
    recording = recordings.load_recording(DATA / f"{name}.npz")
    assert recording.activity.shape == (kept, 4500)
    assert recording.positions.shape == (kept, 2)
    assert recording.dt == 0.1
    assert "701 and 697 of the 800" in SHEET


def test_stated_truths_are_in_the_files():
    truths = [float(np.load(DATA / f"{name}.npz")["true_exponent"]) for name in NAMES]
    assert truths == [1.044, 0.0]
    assert "True exponent 1.044" in SHEET


def exponents(name):
    X = recordings.load_recording(DATA / f"{name}.npz").activity
    shuffled = spectra.shuffle_in_time(X, rng=0)
    return [spectra.fit_power_law(spectra.covariance_spectrum(Y)).exponent for Y in (X, shuffled)]


def test_shuffling_flattens_cortex_but_not_ca1():
    cortex, cortex_shuffled = exponents("cortex_like")
    ca1, ca1_shuffled = exponents("ca1_like")
    assert cortex - cortex_shuffled > 0.1
    # Nothing is shared between the CA1-like neurons, so the shuffle is one more draw of the same
    # kind. Over twelve shuffles the exponent's sd was 0.0013; 5 sd of a difference are 0.009.
    assert abs(ca1 - ca1_shuffled) < 0.009


# --- the table of noisy recordings ---------------------------------------------------------------


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_noise_table", DATA / "make_noise_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SMALL = {"n": 60, "minutes": 2, "n_seeds": 1, "grid_minutes": 16, "n_grid_seeds": 1,
         "sizes": (40,)}  # fmt: skip


def read(path):
    with np.load(path) as rows:
        return dict(rows)


def test_noise_table_holds_every_row_that_the_script_would_make(script):
    rows = read(DATA / "noise_table.npz")
    methods = ("above", "direct", "svca", "svca2")
    expected = {
        f"{how}_{level}_{seed}_{what}"
        for how, level in script.CONDITIONS
        for seed in range(5)
        for what in methods
    }
    expected |= {f"{kind}_{seed}" for kind in ("truth", "endless") for seed in range(5)}
    expected |= {f"{kind}_{n}" for kind in ("exact", "endless") for n in (500, 1000, 2000, 4000)}
    for n in (500, 1000, 2000):
        expected |= {f"grid_{n}_truth_{seed}" for seed in range(3)}
        expected |= {
            f"grid_{n}_{minutes}_{seed}_{what}"
            for minutes in ("7.5", "30", "120")
            for seed in range(3)
            for what in methods[1:]
        }
    assert set(rows) == expected
    assert all(row.dtype == np.float32 and len(row) <= 1000 for row in rows.values())
    assert (DATA / "noise_table.npz").stat().st_size < 1e6


def test_cheap_rows_of_the_noise_table_are_made_again(script):
    rows = read(DATA / "noise_table.npz")
    made = dict(script.size_rows(500))
    # float32, and for the smallest singular values the rounding of the matrix
    for name, values in made.items():
        np.testing.assert_allclose(rows[name], values, rtol=1e-5, atol=1e-6)
    gap = 1 - np.linalg.eigvalsh(script.connectivity(2000, 0))[::-1]
    z = gap * 0.046 / 0.02
    truth = (z + np.expm1(-z)) / z**2 / gap  # chapter 4
    np.testing.assert_allclose(rows["truth_0"], (truth / truth.mean())[:1000], rtol=1e-4)


def test_a_small_noise_table_is_what_its_functions_say(script, tmp_path):
    script.main(tmp_path / "small.npz", **SMALL)
    rows = read(tmp_path / "small.npz")
    X = script.record(script.connectivity(60, 0), 2, 0)
    assert X.shape == (60, round(120 / 0.046))
    values = spectra.covariance_spectrum(X)
    np.testing.assert_allclose(rows["none_none_0_direct"], values, rtol=1e-5, atol=1e-6)
    counts = shared_variance.spike_noise(X, level="high", rng=np.random.default_rng([0, 2]))
    halves = np.random.default_rng([0, 3]).permutation(60) < 30
    values = shared_variance.svca2(counts, halves=halves)
    np.testing.assert_allclose(rows["spikes_high_0_svca2"], values, rtol=1e-4, atol=1e-5)


def test_noise_table_goes_on_where_it_stopped(script, tmp_path, monkeypatch):
    path = tmp_path / "small.npz"
    script.main(path, **SMALL)
    whole = path.read_bytes()
    rows = read(path)
    kept = {name: row for name, row in rows.items() if "medium" not in name and "40" not in name}
    kept["none_none_0_direct"] = np.full_like(rows["none_none_0_direct"], 7)  # not computed again
    script.save(path, kept)
    script.main(path, **SMALL)
    resumed = read(path)
    assert set(resumed) == set(rows)
    assert np.all(resumed["none_none_0_direct"] == 7)
    np.testing.assert_array_equal(resumed["spikes_medium_0_svca2"], rows["spikes_medium_0_svca2"])

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        script.save(path, rows)
    assert path.read_bytes() == before != whole
