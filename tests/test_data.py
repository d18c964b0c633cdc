"""The simulated recordings in data/: made again byte for byte, and what their datasheet says."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from critlib import recordings, report, shared_variance, spectra

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


def load(name):
    if str(DATA) not in sys.path:  # where a script finds what stands beside it
        sys.path.append(str(DATA))
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load("make_noise_table")


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
        expected |= {
            f"grid_{n}_{what}_{seed}" for what in ("truth", "endless") for seed in range(3)
        }
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
    made = dict(script.size_rows(500)) | dict(script.part_rows(2000, 0))
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


# --- structured connectivity ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def structured():
    return load("make_structured_exponents")


CONDITIONS = {("dense", 0)} | {("sparse", k) for k in range(2, 13)}
CONDITIONS |= {(kind, k) for kind in ("clustered", "spatial") for k in range(1, 13)}


def test_structured_exponents_are_complete_and_as_the_datasheet_says(structured):
    path = DATA / "structured_exponents.npz"
    rows = read(path)
    assert set(structured.CONDITIONS) == CONDITIONS and len(CONDITIONS) == 36
    assert set(rows) == {f"{kind}_{k}_{seed}" for kind, k in CONDITIONS for seed in range(3)}
    for variances in rows.values():
        assert variances.dtype == np.float32 and variances.shape == (500,)
        # largest eigenvalue 0.998, then down
        assert variances[0] == pytest.approx(250, rel=1e-5) and np.all(np.diff(variances) <= 0)
    assert path.stat().st_size < 1e6
    assert hashlib.sha256(path.read_bytes()).hexdigest() in SHEET


@pytest.mark.parametrize("kind", ["sparse", "clustered", "spatial", "dense"])
def test_leading_variances_are_those_of_a_full_decomposition(structured, kind):
    n, k = 1000, 50
    A = structured.network(kind, 4, n, 0)
    assert A.dtype == np.float32 and n >= 8 * k  # by iteration
    values = np.linalg.eigvalsh(A.astype(float))[::-1][:k]
    expected = 1 / (2 * (1 - 0.998 * values / values[0]))
    # single precision: 1e-7 of the spectrum's width, next to a gap of 0.002
    np.testing.assert_allclose(structured.leading_variances(A, k), expected, rtol=1e-3)
    np.testing.assert_allclose(structured.leading_variances(A, k)[10:], expected[10:], rtol=1e-4)
    few = structured.leading_variances(A[:200, :200], 50)  # by full decomposition
    values = np.linalg.eigvalsh(A[:200, :200].astype(float))[::-1][:50]
    np.testing.assert_allclose(few, 1 / (2 * (1 - 0.998 * values / values[0])), rtol=1e-3)


def test_structured_exponents_go_on_where_they_stopped(structured, tmp_path):
    path = tmp_path / "small.npz"
    how = {"n": 500, "kept": 30, "n_seeds": 2, "conditions": [("sparse", 3), ("clustered", 2)]}
    structured.main(path, **how)
    rows = read(path)
    assert set(rows) == {
        f"{name}_{seed}" for name in ("sparse_3", "clustered_2") for seed in (0, 1)
    }
    assert not np.array_equal(rows["sparse_3_0"], rows["sparse_3_1"])
    kept = {"sparse_3_1": np.full_like(rows["sparse_3_1"], 7)}  # not computed again
    structured.save(path, kept)
    structured.main(path, **how)
    again = read(path)
    assert np.all(again.pop("sparse_3_1") == 7)
    for name, row in again.items():
        np.testing.assert_array_equal(row, rows[name])


# --- what networks remember ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def curves_script():
    return load("make_memory_curves")


SMALL_CURVES = {"n": 110, "large": 130, "n_seeds": 1, "n_varied": 0, "n_large": 1, "n_echo": 1,
                "n_trials": 20}  # fmt: skip


def test_memory_curves_hold_every_row_that_the_script_would_make(curves_script):
    rows = read(DATA / "memory_curves.npz")
    assert set(rows) == set(curves_script.plan()) | {
        f"delays_{name}" for name in curves_script.DELAYS
    }
    for name, row in rows.items():
        if name.startswith("delays"):
            np.testing.assert_array_equal(row, curves_script.DELAYS[name.removeprefix("delays_")])
            continue
        how = "echo" if name.startswith("echo") else "linear"
        length = 5 if "matched" in name else 2
        if "sensitivity" not in name and "matched" not in name:
            length = len(rows[f"delays_{how}_{'random' if 'random' in name else 'fixed'}"])
        assert row.shape == (length,) and row.dtype == np.float32, name
        accuracies = row[1:] if "matched" in name else row
        assert np.all((accuracies >= 0) & (accuracies <= 1)), name
    digest = hashlib.sha256((DATA / "memory_curves.npz").read_bytes()).hexdigest()
    assert f"| `memory_curves.npz` | `{digest}` |" in SHEET
    assert (DATA / "memory_curves.npz").stat().st_size < 2e5


def test_cheap_rows_of_the_memory_curves_are_made_again(curves_script):
    rows = read(DATA / "memory_curves.npz")
    for task in ("zero_shot", "binary"):
        name = f"symmetric_2000_0.998_{task}_random_0"
        made = curves_script.compute(*curves_script.plan()[name])
        # rounding may decide a few close calls among 1,000 trials
        np.testing.assert_allclose(rows[name], made, rtol=0, atol=0.004)


def test_matched_networks_recognise_the_same_at_a_fixed_delay(curves_script):
    rows = read(DATA / "memory_curves.npz")
    delays = list(curves_script.DELAYS["linear_fixed"])
    for seed in range(5):
        row = rows[f"rotating_2000_0.998_matched_{seed}"]
        fixed = rows[f"symmetric_2000_0.998_zero_shot_fixed_{seed}"][delays.index(0.5)]
        # 1,000 trials each, noise of their own
        assert abs(row[2] - fixed) < 4 * np.sqrt(2 * fixed * (1 - fixed) / 1000), seed


def test_memory_curves_go_on_where_they_stopped(curves_script, tmp_path):
    path = tmp_path / "small.npz"
    curves_script.main(path, **SMALL_CURVES)
    rows = read(path)
    sizes = {key: value for key, value in SMALL_CURVES.items() if key != "n_trials"}
    assert set(curves_script.plan(**sizes)) < set(rows)
    kept = {name: row for name, row in rows.items() if "echo" not in name}
    kept["symmetric_110_0.998_binary_fixed_0"] = np.full(12, 7, np.float32)
    curves_script.save(path, kept)
    curves_script.main(path, **SMALL_CURVES)
    resumed = read(path)
    assert set(resumed) == set(rows)
    assert np.all(resumed["symmetric_110_0.998_binary_fixed_0"] == 7)  # not computed again
    name = "echo_110_0.998_zero_shot_fixed_0"
    np.testing.assert_array_equal(resumed[name], rows[name])


# --- how often the report is right ---------------------------------------------------------------


@pytest.fixture(scope="module")
def verdicts_script():
    return load("make_verdicts")


def test_the_report_tells_networks_apart(verdicts_script):
    """Symmetric from non-symmetric, and critical from 0.9, with every technique and noise."""
    rows = read(DATA / "verdicts.npz")
    for how, level in verdicts_script.NOISY:
        for seed in range(3):
            said = {
                kind: verdicts_script.answers(rows, f"{how}_{level}_{kind}_{seed}")
                for kind in report.NETWORKS
            }
            assert said["symmetric"] == ("yes", "yes", "yes"), (how, level, seed)
            assert said["non-symmetric"] == ("yes", "yes", "no"), (how, level, seed)
            assert said["sub-critical"][1] == "no", (how, level, seed)


def test_verdicts_are_those_of_the_script(verdicts_script):
    rows = read(DATA / "verdicts.npz")
    assert len(rows) == 3 * 3 * 6
    assert all(row.shape == (5, 4) and row.dtype == np.float32 for row in rows.values())
    digest = hashlib.sha256((DATA / "verdicts.npz").read_bytes()).hexdigest()
    assert f"SHA-256 of `verdicts.npz`: `{digest}`" in SHEET
    assert (DATA / "verdicts.npz").stat().st_size < 1e5


def test_verdicts_go_on_where_they_stopped(verdicts_script, tmp_path):
    path, small = tmp_path / "small.npz", {"n": 60, "minutes": 2, "seeds": [0]}
    verdicts_script.main(path, **small)
    rows = read(path)
    kept = {name: row for name, row in rows.items() if "imaging_high" not in name}
    kept["spikes_low_symmetric_0"] = np.full((5, 4), 7, np.float32)
    verdicts_script.save(path, kept)
    verdicts_script.main(path, **small)
    resumed = read(path)
    assert set(resumed) == set(rows) and len(rows) == 18
    assert np.all(resumed["spikes_low_symmetric_0"] == 7)  # not computed again
    name = "imaging_high_symmetric_0"
    np.testing.assert_allclose(resumed[name], rows[name], rtol=1e-5)
