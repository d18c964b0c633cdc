"""Recordings in pieces: the same numbers as NumPy on the whole, and never a copy of it."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critlib import _blocks
from critlib._blocks import Standardized, spans


@pytest.fixture(params=[(2**23, 2**18), (40, 30), (1, 1)], ids=["whole", "pieces", "columns"])
def pieces(request, monkeypatch):
    """The recording at once, in pieces of a few columns, and one column at a time."""
    piece, small = request.param
    monkeypatch.setattr(_blocks, "_PIECE", piece)
    monkeypatch.setattr(_blocks, "_SMALL", small)


def recording(n=9, n_times=47, dtype=np.float64):
    """Neurons of very different means and sizes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, n_times)) @ np.diag(rng.uniform(0.5, 2, n_times))
    return (rng.uniform(0.1, 30, (n, 1)) * X + rng.uniform(-50, 50, (n, 1))).astype(dtype)


def zscored(X):
    X = np.asarray(X, float)
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


@given(start=st.integers(0, 20), length=st.integers(1, 20), more=st.integers(-5, 50))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_spans_cover_everything_once(start, length, more):
    parts = spans(start + more, length, start=start)
    covered = [i for part in parts for i in range(part.start, part.stop)]
    assert covered == list(range(start, start + more))
    assert all(part.stop - part.start <= length for part in parts)
    assert len(parts) == max(0, -(-more // length))


ROWS = [slice(None), slice(2, 7), [4, 0, 8], np.arange(9) % 2 == 0]
TIMES = [slice(None), slice(5, 31), slice(0, 1)]


@pytest.mark.parametrize("rows", ROWS, ids=str)
@pytest.mark.parametrize("times", TIMES, ids=str)
def test_values_are_numpys(rows, times, pieces):
    X = recording()
    np.testing.assert_allclose(Standardized(X)(rows, times), zscored(X)[:, times][rows], rtol=1e-12)
    centred = Standardized(X, unit_variance=False)(rows, times)
    expected = X - X.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, expected[:, times][rows], atol=1e-12)


@pytest.mark.parametrize("lag", [0, 1, 5, 20])
@pytest.mark.parametrize(
    "times", [None, [slice(0, 47)], [slice(3, 13), slice(20, 47)], [slice(0, 4), slice(10, 40)]],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("first", ROWS, ids=str)
@pytest.mark.parametrize("second", [None, slice(3, 9), [1, 0]], ids=str)
def test_covariance_is_numpys(first, second, times, lag, pieces):
    X = recording()
    Z = zscored(X)
    # pair by pair: both partners within one slice, and an average over all pairs
    a, b = [], []
    for span in [slice(0, 47)] if times is None else times:
        for t in range(span.start, span.stop - lag):
            a.append(Z[first][:, t + lag])
            b.append(Z[first if second is None else second][:, t])
    expected = np.array(a).T @ np.array(b) / len(a)
    found = Standardized(X).covariance(first, second, lag=lag, times=times)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_projections_are_numpys(pieces):
    X = recording()
    axes = np.random.default_rng(1).standard_normal((5, 3))
    rows = [0, 2, 3, 5, 8]
    found = Standardized(X).project(axes, rows)
    np.testing.assert_allclose(found, axes.T @ zscored(X)[rows], rtol=0, atol=1e-12)


def test_single_precision_stays_single(pieces):
    X = recording(dtype=np.float32)
    Z = Standardized(X)
    axes = np.eye(9, 2, dtype=np.float32)
    for part in (Z(), Z.covariance(), Z.covariance([0, 1], [2, 3], lag=2), Z.project(axes)):
        assert part.dtype == np.float32
    # means and s.d. are computed in double precision: values of up to 50 s.d. above zero have
    # lost log10(50) of seven digits when they were stored
    np.testing.assert_allclose(Z(), zscored(X), atol=1e-3)
    np.testing.assert_allclose(Z.covariance(), np.corrcoef(X.astype(float)), atol=1e-4)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e300])
def test_numbers_of_any_size(size):
    X = recording() * size
    np.testing.assert_allclose(Standardized(X)(), zscored(recording()), rtol=1e-9)


def test_large_negative_numbers_do_not_overflow():
    X = recording()
    X -= X.max(axis=1, keepdims=True)  # none is positive
    np.testing.assert_allclose(Standardized(1e300 * X)(), zscored(X), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_change_in_the_last_digit_is_no_activity(dtype):
    X = recording(dtype=dtype)
    X[3] = np.where(np.arange(47) % 2, dtype(1), np.nextafter(dtype(1), dtype(2)))
    with pytest.raises(ValueError, match=r"^X has 1 constant neuron\(s\), first at row 3"):
        Standardized(X)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_neurons_are_named(value, dtype, pieces):
    X = recording(dtype=dtype)
    X[[4, 6]] = value
    with pytest.raises(ValueError, match=r"^X has 2 constant neuron.*first at row 4: .*remove"):
        Standardized(X)
    Z = Standardized(X, unit_variance=False)
    np.testing.assert_allclose(Z([4, 6]), 0, atol=1e-6 * abs(value))


def test_a_mapped_file_is_never_copied_and_never_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(_blocks, "_PIECE", 2**16)
    monkeypatch.setattr(_blocks, "_SMALL", 2**14)
    X = np.random.default_rng(0).standard_normal((50, 40_000), dtype=np.float32)  # 8 MB
    path = tmp_path / "X.npy"
    np.save(path, X)
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r")
    tracemalloc.start()
    try:
        Z = Standardized(mapped)
        C = Z.covariance(slice(0, 25), slice(25, 50), lag=3)
        Y = Z.project(np.eye(50, 1, dtype=np.float32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # pieces of 2^16 numbers of 4 bytes, several at a time, and Y: 0.16 MB
    assert peak < X.nbytes / 4
    assert path.read_bytes() == before
    expected = zscored(X)
    np.testing.assert_allclose(C, expected[:25, 3:] @ expected[25:, :-3].T / 39_997, atol=1e-5)
    np.testing.assert_allclose(Y[0], expected[0], atol=1e-5)


def test_read_only_input_is_left_alone(pieces):
    X = recording()
    before = X.copy()
    X.flags.writeable = False
    Z = Standardized(X)
    part = Z()
    part[:] = 0  # belongs to the caller
    Z.covariance(lag=1)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_allclose(Z(), zscored(before))
