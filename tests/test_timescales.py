"""Split-half autocorrelations against sums by hand, closed forms and Bartlett's error."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from critlib import ensembles, shared_variance, timescales
from critlib.dynamics import LinearNetwork
from critlib.normalization import critically_normalize
from critlib.timescales import decay_time, pc_autocorrelations

TAU = 0.02
# Of a hundred z-scores at a time, one beyond 5 has probability 6e-5 per test.
Z_MAX = 5.0


def bartlett_sd(lags, time_constant, duration):
    """Of an estimated exponential autocorrelation; zero at lag 0."""
    u = lags / time_constant
    return np.sqrt(time_constant / duration * (1 - np.exp(-2 * u) * (1 + 2 * u)))


def zscored(X):
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


def cross_by_hand(a, b, blocks, n_lags):
    """Pair by pair, in both directions, within blocks."""
    out = np.zeros((len(a), n_lags + 1))
    for i in range(len(a)):
        for lag in range(n_lags + 1):
            products = []
            for block in blocks:
                for t in range(block.start, block.stop - lag):
                    products += [a[i, t + lag] * b[i, t], a[i, t] * b[i, t + lag]]
            out[i, lag] = np.mean(products)
    return out


def with_signals(n_signals, n_times, seed, *, slow=0.0, n=120):
    """Unit noise, private to each neuron, white or with memory, and signals spread over all."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, n_times))
    for t in range(1, n_times):
        noise[:, t] = slow * noise[:, t - 1] + np.sqrt(1 - slow**2) * noise[:, t]
    return noise + 0.5 * rng.standard_normal((n, n_signals)) @ rng.standard_normal(
        (n_signals, n_times)
    )


# --- exact ---------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), n_lags=st.integers(0, 6), data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_cross_covariance_against_a_double_loop(seed, n_lags, data):
    lengths = st.lists(st.integers(n_lags + 1, 14), min_size=1, max_size=4)
    edges = np.cumsum([0, *data.draw(lengths), *data.draw(lengths)])
    blocks = [slice(a, b) for a, b in zip(edges[:-1], edges[1:])][::2]
    a, b = np.random.default_rng(seed).standard_normal((2, 2, edges[-1]))
    found = timescales._cross_covariance(a, b, blocks, n_lags)
    np.testing.assert_allclose(found, cross_by_hand(a, b, blocks, n_lags), atol=1e-12)


def test_everything_against_a_loop():
    # the whole estimate written out: z-score, SVD on training blocks, pairs within test blocks
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 3)) @ rng.standard_normal((3, 90)).cumsum(axis=1)
    X += rng.standard_normal(X.shape)
    halves = np.arange(12) % 3 == 0
    found = pc_autocorrelations(X, 0.5, max_lag=3.0, halves=halves, n_blocks=5)
    Z = zscored(X)
    a, b = Z[halves], Z[~halves]
    train, test = shared_variance.alternating_blocks(90, 5)
    times = np.concatenate([np.arange(90)[block] for block in train])
    U, _, Vt = np.linalg.svd(a[:, times] @ b[:, times].T / len(times), full_matrices=False)
    expected = cross_by_hand(U.T @ a, Vt @ b, test, 6)
    np.testing.assert_allclose(found.lags, np.arange(7) * 0.5)
    np.testing.assert_allclose(found.variances, expected[:, 0], atol=1e-10)
    good = expected[:, 0] > 0
    ratio = expected[good] / expected[good, :1]
    np.testing.assert_allclose(found.correlation[good], ratio, rtol=1e-8, atol=1e-10)
    assert good.sum() >= 3  # the three signals


