"""Spectra and power-law fits against scikit-learn, NumPy and exact cases."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from critlib import spectra

PROPERTY = settings(max_examples=100, deadline=None, derandomize=True)


def recording(n, n_times, dtype=float, rng=0):
    """Correlated rows with different scales and offsets."""
    rng = np.random.default_rng(rng)
    mix = rng.standard_normal((n, 5)) * np.array([3, 2, 1, 0.5, 0.2])
    X = mix @ rng.standard_normal((5, n_times)) + rng.standard_normal((n, n_times))
    return (X * rng.uniform(0.1, 10, (n, 1)) + rng.uniform(-50, 50, (n, 1))).astype(dtype)


# --- spectra of recordings -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 300), (60, 25), (30, 30), (1, 40), (12, 2)])
@pytest.mark.parametrize("zscore", [True, False])
def test_spectrum_against_sklearn(shape, zscore):
    X = recording(*shape)
    n, n_times = shape
    Z = scipy.stats.zscore(X, axis=1) if zscore else X
    # scikit-learn divides by T - 1, the paper and critlib by T
    expected = PCA(svd_solver="full").fit(Z.T).explained_variance_ * (n_times - 1) / n_times
    k = min(n, n_times - 1)
    values = spectra.covariance_spectrum(X, zscore=zscore)
    assert values.shape == (k,) and np.all(np.diff(values) <= 0) and np.all(values >= 0)
    np.testing.assert_allclose(values, expected[:k], rtol=1e-9, atol=1e-10 * values[0])
    total = n if zscore else X.var(axis=1).sum()
    assert values.sum() == pytest.approx(total)


@pytest.mark.parametrize("shape", [(20, 300), (60, 25)])
def test_spectrum_keeps_float32(shape):
    X = recording(*shape, dtype=np.float32)
    values = spectra.covariance_spectrum(X)
    assert values.dtype == np.float32
    expected = spectra.covariance_spectrum(X.astype(float))
    assert expected.dtype == np.float64
    # eigenvalues move by at most the norm of the rounding error of the Gram matrix, about n eps
    np.testing.assert_allclose(values, expected, rtol=0, atol=100 * 6e-8 * expected[0])


def test_float32_does_not_lose_digits_in_long_or_offset_recordings():
    X = recording(2, 400_000, dtype=np.float32)
    long = np.random.default_rng(0).standard_normal((2, 3_000_000), np.float32)
    assert spectra.covariance_spectrum(long).sum() == pytest.approx(2, rel=np.sqrt(2 / 3e6) / 10)
    # rounding of the sums must stay far below the sampling error of a variance, (2 / T)^0.5
    assert spectra.covariance_spectrum(X).sum() == pytest.approx(2, rel=np.sqrt(2 / 400_000) / 10)
    expected = spectra.covariance_spectrum(X.astype(float))
    np.testing.assert_allclose(spectra.covariance_spectrum(X), expected, rtol=5e-4)


@pytest.mark.parametrize("dtype", [int, np.int16, bool])
def test_integers_are_computed_in_float64(dtype):
    X = (np.random.default_rng(0).random((4, 50)) < 0.4).astype(dtype)
    values = spectra.covariance_spectrum(X)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, spectra.covariance_spectrum(X.astype(float)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-30, -20, 20, 30])
def test_units_do_not_matter_for_the_zscored_spectrum(dtype, power):
    X = np.random.default_rng(1).standard_normal((6, 80))
    expected = spectra.covariance_spectrum(X)
    values = spectra.covariance_spectrum((X * 10.0**power).astype(dtype))
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_independent_neurons_fill_the_marchenko_pastur_interval():
    # z-scored noise, n / T = 1/4: eigenvalues in [(1 - 1/2)^2, (1 + 1/2)^2], edges to n^(-2/3)
    n, n_times = 200, 800
    values = spectra.covariance_spectrum(np.random.default_rng(2).standard_normal((n, n_times)))
    assert abs(values[0] - 2.25) < 8 * n ** (-2 / 3)
    assert abs(values[-1] - 0.25) < 3 * n ** (-2 / 3)
    # second moment of the law: 1 + n / T; linear statistics fluctuate like 1 / n
    assert np.mean(values**2) == pytest.approx(1 + n / n_times, abs=10 / n)


def test_constant_neurons_cannot_be_zscored():
    X = recording(5, 30)
    X[[1, 3]] = [[0.1], [7.0]]
    with pytest.raises(
        ValueError, match=r"^X has 2 constant neuron\(s\), first at row 1: .*remove"
    ):
        spectra.covariance_spectrum(X)
    expected = X.var(axis=1).sum()
    assert spectra.covariance_spectrum(X, zscore=False).sum() == pytest.approx(expected)


# --- power-law fits ------------------------------------------------------------------------------


@PROPERTY
@given(
    exponent=st.floats(-3, 5),
    amplitude=st.floats(1e-50, 1e50),
    first=st.integers(1, 400),
    width=st.integers(1, 600),
    extra=st.integers(0, 50),
)
def test_fit_is_exact_on_exact_power_laws(exponent, amplitude, first, width, extra):
    rank = np.arange(1, first + width + extra + 1)
    variances = amplitude * rank**-exponent
    before = variances.copy()
    fit = spectra.fit_power_law(variances, ranks=(first, first + width))
    # with two neighbouring ranks near 400 a rounding error of 1e-16 in log variance, itself up to
    # 150, is divided by the distance of the log ranks
    spread = np.log((first + width) / first)
    error = 1e-13 * (1 + abs(np.log(amplitude)) + 5 * np.log(rank[-1])) / spread
    assert abs(fit.exponent - exponent) < error
    assert abs(np.log(fit.amplitude / amplitude)) < error * np.log(rank[-1] + 1) + 1e-12
    assert fit.ranks == (first, first + width)
    fitted = rank[first - 1 : first + width]
    np.testing.assert_allclose(fit.predict(fitted), before[fitted - 1], rtol=1e-9)
    np.testing.assert_array_equal(variances, before)


@PROPERTY
@given(seed=st.integers(0, 10**6), k=st.integers(30, 900), noise=st.floats(0.01, 2), data=st.data())
def test_fit_against_sklearn_and_numpy(seed, k, noise, data):
    first = data.draw(st.integers(1, k // 2))
    last = data.draw(st.integers(first + first // 4 + 1, k))
    rng = np.random.default_rng(seed)
    variances = np.arange(1, k + 1) ** -0.8 * np.exp(noise * rng.standard_normal(k))
    fit = spectra.fit_power_law(variances, ranks=(first, last))
    rank = np.arange(first, last + 1)
    x, y = np.log(rank), np.log(variances[first - 1 : last])
    line = LinearRegression().fit(x[:, None], y, sample_weight=1 / rank)
    assert fit.exponent == pytest.approx(-line.coef_[0], rel=1e-6, abs=1e-8)
    assert np.log(fit.amplitude) == pytest.approx(line.intercept_, rel=1e-6, abs=1e-6)
    # the weighted normal equations, by hand
    w = 1 / rank
    xm, ym = (w @ x) / w.sum(), (w @ y) / w.sum()
    slope = (w @ ((x - xm) * (y - ym))) / (w @ (x - xm) ** 2)
    assert fit.exponent == pytest.approx(-slope, rel=1e-6, abs=1e-8)


def test_default_ranks_of_the_fit_are_the_papers():
    variances = np.arange(1, 1001.0) ** -0.7
    variances[:10] = 99  # outside 11-500: must not matter
    variances[500:] = 1e-9
    fit = spectra.fit_power_law(variances)
    assert fit.ranks == (11, 500) and fit.exponent == pytest.approx(0.7)
    variances[10] *= 2
    assert spectra.fit_power_law(variances).exponent > 0.705
    variances[10] /= 2
    variances[499] *= 2
    assert spectra.fit_power_law(variances).exponent < 0.7 - 1e-6


def test_fit_keeps_types_and_is_frozen():
    fit = spectra.fit_power_law([8, 4, 2, 1], ranks=(1, 4))
    assert type(fit.exponent) is float and type(fit.amplitude) is float
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.exponent = 1
    fit32 = spectra.fit_power_law(np.arange(1, 600, dtype=np.float32) ** np.float32(-0.7))
    assert fit32.exponent == pytest.approx(0.7, abs=1e-6)
    assert fit.predict(np.ones((2, 3), dtype=int)).shape == (2, 3)
    assert spectra.PowerLaw(2.0, 8.0, (1, 2)).predict(2) == pytest.approx(2)


def test_fit_names_the_first_value_that_is_not_positive():
    variances = np.ones(600)
    variances[299] = 0
    with pytest.raises(ValueError, match=r"^variances .* rank 300: .*ranks=\(11, 299\)"):
        spectra.fit_power_law(variances)
    assert spectra.fit_power_law(variances, ranks=(11, 299)).exponent == pytest.approx(0)


def test_default_ranks():
    assert spectra.default_ranks(10_000) == spectra.default_ranks(500) == (11, 500)
    assert spectra.default_ranks(499) == (10, 249)
    assert spectra.default_ranks(22) == (10, 11)
    for k in (22, 23, 100, 499, 500, 3000):  # and they can be fitted
        fit = spectra.fit_power_law(np.arange(1.0, k + 1) ** -2, ranks=spectra.default_ranks(k))
        assert fit.exponent == pytest.approx(2)
    with pytest.raises(ValueError, match="at least 22"):
        spectra.default_ranks(21)


@pytest.mark.parametrize(
    ("ranks", "k", "remedy"),
    [((11, 500), 499, r"pass ranks=\(10, 249\)"), ((11, 500), 21, "at least 22 are needed")],
)
def test_spectrum_too_short_for_the_ranks(ranks, k, remedy):
    with pytest.raises(ValueError, match=rf"^ranks is \(11, 500\) .* {k} values: .*{remedy}"):
        spectra.fit_power_law(np.ones(k), ranks=ranks)


# --- dimensions ----------------------------------------------------------------------------------


def test_dimensions_of_power_laws():
    # The paper: with 10,000 units and 2/3 "about 1,500" components hold half of the variance,
    # with 4/3 three do. Exactly: sum_(n <= m) n^(-2/3) is 3 m^(1/3) + zeta(2/3) with
    # zeta(2/3) = -2.4476, half of it at m = ((3 * 10^(4/3) - 2.4476) / 2 + 2.4476)^3 / 27 = 1397.9;
    # for 4/3, three components hold 47% and the fourth passes half.
    rank = np.arange(1, 10_001)
    m = ((3 * 10 ** (4 / 3) - 2.4476) / 2 + 2.4476) ** 3 / 27
    assert spectra.n_dimensions(rank ** (-2 / 3)) == np.ceil(m) == 1398
    steep = rank ** (-4 / 3)
    assert spectra.n_dimensions(steep) == 4
    assert spectra.n_dimensions(steep, fraction=0.47) == 3
    # integral of x^(-2s) and x^-s give the participation ratio of shallow laws: for s = 2/3,
    # (sum n^(-2/3))^2 / zeta(4/3)
    expected = (3 * 10 ** (4 / 3) - 2.4476) ** 2 / (3.6009 - 3 / 10 ** (4 / 3))
    assert spectra.participation_ratio(rank ** (-2 / 3)) == pytest.approx(expected, rel=1e-3)


@PROPERTY
@given(
    variances=st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda v: max(v) > 1e-6),
    fraction=st.floats(0.001, 1),
    scale=st.sampled_from([1e-150, 1.0, 7.3, 1e150]),
    seed=st.integers(0, 100),
)
def test_dimensions_by_definition(variances, fraction, scale, seed):
    variances = np.array(variances)
    d = spectra.n_dimensions(variances, fraction=fraction)
    held = np.concatenate([[0], np.cumsum(np.sort(variances)[::-1])])
    assert held[d] >= fraction * held[-1] * (1 - 1e-9)  # enough,
    assert held[d - 1] < fraction * held[-1]  # and one fewer is not
    p = spectra.participation_ratio(variances)
    assert 1 - 1e-9 <= p <= len(variances) * (1 + 1e-9)
    assert p == pytest.approx(1 / np.sum((variances / variances.sum()) ** 2))
    # neither the unit nor the order matters
    other = np.random.default_rng(seed).permutation(variances) * scale
    assert spectra.participation_ratio(other) == pytest.approx(p, rel=1e-9)
    if min(abs(held / held[-1] - fraction)) > 1e-9:
        assert spectra.n_dimensions(other, fraction=fraction) == d


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_equal_variances_have_all_their_dimensions(n):
    assert spectra.participation_ratio(np.full(n, 0.3)) == pytest.approx(n)
    assert spectra.n_dimensions(np.full(n, 0.3), fraction=1) == n
    assert spectra.n_dimensions(np.full(n, 0.3), fraction=0.5) == (n + 1) // 2


# --- controls ------------------------------------------------------------------------------------


def test_shuffle_moves_every_neuron_around_the_circle():
    X = recording(30, 101)
    Y = spectra.shuffle_in_time(X, rng=0)
    assert Y.dtype == X.dtype and not np.shares_memory(X, Y)
    shifts = []
    for x, y in zip(X, Y):
        # one circular shift brings the row back, so its values and its autocorrelation are kept
        fits = [s for s in range(101) if np.array_equal(np.roll(x, s), y)]
        assert len(fits) == 1
        shifts += fits
    assert len(set(shifts)) > 20  # 30 of 101 shifts at random: 26 different ones expected


def test_shuffle_destroys_correlation():
    n, n_times = 40, 4000
    common = np.random.default_rng(3).standard_normal(n_times)
    X = common + 0.3 * np.random.default_rng(4).standard_normal((n, n_times))
    assert np.corrcoef(X)[np.triu_indices(n, 1)].min() > 0.8
    r = np.corrcoef(spectra.shuffle_in_time(X, rng=5))[np.triu_indices(n, 1)]
    # Correlations of white noise at different shifts: s.e. T^(-1/2). Of 780 pairs about 780 / T
    # have equal shifts by chance.
    apart = np.abs(r) < 5 / np.sqrt(n_times)
    assert (~apart).sum() <= 5
    # the spectrum of independent neurons remains: Marchenko-Pastur edge (1 + (n / T)^0.5)^2
    top = spectra.covariance_spectrum(spectra.shuffle_in_time(X, rng=5))[0]
    assert top < (1 + np.sqrt(n / n_times)) ** 2 + 2


def test_shuffle_rounds_shift_half_of_the_neurons_together():
    X = recording(20, 50)
    np.testing.assert_array_equal(spectra.shuffle_in_time(X, n_rounds=0, rng=0), X)
    shifts = []
    for seed in range(20):
        Y = spectra.shuffle_in_time(X, n_rounds=1, rng=seed)
        moved = ~(X == Y).all(axis=1)
        assert moved.sum() in (0, 10)  # a lag of 0 moves none
        lags = {
            next(s for s in range(50) if np.array_equal(np.roll(x, s), y))
            for x, y in zip(X[moved], Y[moved])
        }
        assert len(lags) <= 1
        shifts += lags
    assert len(set(shifts)) > 10


def test_shuffle_follows_rng():
    X = recording(8, 40, dtype=np.float32)
    first = spectra.shuffle_in_time(X, rng=1)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, spectra.shuffle_in_time(X, rng=1))
    generator = np.random.default_rng(1)
    np.testing.assert_array_equal(first, spectra.shuffle_in_time(X, rng=generator))
    assert not np.array_equal(first, spectra.shuffle_in_time(X, rng=generator))


@PROPERTY
@given(
    n=st.integers(1, 5), n_times=st.integers(1, 40), factor=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64, np.int32]),
)  # fmt: skip
def test_bins_are_averages(n, n_times, factor, dtype):
    X = (100 * np.random.default_rng(n_times).standard_normal((n, n_times))).astype(dtype)
    if factor > n_times:
        with pytest.raises(ValueError, match="^factor is "):
            spectra.bin_in_time(X, factor)
        return
    Y = spectra.bin_in_time(X, factor)
    assert Y.shape == (n, n_times // factor)
    assert Y.dtype == (np.float32 if dtype == np.float32 else np.float64)
    for t in range(Y.shape[1]):
        expected = X[:, t * factor : (t + 1) * factor].astype(float).mean(axis=1)
        np.testing.assert_allclose(Y[:, t], expected, rtol=1e-5, atol=1e-4)
    assert not np.shares_memory(X, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_of_a_neuron_are_not_fitted(dtype):
    x = np.random.default_rng(0).standard_normal(400)
    X = np.outer(np.arange(1, 31), x).astype(dtype)
    variances = spectra.covariance_spectrum(X)
    assert variances[0] == pytest.approx(30, rel=1e-5)
    assert not variances[1:].any()
    with pytest.raises(ValueError, match="not positive at rank 10"):
        spectra.fit_power_law(variances, ranks=spectra.default_ranks(30))
