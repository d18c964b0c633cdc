"""Shared variance: planted truths, plain NumPy versions, OASIS, and laws of the noise models."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from oasis.oasis_methods import oasisAR1

from critlib import dynamics, ensembles, normalization, shared_variance, spectra

T = 20_000


def planted(n=60, n_times=T, variance=2.0, noise=1.0, seed=0):
    """One signal in all neurons, and private noise."""
    rng = np.random.default_rng(seed)
    signal = np.sqrt(variance) * rng.standard_normal(n_times)
    return signal + np.sqrt(noise) * rng.standard_normal((n, n_times))


def zscored(X):
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


HALVES = np.arange(60) % 3 == 0  # 20 and 40 neurons


# --- svca2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 1, 7])
def test_svca2_is_the_svd_of_the_lagged_cross_covariance(lag):
    X = planted(n_times=500)
    Z = zscored(X)
    C = Z[HALVES][:, lag:] @ Z[~HALVES][:, : 500 - lag].T / (500 - lag)
    expected = np.linalg.svd(C, compute_uv=False)
    np.testing.assert_allclose(shared_variance.svca2(X, halves=HALVES, lag=lag), expected)


def test_svca2_finds_a_planted_component():
    """A z-scored component of variance v / (v + noise) in each of n neurons: sqrt(n1 n2) of it."""
    values = shared_variance.svca2(planted(), halves=HALVES)
    # signal and noise variances of each neuron are known to 1 / sqrt(T): five s.e. of a few
    assert values[0] == pytest.approx(np.sqrt(20 * 40) * 2 / 3, rel=5 * 2 / np.sqrt(T))
    # what is left is noise: the edge of an independent 20 x 40 matrix with variance 1/9 per entry
    edge = (np.sqrt(20) + np.sqrt(40)) / np.sqrt(T) / 3
    assert values[1] == pytest.approx(edge, rel=0.15)  # finite-size fluctuation, n^(-2/3) = 0.14


def test_private_noise_adds_nothing_on_average():
    """Unlike the direct spectrum, whose small values it lifts to its own variance."""
    quiet = shared_variance.svca2(planted(noise=0.01), halves=HALVES)[1:]
    loud = shared_variance.svca2(planted(noise=4.0), halves=HALVES)[1:]
    direct = spectra.covariance_spectrum(planted(noise=4.0))[1:]
    assert loud.mean() < 0.05 < 0.5 < direct.mean() and quiet.mean() < loud.mean()


def test_float32_and_memory_maps_are_kept(tmp_path):
    X = planted(n_times=2_000).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for function in (shared_variance.svca2, shared_variance.svca):
        ours = function(mapped, halves=HALVES)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, function(X.astype(float), halves=HALVES), atol=2e-5)


def test_no_more_values_than_the_data_can_have():
    X = np.random.default_rng(0).standard_normal((40, 9))
    assert len(shared_variance.svca2(X, rng=0)) == 8
    assert len(shared_variance.svca2(X, rng=0, n_components=3)) == 3


def test_leading_values_are_as_right_as_they_say():
    """The errors stated in the docstring, on a spectrum that falls slowly and on a flat one."""
    rng = np.random.default_rng(0)
    A = normalization.critically_normalize(ensembles.random_connectivity(600, rng=rng))
    X = dynamics.LinearNetwork(A).simulate(100, 0.046, rng=rng)
    for data, error in ((X, 1e-3), (rng.standard_normal((600, 2_000)), 1e-2)):
        halves = np.arange(600) < 300
        every = shared_variance.svca2(data, halves=halves)
        some = shared_variance.svca2(data, halves=halves, n_components=14, rng=1)
        assert not np.array_equal(some, every[:14])  # it was the iteration
        np.testing.assert_allclose(some, every[:14], rtol=error)
        assert np.all(some <= every[:14] * (1 + 1e-6))  # a subspace cannot hold more


def test_leading_vectors_are_singular_vectors():
    rng = np.random.default_rng(1)
    C = rng.standard_normal((200, 150)) @ np.diag(np.arange(1, 151) ** -1.0)
    U, values, V = shared_variance._svd(C, 10, rng)
    np.testing.assert_allclose(np.einsum("ik,ij,jk->k", U, C, V), values, rtol=1e-6)
    np.testing.assert_allclose(U.T @ U, np.eye(10), atol=1e-5)
    np.testing.assert_allclose(V.T @ V, np.eye(10), atol=1e-8)


def test_what_does_not_settle_is_done_in_full(monkeypatch):
    monkeypatch.setattr(shared_variance, "_TOLERANCE", -1.0)
    X = planted(n_times=300)
    some = shared_variance.svca2(X, halves=HALVES, n_components=1, rng=0)
    np.testing.assert_allclose(some, shared_variance.svca2(X, halves=HALVES)[:1])


# --- svca ----------------------------------------------------------------------------------------


def test_svca_is_what_its_definition_says():
    X = planted(n_times=1_001)
    Z = zscored(X)
    block = np.searchsorted([1_001 * i // 10 for i in range(1, 11)], np.arange(1_001), side="right")
    train, test = block % 2 == 0, block % 2 == 1
    C = Z[HALVES][:, train] @ Z[~HALVES][:, train].T / train.sum()
    D = Z[HALVES][:, test] @ Z[~HALVES][:, test].T / test.sum()
    U, _, Vt = np.linalg.svd(C, full_matrices=False)
    expected = [U[:, k] @ D @ Vt[k] for k in range(20)]
    np.testing.assert_allclose(
        shared_variance.svca(X, halves=HALVES, n_blocks=10), expected, atol=1e-10
    )


def test_svca_of_noise_is_zero_on_average():
    """The sum of k products of independent directions with an independent covariance: N(0, k/T)."""
    X = np.random.default_rng(2).standard_normal((60, T))
    values = shared_variance.svca(X, halves=HALVES)
    assert abs(values.sum()) < 5 * np.sqrt(20 / (T / 2))
    assert 0.2 < np.mean(values < 0) < 0.8
    assert shared_variance.svca2(X, halves=HALVES).min() >= 0  # which SVCA2's never are


# --- the truth of a network ----------------------------------------------------------------------


def test_svca2_is_closer_to_the_truth_than_direct_pca():
    """Claim of the paper (Extended Data Fig. 4), for spikes of a small network."""
    A = normalization.critically_normalize(ensembles.random_connectivity(400, rng=3))
    X = dynamics.LinearNetwork(A.astype(np.float32)).simulate(900, 0.046, rng=4)
    gap = 1 - np.linalg.eigvalsh(A)[::-1]
    z = gap * 0.046 / 0.02
    truth = (z + np.expm1(-z)) / z**2 / gap

    def exponent(values):
        return spectra.fit_power_law(values, ranks=(5, 50)).exponent

    for level in ("low", "medium", "high"):
        counts = shared_variance.spike_noise(X, level=level, rng=5)
        direct = exponent(spectra.covariance_spectrum(counts))
        shared = exponent(shared_variance.svca2(counts, rng=6))
        assert abs(shared - exponent(truth)) < 0.7 * abs(direct - exponent(truth))


# --- error of the exponent -----------------------------------------------------------------------


def test_jackknife_error_is_the_scatter_over_recordings():
    rng = np.random.default_rng(7)
    scale = np.arange(1, 81) ** -0.5
    mixing = np.linalg.qr(rng.standard_normal((80, 80)))[0]
    halves = np.arange(80) % 2 == 0
    exponents, errors = [], []
    for _ in range(40):
        X = mixing @ (scale[:, None] * rng.standard_normal((80, 2_000)))
        values = shared_variance.svca2(X, halves=halves)
        exponents.append(spectra.fit_power_law(values, ranks=(2, 20)).exponent)
        errors.append(shared_variance.exponent_error(X, halves=halves, ranks=(2, 20)))
    # the s.d. of 40 draws is known to 1 / sqrt(78) = 11%, the mean error better than that; the
    # jackknife of eight blocks is itself known to be somewhat too large
    assert np.mean(errors) == pytest.approx(np.std(exponents, ddof=1), rel=0.5)
    assert 0.6 < np.mean(errors) / np.std(exponents, ddof=1)


# --- halves --------------------------------------------------------------------------------------


def test_checkerboard_is_the_board():
    x, y = np.meshgrid(np.arange(5, 80, 10.0), np.arange(5, 80, 10.0))
    board = shared_variance.checkerboard(x.ravel(), y.ravel(), spacing=20).reshape(8, 8)
    assert board.mean() == 0.5
    assert np.array_equal(board[:2, :2], np.full((2, 2), board[0, 0]))
    assert np.array_equal(board[2:], ~board[:-2]) and np.array_equal(board[:, 2:], ~board[:, :-2])


def test_random_halves_are_halves():
    halves = shared_variance._halves(None, 101, np.random.default_rng(0))
    assert halves.sum() == 50
    other = shared_variance._halves(None, 101, np.random.default_rng(1))
    assert not np.array_equal(halves, other)


@pytest.mark.parametrize(
    ("halves", "message"),
    [
        (np.ones(60), "dtype float64: pass one bool for each of the 60"),
        (np.ones(59, dtype=bool), r"shape \(59,\)"),
        (np.ones(60, dtype=bool), "all 60 neurons on one side"),
        (np.zeros(60, dtype=bool), "all 60 neurons on one side"),
    ],
)
def test_bad_halves_are_refused(halves, message):
    with pytest.raises(ValueError, match=message):
        shared_variance.svca2(planted(n_times=50), halves=halves)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: shared_variance.svca2(X[:1]), "1 neuron"),
        (lambda X: shared_variance.svca2(X[:, :2]), "2 time point"),
        (lambda X: shared_variance.svca2(X, lag=49), "lag is 49: it must be between 0 and 48"),
        (lambda X: shared_variance.svca2(X, lag=-1), "lag is -1"),
        (lambda X: shared_variance.svca2(X, n_components=0), "n_components is 0"),
        (lambda X: shared_variance.svca2(X, n_components=31), "between 1 and 30"),
        (lambda X: shared_variance.svca2(X * [[0.0]] + X[:1, :1]), "constant neuron"),
        (lambda X: shared_variance.svca(X, n_blocks=26), "n_blocks is 26.*2 and 25"),
        (lambda X: shared_variance.exponent_error(X, n_blocks=1), "n_blocks is 1"),
        (lambda X: shared_variance.exponent_error(X, ranks=(2, 99)), "ranks"),
        (lambda X: shared_variance.checkerboard([1.0], [1.0, 2.0]), "x has 1 values and y has 2"),
        (lambda X: shared_variance.checkerboard([1.0], [1.0], spacing=0), "spacing is 0"),
        (lambda X: shared_variance.spike_noise(X, level="loud"), "'low', 'medium', 'high'"),
        (lambda X: shared_variance.spike_noise(X, level=0), "level is 0"),
        (lambda X: shared_variance.two_photon_noise(X, 0), "dt is 0"),
        (lambda X: shared_variance.two_photon_noise(X, 0.1, level="none"), "level is 'none'"),
        (lambda X: shared_variance.deconvolve(X, 0.1, decay=0), "decay is 0"),
        (lambda X: shared_variance.snr(X[:, :2]), "2 time point"),
        (lambda X: shared_variance.alternating_blocks(10, 1), "n_blocks is 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(planted(n_times=50))


def test_blocks_cover_time_by_turns():
    train, test = shared_variance.alternating_blocks(103, 7)
    times = sorted([*train, *test], key=lambda block: block.start)
    assert times[0].start == 0 and times[-1].stop == 103
    assert all(a.stop == b.start for a, b in zip(times[:-1], times[1:]))
    assert times[::2] == train and times[1::2] == test
    assert {block.stop - block.start for block in times} <= {14, 15}


# --- noise of spikes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "gain"), [("low", 0.7), ("medium", 0.5), ("high", 0.3), (2, 2)])
def test_spike_counts_have_the_moments_of_their_law(level, gain):
    X = 5 * np.random.default_rng(0).standard_normal((50, T))
    counts = shared_variance.spike_noise(X, level=level, rng=1)
    assert counts.dtype == np.float32 and np.array_equal(counts, counts.round())
    mean = gain / np.sqrt(2 * np.pi)  # of a rectified normal variable
    variance = gain**2 * (0.5 - 1 / (2 * np.pi)) + mean  # of the rate, plus Poisson
    n = counts.size
    assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / n))
    kurtosis = scipy.stats.kurtosis(counts, axis=None, fisher=False)
    error = variance * np.sqrt((kurtosis - 1) / n)
    assert counts.var() == pytest.approx(variance, abs=6 * error)


def test_counts_given_the_rate_are_poisson():
    """At a fixed rate, by a chi-squared test at one in a thousand."""
    X = np.tile([1.0, -1.0], (1, 40_000))
    counts = shared_variance.spike_noise(X, level=2.3, rng=2)[0]
    assert counts[1::2].max() == 0  # no spikes where activity is negative
    seen = np.bincount(counts[::2].astype(int), minlength=12)
    expected = 40_000 * scipy.stats.poisson.pmf(np.arange(12), 2.3)
    seen, expected = (np.append(v[:9], v[9:].sum()) for v in (seen, expected))
    expected *= seen.sum() / expected.sum()
    assert scipy.stats.chisquare(seen, expected).pvalue > 1e-3


def test_silent_neurons_stay_silent():
    assert shared_variance.spike_noise(np.zeros((2, 50)), rng=0).max() == 0


def test_noise_is_reproducible_and_leaves_its_input():
    X = np.random.default_rng(0).standard_normal((5, 400))
    before = X.copy()
    for noise in (
        lambda rng: shared_variance.spike_noise(X, rng=rng),
        lambda rng: shared_variance.two_photon_noise(X, 0.046, rng=rng).activity,
    ):
        assert np.array_equal(noise(3), noise(3)) and not np.array_equal(noise(3), noise(4))
    assert np.array_equal(X, before)


# --- two-photon imaging --------------------------------------------------------------------------


def test_more_photons_give_a_better_signal():
    X = np.random.default_rng(1).standard_normal((200, 3_000))
    ratios = [
        np.median(shared_variance.two_photon_noise(X, 0.046, level=level, rng=2).snr)
        for level in (50.0, "low", "medium", "high")
    ]
    assert ratios[0] > ratios[1] > ratios[2] > ratios[3]


def test_with_very_many_photons_deconvolution_gives_the_spikes():
    X = np.random.default_rng(3).standard_normal((20, 2_000))
    seen = shared_variance.two_photon_noise(X, 0.046, level=1e6, rng=4)
    spikes = shared_variance.spike_noise(X, rng=4)
    r = [np.corrcoef(a[1:], b[1:])[0, 1] for a, b in zip(seen.activity, spikes)]
    assert np.median(r) > 0.99
    assert seen.activity.min() >= 0 and seen.snr.shape == (20,)


def noisy_calcium(n_times=400, seed=0):
    rng = np.random.default_rng(seed)
    spikes = rng.random((6, n_times)) < 0.05
    g = np.exp(-0.046 / 0.25)
    F = np.zeros((6, n_times))
    for t in range(n_times):
        F[:, t] = g * F[:, t - 1] + 3 * spikes[:, t]
    return F + rng.standard_normal(F.shape), g


def test_deconvolution_agrees_with_oasis():
    F, g = noisy_calcium()
    ours = shared_variance.deconvolve(F, 0.046)
    for i in range(6):
        _, theirs = oasisAR1(F[i], g, lam=0, s_min=0)
        np.testing.assert_allclose(ours[i, 1:], theirs[1:], atol=1e-5)  # ours is float32


def test_deconvolution_is_weighted_isotonic_regression():
    """With c(t) = g^t z(t), the constraint says that z rises: an independent solver in SciPy."""
    F, g = noisy_calcium(n_times=60, seed=1)
    ours = shared_variance.deconvolve(F, 0.046)
    power = g ** np.arange(60)
    for i in range(6):
        z = scipy.optimize.isotonic_regression(F[i] / power, weights=power**2).x
        c = np.maximum(z, 0) * power
        s = np.append(c[0], c[1:] - g * c[:-1])
        np.testing.assert_allclose(ours[i], s, atol=1e-4)


def test_deconvolution_in_pieces_is_the_same(monkeypatch):
    F, _ = noisy_calcium()
    F = np.tile(F, (30, 1))
    whole = shared_variance.deconvolve(F, 0.046)
    monkeypatch.setattr(shared_variance, "spans", lambda n, size: [slice(0, 7), slice(7, n)])
    assert np.array_equal(shared_variance.deconvolve(F, 0.046), whole)


# --- signal-to-noise ratio -----------------------------------------------------------------------


@pytest.mark.parametrize(("decay", "part"), [(0.9, 1.0), (0.9, 0.4), (0.3, 0.7), (0.0, 0.0)])
def test_snr_of_a_noisy_autoregression(decay, part):
    rng = np.random.default_rng(5)
    signal = np.zeros(200_000)
    drive = np.sqrt(1 - decay**2) * rng.standard_normal(200_000)
    for t in range(1, len(signal)):
        signal[t] = decay * signal[t - 1] + drive[t]
    X = np.sqrt(part) * signal + np.sqrt(1 - part) * rng.standard_normal(len(signal))
    # Bartlett: the s.e. of a correlation of neighbours is at most sqrt(1 / T), times two for
    # the memory of the signal
    assert shared_variance.snr([X])[0] == pytest.approx(decay * part, abs=5 * 2 / np.sqrt(200_000))


def test_snr_of_a_constant_is_not_a_number():
    assert np.isnan(shared_variance.snr(np.ones((1, 10)))).all()


# --- what it is built on -------------------------------------------------------------------------


def test_singular_values_are_eigenvalues_of_the_difference_to_a_flipped_copy():
    """The identity of chapter 5, which says what halves remove: R - JRJ has no diagonal."""
    Z = zscored(planted(n_times=300))
    R = Z @ Z.T / 300
    J = np.where(HALVES, 1, -1)
    values = np.linalg.eigvalsh((R - J[:, None] * R * J) / 2)[::-1]
    np.testing.assert_allclose(shared_variance.svca2(Z, halves=HALVES), values[:20], atol=1e-12)


def test_counts_at_large_rates_have_the_moments_of_their_law():
    X = np.tile([1.0, -1.0], (3, 10_000))
    counts = shared_variance.spike_noise(X, level=80, rng=0)[:, ::2]
    # mean and variance of a Poisson variable, each known to its standard error
    n = counts.size
    assert counts.mean() == pytest.approx(80, abs=5 * np.sqrt(80 / n))
    assert counts.var() == pytest.approx(80, abs=5 * 80 * np.sqrt(2 / n))


def test_rounding_errors_do_not_change_the_noise():
    """As another machine's matrix products make them: a count may change, not all that follow."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5_000))
    other = X * (1 + 1e-7 * rng.standard_normal(X.shape))
    counts = shared_variance.spike_noise(X, rng=1)
    # a rate below 2.5 changes by 1e-7 of itself at most a few times, and so does the chance that a
    # count does: 200,000 counts, 0.05 of them expected
    assert np.count_nonzero(counts != shared_variance.spike_noise(other, rng=1)) <= 3
    seen = shared_variance.two_photon_noise(X, 0.046, rng=1).activity
    again = shared_variance.two_photon_noise(other, 0.046, rng=1).activity
    assert np.count_nonzero(np.any(seen != again, axis=1)) <= 3  # of 40 neurons