@pytest.mark.parametrize("n_blocks", [2, 3, 10])
def test_without_noise_it_is_the_ordinary_autocorrelation(n_blocks):
    # both halves hold the same neurons, so both views are the same principal component
    rng = np.random.default_rng(1)
    Y = rng.standard_normal((4, 4)) @ rng.standard_normal((4, 300)).cumsum(axis=1)
    X = np.concatenate([Y, 7 * Y + 2])  # units do not matter
    found = pc_autocorrelations(X, 0.1, max_lag=1, halves=np.arange(8) < 4, n_blocks=n_blocks)
    Z = zscored(Y)
    train, test = shared_variance.alternating_blocks(300, n_blocks)
    C = sum(Z[:, block] @ Z[:, block].T for block in train)
    components = np.linalg.eigh(C)[1][:, ::-1].T @ Z
    for lag in range(11):
        products = [
            components[:, block.start + lag : block.stop]
            * components[:, block.start : block.stop - lag]
            for block in test
        ]  # fmt: skip
        ours = found.correlation[:, lag] * found.variances
        np.testing.assert_allclose(ours, np.concatenate(products, axis=1).mean(axis=1), rtol=1e-8)


def test_pairs_never_straddle_blocks():
    # a signal that changes its sign from each test block to the next, through training blocks
    # of the same kind: across blocks correlations would be negative
    signal = np.repeat([1.0, 1, -1, -1] * 5, 10)  # blocks of 10
    signal += 0.1 * np.sin(np.arange(200))
    X = np.outer([1.0, 2, 3, 4], signal)
    found = pc_autocorrelations(X, 1.0, max_lag=9, n_blocks=20, n_components=1, rng=0)
    assert np.all(found.correlation > 0.95)


def test_the_two_halves_can_change_places():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((10, 400)).cumsum(axis=1) + 3 * rng.standard_normal((10, 400))
    halves = np.arange(10) % 2 == 0
    one = pc_autocorrelations(X, 0.1, max_lag=2, halves=halves)
    other = pc_autocorrelations(X, 0.1, max_lag=2, halves=~halves)
    np.testing.assert_allclose(one.variances, other.variances, rtol=1e-8)
    np.testing.assert_allclose(one.correlation, other.correlation, rtol=1e-6, atol=1e-8)


def test_time_can_run_backwards():
    # in ordinary time a(t + l) b(t), in reversed time a(t) b(t + l): their mean is the same
    rng = np.random.default_rng(3)
    X = rng.standard_normal((8, 240)).cumsum(axis=1) + rng.standard_normal((8, 240))
    X[4:] = np.roll(X[:4], 3, axis=1) + rng.standard_normal((4, 240))  # one half lags behind
    halves = np.arange(8) < 4
    # three blocks of the same length: the middle one tests, whichever way time runs
    ahead = pc_autocorrelations(X, 0.1, max_lag=2, halves=halves, n_blocks=3)
    back = pc_autocorrelations(X[:, ::-1], 0.1, max_lag=2, halves=halves, n_blocks=3)
    np.testing.assert_allclose(ahead.variances, back.variances, rtol=1e-8)
    np.testing.assert_allclose(ahead.correlation, back.correlation, rtol=1e-6)


# --- against closed forms, within sampling error -------------------------------------------------

GAPS = np.array([0.02, 0.05, 0.1, 0.25])  # time constants 1, 0.4, 0.2 and 0.08 s
STEP = 0.05


