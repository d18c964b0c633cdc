"""Dynamic mode decomposition: prescribed maps, PyDMD, ridge regression, and derived errors."""

import numpy as np
import pytest
import scipy.linalg
from pydmd import DMD as PyDMD
from sklearn.linear_model import Ridge

from critlib import dmd, dynamics, ensembles, normalization


def zscored(X):
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


def network(n, symmetry, seed, largest=0.998):
    A = ensembles.random_connectivity(n, symmetry=symmetry, rng=seed)
    return dynamics.LinearNetwork(normalization.critically_normalize(A, target=largest))


def by_modulus(values):
    return values[np.lexsort((values.imag, -np.abs(values).round(9)))]


# --- fit_dmd -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [1, 3])
def test_a_map_without_noise_is_found_exactly(lag):
    """x(t + 1) = M x(t) with prescribed eigenvalues; z-scoring changes the basis, not these."""
    rng = np.random.default_rng(0)
    blocks = [
        [[r * np.cos(w), -r * np.sin(w)], [r * np.sin(w), r * np.cos(w)]]
        for r, w in ((1.0, 0.3), (1.0, 1.1), (1.0, 2.0))
    ]
    M = scipy.linalg.block_diag(*blocks)
    mixing = rng.standard_normal((6, 6))
    M = mixing @ M @ np.linalg.inv(mixing)
    # 20,000 steps are not whole periods: what is left of a mean is of order 1 / 20,000
    X = np.empty((6, 20_000))
    X[:, 0] = rng.standard_normal(6)
    for t in range(1, X.shape[1]):
        X[:, t] = M @ X[:, t - 1]
    fit = dmd.fit_dmd(X, 0.1, lag=0.1 * lag, ridge=0)
    expected = np.exp(1j * lag * np.array([0.3, 1.1, 2.0, -0.3, -1.1, -2.0]))
    found = np.sort(np.angle(fit.eigenvalues))
    np.testing.assert_allclose(found, np.sort(np.angle(expected)), atol=1e-3)
    np.testing.assert_allclose(np.abs(fit.eigenvalues), 1, atol=1e-3)
    assert fit.lag == pytest.approx(0.1 * lag)


@pytest.mark.parametrize("lag", [1, 5])
@pytest.mark.parametrize("k", [40, 12])
def test_eigenvalues_equal_those_of_pydmd(k, lag):
    X = network(40, 0, 1).simulate(92, 0.046, rng=2)
    fit = dmd.fit_dmd(X, 0.046, lag=lag * 0.046, n_components=k, ridge=0)
    Z = zscored(X)
    theirs = PyDMD(svd_rank=k, exact=False).fit(Z[:, :-lag], Z[:, lag:])
    assert len(fit.eigenvalues) == k
    np.testing.assert_allclose(by_modulus(fit.eigenvalues), by_modulus(theirs.eigs), atol=1e-6)


def test_ridge_is_ridge_regression_on_components():
    X = network(30, 0.5, 3).simulate(46, 0.046, rng=4)
    fit = dmd.fit_dmd(X, 0.046, n_components=20, ridge=0.3)
    Y = fit.components.T @ zscored(X)
    before, after = Y[:, :-5].T, Y[:, 5:].T
    model = Ridge(alpha=0.3 * len(before), fit_intercept=False).fit(before, after)
    np.testing.assert_allclose(fit.operator, model.coef_, atol=1e-8)
    assert fit.operator.shape == (20, 20) and fit.components.shape == (30, 20)
    np.testing.assert_allclose(fit.components.T @ fit.components, np.eye(20), atol=1e-10)


@pytest.mark.parametrize("symmetry", [1, 0])
def test_eigenvalues_of_a_network_are_those_of_its_propagator(symmetry):
    """Within the error of a regression on T times, to first order in the noise."""
    n, n_times, lag = 20, 100_000, 1
    net = network(n, symmetry, 5, largest=0.9)
    X = net.simulate(n_times * 0.01, 0.01, average=False, rng=6)
    fit = dmd.fit_dmd(X, 0.01, lag=0.01 * lag, ridge=0)
    P = net.propagator(0.01)
    S = net.covariance()
    # B - P is noise of covariance Q times S^-1 / T (asymptotics of a vector autoregression); an
    # eigenvalue with left and right vectors l, r moves by l (B - P) r, of variance
    # (l Q l) (r S^-1 r) / T
    Q = S - P @ S @ P.T
    values, left, right = scipy.linalg.eig(P, left=True)
    for i, value in enumerate(values):
        u, r = left[:, i], right[:, i]
        u = u / (u.conj() @ r).conj()
        variance = (u.conj() @ Q @ u).real * (r.conj() @ np.linalg.solve(S, r)).real / n_times
        nearest = np.abs(fit.eigenvalues - value).min()
        assert nearest < 5 * np.sqrt(variance) + 20 / n_times


