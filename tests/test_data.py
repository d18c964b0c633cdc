"""The simulated recordings in data/: made again byte for byte, and what their datasheet says."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from critlib import recordings, spectra

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