def four_modes(duration, seed, average=False, dt=STEP):
    """64 neurons, half of them in each half, that see four modes in orthogonal patterns.

    All patterns have entries of the same size, so every neuron has the same variance, and each
    half's patterns are its principal components.
    """
    network = LinearNetwork(np.diag(1 - GAPS), tau=TAU)
    signals = network.simulate(duration, dt, average=average, rng=seed)
    patterns = scipy.linalg.hadamard(32)[:, 1:5]
    return np.concatenate([patterns, patterns[::-1]]) @ signals, np.arange(64) < 32


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_components_decay_as_predicted_whatever_the_noise(noise):
    duration = 4000
    X, halves = four_modes(duration, seed=0)
    signal_variance = (1 / (2 * GAPS)).sum()  # of each neuron: 42
    X = X + noise * signal_variance**0.5 * np.random.default_rng(1).standard_normal(X.shape)
    found = pc_autocorrelations(X, STEP, max_lag=2, halves=halves, n_components=4, rng=0)
    total = signal_variance * (1 + noise**2)
    variances = 32 * (1 / (2 * GAPS)) / total  # z-scored; patterns of norm sqrt(32) in each half
    for i, gap in enumerate(GAPS):
        time_constant = TAU / gap
        # "larger components are slower", in the paper's form
        prediction = np.exp(-found.lags / (2 * (1 / (2 * gap)) * TAU))
        # Signal: Bartlett, over the half of the time that is tested. Noise: products of noise
        # with signal, twice, and with noise, one per bin, relative to the signal's variance.
        private = (noise**2 / (1 + noise**2)) / variances[i]
        n_bins = duration / STEP / 2
        effective = n_bins * STEP / (2 * time_constant)  # slow signals: fewer independent bins
        from_noise = 2 * (2 * private + private**2) / n_bins
        # products of components whose axes are mixed by sampling, of order 1 / effective
        sd = np.sqrt(bartlett_sd(found.lags, time_constant, duration / 2) ** 2 + from_noise)
        z = (found.correlation[i] - prediction)[1:] / sd[1:]
        bias = 2 / effective / sd[1:]
        assert np.all(np.abs(z) < Z_MAX + bias), (i, z)
        # variance of a variance: 2 / effective, for a Gaussian exponential process
        error = np.sqrt(1 / effective + from_noise)
        assert abs(found.variances[i] / variances[i] - 1) < Z_MAX * error + 2 / effective


def test_strong_private_noise_leaves_no_drop_at_the_first_lag():
    # an ordinary autocorrelation would be v / (v + noise) at every lag but 0
    X, halves = four_modes(4000, seed=4)
    X = zscored(X) + 5 * np.random.default_rng(5).standard_normal(X.shape)
    found = pc_autocorrelations(X, STEP, max_lag=0.5, halves=halves, n_components=2, rng=0)
    Z = zscored(X)
    naive = np.linalg.eigh(Z @ Z.T)[1][:, ::-1][:, :2].T @ Z
    ordinary = np.mean(naive[:, 1:] * naive[:, :-1], axis=1) / np.mean(naive**2, axis=1)
    truth = np.exp(-STEP * GAPS[:2] / TAU)
    # share of noise: 25 against 64 times the share of each mode, 0.59 and 0.24, of 1
    assert np.all(ordinary < 0.8 * truth)
    # errors as in the test above are below 0.02 here
    assert np.all(np.abs(found.correlation[:, 1] - truth) < 0.06)


def test_bins_follow_the_closed_form():
    # mean over a bin of e^-u twice, and the variance of a bin: see chapter 6
    X, halves = four_modes(4000, seed=6, average=True)
    found = pc_autocorrelations(X, STEP, max_lag=1, halves=halves, n_components=4, rng=0)
    for i, gap in enumerate(GAPS):
        z = gap * STEP / TAU
        lag = np.arange(1, 21)
        expected = (np.cosh(z) - 1) / (z - 1 + np.exp(-z)) * np.exp(-lag * z)
        sd = bartlett_sd(found.lags[1:], TAU / gap, 2000)
        # 2000 s are at least 1000 independent values: mixing and the mean take 0.004 at most
        assert np.all(np.abs(found.correlation[i, 1:] - expected) < Z_MAX * sd + 0.004)