def test_symmetric_networks_do_not_rotate_and_others_do():
    """Fig. 3d, f of the paper: real eigenvalues, near-zero rotations; else many rotations."""
    turns = {}
    for symmetry in (1, 0):
        X = network(500, symmetry, 7).simulate(900, 0.046, rng=8)
        values = dmd.fit_dmd(X, 0.046).eigenvalues
        turns[symmetry] = np.median(dmd.rotations_per_tenfold(values))
    assert turns[1] < 0.05 < 0.3 < turns[0]


def test_fewer_times_than_neurons_is_the_same_problem():
    X = np.random.default_rng(9).standard_normal((30, 29))
    Z = zscored(X)
    fit = dmd.fit_dmd(X, 1.0, lag=1.0, n_components=10, ridge=0.1)
    Z0, Z1 = Z[:, :-1], Z[:, 1:]
    U, s, _ = np.linalg.svd(Z0, full_matrices=False)
    U, s = U[:, :10], s[:10]
    B = U.T @ Z1 @ Z0.T @ U / 28 / (s**2 / 28 + 0.1)
    np.testing.assert_allclose(
        by_modulus(fit.eigenvalues), by_modulus(np.linalg.eigvals(B).astype(complex)), atol=1e-8
    )


def test_components_without_variance_are_left_out():
    rng = np.random.default_rng(10)
    X = rng.standard_normal((10, 3)) @ rng.standard_normal((3, 500))
    fit = dmd.fit_dmd(X, 1.0, lag=1.0, ridge=0)
    assert len(fit.eigenvalues) == 3 and np.isfinite(fit.eigenvalues).all()


def test_float32_and_memory_maps_are_kept(tmp_path):
    X = network(30, 1, 11).simulate(92, 0.046, rng=12)
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    fit = dmd.fit_dmd(np.load(tmp_path / "x.npy", mmap_mode="r"), 0.046)
    assert fit.operator.dtype == fit.components.dtype == np.float32
    assert fit.eigenvalues.dtype == complex
    exact = dmd.fit_dmd(X, 0.046)
    np.testing.assert_allclose(
        np.abs(fit.eigenvalues[:5]), np.abs(exact.eigenvalues[:5]), atol=1e-4
    )
    assert np.all(np.diff(np.abs(exact.eigenvalues)) <= 1e-12)  # sorted by modulus


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lag": 0.02}, "lag is 0.02 s, less than half a bin of 0.046 s: pass lag=0.046"),
        ({"lag": 5.0}, r"lag is 5 s.*pass at most 4\.5"),
        ({"lag": 0}, "lag is 0"),
        ({"n_components": 0}, "n_components is 0"),
        ({"ridge": -1}, "ridge is -1"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dmd.fit_dmd(np.random.default_rng(0).standard_normal((5, 100)), 0.046, **arguments)


# --- rotations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0.01, 0.1, 0.5])
def test_rotations_do_not_depend_on_the_lag(lag):
    """Modes of rate a and angular frequency w turn log(10) w / (2 pi a) times to a tenth."""
    rate, frequency = np.array([1.0, 2.0, 0.7]), np.array([3.0, 0.5, 6.0])
    mu = np.exp((-rate + 1j * frequency) * lag)
    expected = np.log(10) * frequency / (2 * np.pi * rate)
    found = dmd.rotations_per_tenfold(np.r_[mu, mu.conj()], min_modulus=0.01)
    np.testing.assert_allclose(found, expected)


def test_rotations_at_the_limits():
    assert dmd.rotations_per_tenfold([0.9, 0.25, 0.1, 1.0, 1.2]).tolist() == [0, 0, 0]
    assert dmd.rotations_per_tenfold([1j, 1.5j]).tolist() == [np.inf, np.inf]
    assert dmd.rotations_per_tenfold([-0.1], min_modulus=0).tolist() == pytest.approx([0.5])
    assert dmd.rotations_per_tenfold([0.1]).shape == (0,)


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        ([[0.5]], {}, r"shape \(1, 1\)"),
        ([np.nan], {}, "1 values that are not finite"),
        ([0.5], {"min_modulus": 1}, "min_modulus is 1"),
    ],
)
def test_bad_eigenvalues_are_refused(values, arguments, message):
    with pytest.raises(ValueError, match=message):
        dmd.rotations_per_tenfold(values, **arguments)


# --- time asymmetry ------------------------------------------------------------------------------