def test_a_symmetric_network_and_the_slowest_time_of_the_paper():
    # 0.998 and 20 ms: 10 s, as the paper has it; and at 0.9 it is 0.2 s
    A = ensembles.random_connectivity(60, rng=0)
    for target, longest in ((0.998, 10.0), (0.9, 0.2)):
        network = LinearNetwork(critically_normalize(A, target=target), tau=TAU)
        S = network.covariance()
        values, axes = np.linalg.eigh(S)
        lags = np.linspace(0, 3 * longest, 301)
        first = axes[:, -1]
        curve = [first @ network.autocovariance(lag) @ first / values[-1] for lag in lags]
        assert decay_time(lags, curve) == pytest.approx(longest)
        assert 2 * values[-1] * TAU == pytest.approx(longest)


# --- where there is nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("slow", [0.0, 0.8])
def test_the_noise_floor_is_the_scatter_of_what_is_not_shared(slow):
    """For unit noise with correlation slow^l: sqrt((1 + slow^2) / (1 - slow^2) / M)."""
    X = with_signals(0, 40_000, 1, slow=slow)
    found = pc_autocorrelations(X, 0.1, max_lag=8, rng=0)
    expected = np.sqrt((1 + slow**2) / (1 - slow**2) / 20_000)
    # the median of some 30 estimates, each over 40 lags of which memory leaves a quarter
    assert timescales.noise_floor(found) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("n_signals", [0, 1, 5])
def test_what_is_shared_is_counted(n_signals):
    """A signal has a variance of 15 here, the floor is 0.014."""
    found = pc_autocorrelations(with_signals(n_signals, 10_000, 2), 0.1, max_lag=5, rng=0)
    assert timescales.n_trusted(found) == n_signals
    assert timescales.n_trusted(found, floors=1e6) == 0


def test_all_components_may_count_or_none():
    X = with_signals(1, 2_000, 3)
    found = pc_autocorrelations(X, 0.1, max_lag=2, n_components=1, rng=0)
    assert timescales.n_trusted(found) == 1
    none = dataclasses.replace(found, variances=-found.variances)
    assert np.isnan(timescales.noise_floor(none))
    assert timescales.n_trusted(none) == 0


def test_one_lag_is_too_few_for_a_floor():
    found = pc_autocorrelations(with_signals(1, 500, 4), 0.1, max_lag=0.1, rng=0)
    with pytest.raises(ValueError, match="1 lag.s. above 0: at least 2 are needed"):
        timescales.n_trusted(found)


def test_components_without_shared_variance_are_nan():
    X = np.random.default_rng(0).standard_normal((40, 4000))
    found = pc_autocorrelations(X, 0.1, max_lag=1, rng=0)
    nothing = found.variances <= 0
    assert 0 < nothing.sum() < len(nothing)
    np.testing.assert_array_equal(np.isnan(found.correlation), np.repeat(nothing[:, None], 11, 1))
    np.testing.assert_allclose(found.correlation[~nothing, 0], 1)
    assert np.isnan(decay_time(found.lags, found.correlation)[nothing]).all()
    # products of two unit variances, averaged over 2,000 test bins
    assert np.all(np.abs(found.variances) < Z_MAX / np.sqrt(2000))


# --- smoothing -----------------------------------------------------------------------------------


def fast_and_slow(n_times=20_000):
    """A large component that is white, a small one that is slow, and private noise."""
    rng = np.random.default_rng(7)
    slow = LinearNetwork([[0.98]], tau=TAU).simulate(n_times * 0.1, 0.1, average=False, rng=8)[0]
    fast = rng.standard_normal(n_times)
    patterns = scipy.linalg.hadamard(16)[:, 1:3].T
    patterns = np.concatenate([patterns, patterns], axis=1)
    X = 2 * np.outer(patterns[0], fast) + np.outer(patterns[1], slow / slow.std())
    return X + rng.standard_normal(X.shape), np.arange(32) < 16