def closed_form_asymmetry(net, lags, halves, k):
    """The same fraction for an endless recording."""
    S = net.covariance()
    sd = np.sqrt(np.diag(S))
    U, shared, Vt = np.linalg.svd((S / np.outer(sd, sd))[halves][:, ~halves])
    U, V = U[:, :k] / np.sqrt(shared[:k]), Vt[:k].T / np.sqrt(shared[:k])
    odd = even = 0
    for lag in lags:
        C = net.autocovariance(lag) / np.outer(sd, sd)
        ahead = U.T @ C[halves][:, ~halves] @ V
        behind = U.T @ C.T[halves][:, ~halves] @ V
        odd += np.sum((ahead - behind) ** 2)
        even += np.sum((ahead + behind) ** 2)
    return odd / (odd + even)


@pytest.mark.parametrize("lags", [(0.02,), (0.01, 0.02, 0.05)])
@pytest.mark.parametrize("symmetry", [1, 0.5, 0])
def test_asymmetry_is_that_of_the_network(symmetry, lags):
    net = network(20, symmetry, 13)
    halves = np.arange(20) % 2 == 0
    expected = closed_form_asymmetry(net, lags, halves, 6)
    lag = lags[0] if len(lags) == 1 else lags
    found = []
    for seed in range(6):
        X = net.simulate(400, 0.01, average=False, rng=seed)
        found.append(dmd.time_asymmetry(X, 0.01, lag=lag, halves=halves, n_components=6))
    # the spread of the draws themselves measures the sampling error of their mean
    error = np.std(found, ddof=1) / np.sqrt(6)
    assert np.mean(found) == pytest.approx(expected, abs=5 * error + 1e-3)
    if symmetry == 1:
        assert expected == pytest.approx(0, abs=1e-20)


def test_error_of_asymmetry_is_the_scatter_over_recordings():
    net = network(60, 0, 20)
    halves = np.arange(60) % 2 == 0
    how = {"halves": halves, "lag": (0.23, 0.46), "n_components": 4, "n_blocks": 20, "rng": 0}
    values, errors = [], []
    for seed in range(24):
        X = net.simulate(230, 0.046, rng=seed)
        values.append(dmd.time_asymmetry(X, 0.046, **how))
        fraction, error = dmd.time_asymmetry(X, 0.046, **how, return_error=True)
        assert fraction == values[-1]
        errors.append(error)
    # a standard deviation of 24 values is known to 15%; three times that, and the jackknife's own
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values, ddof=1), rel=0.5)


def test_error_of_asymmetry_needs_four_blocks():
    X = np.random.default_rng(0).standard_normal((20, 400))
    with pytest.raises(ValueError, match="n_blocks is 3"):
        dmd.time_asymmetry(X, 0.046, n_blocks=3, return_error=True)


def test_private_noise_does_not_hide_rotation():
    net = network(200, 0, 14)
    X = zscored(net.simulate(920, 0.046, rng=15))
    noisy = X + 3 * np.random.default_rng(16).standard_normal(X.shape)
    halves = np.arange(200) % 2 == 0
    clean, found = (dmd.time_asymmetry(Y, 0.046, halves=halves, n_components=4) for Y in (X, noisy))
    assert clean > 0.2 and found == pytest.approx(clean, abs=0.15)
    # eigenvalues of the ordinary decomposition shrink instead
    assert (
        np.abs(dmd.fit_dmd(noisy, 0.046).eigenvalues[:4]).mean()
        < 0.9 * np.abs(dmd.fit_dmd(X, 0.046).eigenvalues[:4]).mean()
    )


def test_playing_backwards_changes_nothing_of_asymmetry():
    X = network(60, 0, 17).simulate(230, 0.046, rng=18)
    halves = np.arange(60) % 2 == 0
    ours = [dmd.time_asymmetry(Y, 0.046, halves=halves, n_components=5) for Y in (X, X[:, ::-1])]
    assert ours[0] == pytest.approx(ours[1], rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lag": 0.01}, "less than half a bin"),
        ({"lag": 2.0}, "too long for one of 10 blocks"),
        ({"lag": [0.1, 2.0]}, "too long for one of 10 blocks"),
        ({"lag": []}, "lag"),
        ({"lag": [0.1, -0.1]}, "lag"),
        ({"n_blocks": 1}, "n_blocks is 1"),
        ({"n_components": 99}, "n_components is 99"),
        ({"halves": [True]}, "halves"),
    ],
)
def test_bad_input_of_asymmetry_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dmd.time_asymmetry(np.random.default_rng(0).standard_normal((6, 100)), 0.046, **arguments)