def test_smoothed_components_are_ordered_by_raw_variance():
    X, halves = fast_and_slow()
    options = {"max_lag": 2.0, "halves": halves, "n_components": 2, "rng": 0}
    raw = pc_autocorrelations(X, 0.1, **options)
    smoothed = pc_autocorrelations(X, 0.1, smooth=1.0, **options)
    # smoothing over 10 bins takes 97% of the white component, so the slow one is found first
    Z = zscored(scipy.ndimage.gaussian_filter1d(X, 10, axis=1))
    pattern = np.linalg.svd(Z[halves] @ Z[~halves].T)[0][:, 0]
    assert abs(pattern @ scipy.linalg.hadamard(16)[:, 2]) / 4 > 0.99
    for found in (raw, smoothed):
        # the white one has 4 / 6 of each neuron's variance, the slow one 1 / 6, times 16 neurons;
        # errors of a few per cent (1,000 time constants of the slow one are tested)
        np.testing.assert_allclose(found.variances, [16 * 4 / 6, 16 / 6], rtol=0.2)
        # not smoothed: white is white. 10,000 bins are tested
        assert abs(found.correlation[0, 1]) < Z_MAX / np.sqrt(10_000)
        assert found.correlation[1, 5] == pytest.approx(np.exp(-0.5), abs=Z_MAX * 0.03)


def test_smoothing_helps_to_find_slow_components():
    X, halves = fast_and_slow(2_000)
    slow = 0
    for seed in range(5):
        noisy = X + 6 * np.random.default_rng(seed).standard_normal(X.shape)
        options = {"max_lag": 2.0, "halves": halves, "n_components": 2, "rng": 0}
        raw, smoothed, same = (
            pc_autocorrelations(noisy, 0.1, smooth=smooth, **options) for smooth in (0, 0.3, 0.0)
        )
        np.testing.assert_array_equal(same.variances, raw.variances)
        # covariance half a second apart: only the slow component has any
        slow += (smoothed.correlation[:, 5] * smoothed.variances).sum()
        slow -= (raw.correlation[:, 5] * raw.variances).sum()
    assert slow > 0


def test_order_comes_from_training_times():
    # two patterns: one is larger in training blocks, the other in test blocks
    rng = np.random.default_rng(10)
    train, _ = shared_variance.alternating_blocks(400, 8)
    size = np.array([np.full(400, 1.0), np.full(400, 2.0)])
    for block in train:
        size[:, block] = [[2.0], [1.0]]
    patterns = scipy.linalg.hadamard(8)[:, 1:3]
    X = np.concatenate([patterns, patterns]) @ (size * rng.standard_normal((2, 400)))
    options = {"max_lag": 1, "halves": np.arange(16) < 8, "n_blocks": 8, "n_components": 2}
    for smooth in (0, 1e-6, 0.5):
        found = pc_autocorrelations(X, 1.0, smooth=smooth, rng=0, **options)
        # 200 test times: variances have errors of a tenth, and the true ratio is 4
        assert found.variances[0] < 0.5 * found.variances[1]


def test_the_unit_of_time_does_not_matter():
    X, halves = fast_and_slow(500)
    X = X[[*range(8), *range(16, 24)]]
    halves = np.arange(16) < 8
    one = pc_autocorrelations(X, 0.1, max_lag=2, smooth=0.3, halves=halves)
    other = pc_autocorrelations(X, 100.0, max_lag=2000, smooth=300, halves=halves)
    np.testing.assert_allclose(one.variances, other.variances, rtol=1e-9)
    np.testing.assert_allclose(1000 * one.lags, other.lags)


# --- defaults and types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_times", "n_lags", "n_blocks"), [(200, 4, 10), (270, 4, 12), (200, 20, 2), (200, 60, 2)]
)
def test_blocks_are_about_five_times_the_longest_lag(n_times, n_lags, n_blocks):
    X = np.random.default_rng(0).standard_normal((6, n_times))
    options = {"max_lag": n_lags * 0.1, "halves": np.arange(6) < 3}
    found = pc_autocorrelations(X, 0.1, **options)
    same = pc_autocorrelations(X, 0.1, n_blocks=n_blocks, **options)
    np.testing.assert_array_equal(found.variances, same.variances)
    other = pc_autocorrelations(X, 0.1, n_blocks=n_blocks + 1, **options)
    assert not np.array_equal(found.variances, other.variances)


@pytest.mark.parametrize(("n", "n_times", "k"), [(9, 100, 4), (30, 12, 11), (1004, 40, 39)])
def test_how_many_components(n, n_times, k):
    X = np.random.default_rng(0).standard_normal((n, n_times))
    found = pc_autocorrelations(X, 1.0, max_lag=1, rng=0)
    assert found.correlation.shape == (k, 2) and found.variances.shape == (k,)
    few = pc_autocorrelations(X, 1.0, max_lag=1, n_components=3, rng=0)
    np.testing.assert_allclose(few.variances[0], found.variances[0], rtol=0.02, atol=0.02 * n / 9)


def test_at_most_500_components():
    X = np.random.default_rng(0).standard_normal((1010, 600), dtype=np.float32)
    assert len(pc_autocorrelations(X, 1.0, max_lag=1, rng=0).variances) == 500


def test_random_halves_can_be_repeated():
    X = np.random.default_rng(0).standard_normal((20, 100))
    runs = [pc_autocorrelations(X, 1.0, max_lag=1, rng=seed).variances for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2])


def test_single_precision_and_mapped_files(tmp_path):
    X, halves = four_modes(200, seed=0)
    expected = pc_autocorrelations(X, STEP, max_lag=1, halves=halves, n_components=4, rng=0)
    path = tmp_path / "X.npy"
    np.save(path, X.astype(np.float32))
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    for smooth in (0, 0.1):
        found = pc_autocorrelations(
            mapped, STEP, max_lag=1, halves=halves, n_components=4, smooth=smooth, rng=0
        )
        # seven digits, of which sums over thousands of times may lose three
        tolerance = 2e-2 if smooth else 1e-3
        np.testing.assert_allclose(found.variances, expected.variances, rtol=tolerance)
        if not smooth:
            np.testing.assert_allclose(found.correlation, expected.correlation, atol=1e-3)
    assert path.read_bytes() == before


def test_single_precision_is_not_widened(monkeypatch):
    # the recording is projected in the type it came in
    seen = []
    project = timescales.Standardized.project

    def spy(self, *args):
        out = project(self, *args)
        seen.append(out.dtype)
        return out

    monkeypatch.setattr(timescales.Standardized, "project", spy)
    X = np.random.default_rng(0).standard_normal((8, 100), dtype=np.float32)
    for smooth in (0, 2):
        pc_autocorrelations(X, 1.0, max_lag=1, smooth=smooth, rng=0)
    assert seen == [np.float32] * 4


def test_results_are_frozen():
    found = pc_autocorrelations(np.random.default_rng(0).random((4, 40)), 1.0, max_lag=1, rng=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.lags = 0


# --- decay time ----------------------------------------------------------------------------------


def test_decay_time_by_hand():
    e = np.exp(-1)
    assert decay_time([0, 1], [1, -1]) == pytest.approx((1 - e) / 2)  # a straight line to below 0
    assert decay_time([0, 1], [1, 0]) == pytest.approx(1 - e)
    assert decay_time([0, 2], [1, np.exp(-4)]) == pytest.approx(0.5)  # straight in the logarithm
    assert decay_time([3, 5], [0.9, np.exp(-2)]) == pytest.approx(
        3 + 2 * (np.log(0.9) + 1) / (np.log(0.9) + 2)
    )
    assert decay_time([0, 1, 2], [1, e, 0]) == pytest.approx(1)  # exactly on a lag
    assert decay_time([0, 1, 2, 3], [1, 0.1, 0.9, 0.1]) < 1  # the first crossing counts
    assert decay_time([0.5, 1], [0.2, 0.1]) == 0.5  # below from the start
    assert decay_time([0.0], [1.0]) == np.inf
    assert isinstance(decay_time([0, 1], [1, 0]), float)


def test_decay_time_says_when_there_is_none():
    rows = [[1, 0.9, 0.8], [np.nan] * 3, [1, np.nan, 0.1], [1, np.inf, 0.1], [1, 0.2, 0.1]]
    found = decay_time([0, 1, 2], rows)
    assert found.shape == (5,)
    assert found[0] == np.inf and np.isnan(found[1:4]).all() and 0 < found[4] < 1
    with np.errstate(all="raise"):
        assert decay_time([0, 1], [1e300, 1e-320]) == pytest.approx(691.8 / 1427.6, abs=0.001)


def test_a_rotation_decays_sooner_than_its_envelope():
    lags = np.linspace(0, 5, 501)
    turning = np.exp(-lags / 2) * np.cos(2 * np.pi * lags)
    assert decay_time(lags, np.exp(-lags / 2)) == pytest.approx(2)
    assert decay_time(lags, turning) < 0.25


# --- bad input -----------------------------------------------------------------------------------

GOOD = {"max_lag": 1.0, "rng": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_lag": 0.04}, "^max_lag is 0.04 s: pass at least one bin, 0.1 s"),
        ({"max_lag": 6.0}, "^max_lag is 6 s but blocks of time have 5 s .2 of 10 s.: shorten"),
        ({"max_lag": 1e308}, r"^max_lag is 1e\+308 s but blocks of time"),
        ({"n_blocks": 10}, "^max_lag is 1 s but blocks of time have 1 s .*use fewer blocks"),
        ({"n_blocks": 1}, "^n_blocks is 1: it must be between 2 and 50"),
        ({"n_blocks": 51}, "^n_blocks is 51: it must be between 2 and 50"),
        ({"smooth": -1}, "^smooth is -1: it must be at least 0"),
        ({"smooth": 11.0}, "^smooth is 11 s: the recording has 10 s; pass a few bins"),
        ({"n_components": 4}, "^n_components is 4: it must be between 1 and 3"),
        ({"n_components": 0}, "^n_components is 0"),
        ({"halves": [True] * 6}, "^halves puts all 6 neurons on one side"),
        ({"halves": [1, 0] * 3}, "^halves has shape .6,. and dtype int64: pass one bool"),
        ({"rng": "0"}, "^rng is '0'"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(changes, message):
    X = np.random.default_rng(0).standard_normal((6, 100))
    with pytest.raises((ValueError, TypeError), match=message):
        pc_autocorrelations(X, 0.1, **GOOD | changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pc_autocorrelations(np.ones((2, 3)), 0.1, **GOOD), r"^X has 3 time point\(s\)"),
        (lambda: pc_autocorrelations(np.ones((1, 30)), 0.1, **GOOD), r"^X has 1 neuron\(s\)"),
        (lambda: pc_autocorrelations(np.ones((2, 30)), 0.1, **GOOD), "^X has 2 constant neuron"),
        (lambda: pc_autocorrelations(np.ones((2, 30)), 0, **GOOD), "^dt is 0: it must be greater"),
        (lambda: decay_time([0, 2, 1], [1, 1, 1]), "^lags holds 1 after 2: they must rise; sort"),
        (lambda: decay_time([0, 0], [1, 1]), "^lags holds 0 after 0: they must"),
        (lambda: decay_time([0, 1], [1, 1, 1]), r"^correlation has shape \(3,\) for 2 lags"),
        (lambda: decay_time([0, 1], np.ones((2, 2, 2))), r"^correlation has shape \(2, 2, 2\)"),
        (lambda: decay_time([], []), "^lags is empty"),
        (lambda: decay_time([0, np.nan], [1, 1]), "^lags holds 1 NaN"),
        (lambda: decay_time([0, 1], ["a", "b"]), "^correlation has dtype"),
    ],
)
def test_malformed_input_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
