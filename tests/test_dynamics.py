"""Closed forms against SciPy, and simulations against closed forms within sampling error."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg

from critlib import dynamics, ensembles, spectra
from critlib.dynamics import LinearNetwork, simulate_euler
from critlib.normalization import critically_normalize

TAU = 0.02
# Of a few hundred z-scores at a time, one beyond 5.5 has probability 1e-5 or less per test.
Z_MAX = 5.5


def small_matrix(symmetric):
    """Four neurons with slow and fast modes; the general one rotates and is far from normal."""
    if symmetric:
        A = np.array(
            [[0, 0.8, -0.2, 0], [0.8, 0, 0.3, 0.1], [-0.2, 0.3, -1, 0.5], [0, 0.1, 0.5, 0]]
        )
    else:
        A = np.array([[0.2, 3.0, 0, 0.5], [-0.4, 0.2, 0.7, 0], [0, 0, -2, 2.5], [0.3, 0, 0.1, 0.6]])
    return critically_normalize(A, target=0.95)


def general_route(network):
    """The same network, told that it is not symmetric."""
    object.__setattr__(network, "symmetric", False)
    return network


def scipy_covariance(A):
    F = A - np.eye(len(A))
    return scipy.linalg.solve_continuous_lyapunov(F, -np.eye(len(A)))


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 30, 150])
@pytest.mark.parametrize("symmetry", [1.0, 0.5, 0.0, -0.8])
def test_covariance_against_scipy(n, symmetry):
    A = ensembles.random_connectivity(max(n, 10), symmetry=symmetry, rng=n)
    A = critically_normalize(A) if n > 2 else 0.5 * A[:n, :n] - 0.3 * np.eye(n)
    network = LinearNetwork(A)
    assert network.symmetric == np.array_equal(A, A.T)
    S = network.covariance()
    expected = scipy_covariance(A)
    assert np.linalg.norm(S - expected) < 1e-8 * np.linalg.norm(expected)
    F = A - np.eye(n)
    # written with S alone, so it holds whatever SciPy says
    assert np.linalg.norm(F @ S + S @ F.T + np.eye(n)) < 1e-9 * np.linalg.norm(F @ S)
    np.testing.assert_allclose(S, S.T, rtol=0, atol=1e-12 * np.abs(S).max())
    values = network.covariance_eigenvalues()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(expected)[::-1], rtol=1e-7)
    if symmetry == 1:
        gap = 1 - np.linalg.eigvalsh(A)[::-1]
        np.testing.assert_allclose(values, 1 / (2 * gap), rtol=1e-9)


@pytest.mark.parametrize(("n", "seed"), [(40, 18), (150, 0)])
def test_covariance_where_a_small_change_is_followed_by_one_not_much_smaller(n, seed):
    # in these two of 140 random networks the slowest mode has little variance
    A = critically_normalize(ensembles.random_connectivity(n, symmetry=0, rng=seed))
    expected = scipy_covariance(A)
    error = np.linalg.norm(LinearNetwork(A).covariance() - expected)
    assert error < 1e-8 * np.linalg.norm(expected)


@pytest.mark.parametrize("lag", [0.0, 1e-9, 0.003, 0.046, 0.23, 3.0, 200.0])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [4, 60])
def test_propagator_and_autocovariance_against_scipy(lag, symmetric, n):
    A = small_matrix(symmetric)
    if n > 4:
        A = critically_normalize(ensembles.random_connectivity(n, symmetry=int(symmetric), rng=0))
    network = LinearNetwork(A, tau=TAU)
    P = scipy.linalg.expm((A - np.eye(n)) * lag / TAU)
    np.testing.assert_allclose(network.propagator(lag), P, rtol=0, atol=1e-10)
    R = P @ scipy_covariance(A)
    scale = np.abs(scipy_covariance(A)).max()
    np.testing.assert_allclose(network.autocovariance(lag), R, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(network.autocovariance(-lag), R.T, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("lag", [0.0, 1e-6, 0.046, 10.0])
def test_symmetric_and_general_route_agree(lag):
    A = small_matrix(True)
    short, long = LinearNetwork(A), general_route(LinearNetwork(A))
    assert short.symmetric and not long.symmetric
    np.testing.assert_allclose(short.covariance(), long.covariance(), rtol=1e-10)
    np.testing.assert_allclose(short.covariance_eigenvalues(), long.covariance_eigenvalues())
    np.testing.assert_allclose(short.propagator(lag), long.propagator(lag), atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-5, 0.3, 2.0, 40.0, 1e4])
def test_phi_functions_against_a_block_exponential(size):
    # exp of [[X, I, 0], [0, 0, I], [0, 0, 0]] has exp(X), phi1(X), phi2(X) in its first row
    n = 5
    A = critically_normalize(ensembles.random_connectivity(n, symmetry=0, rng=3), target=0.9)
    X = (A - np.eye(n)) * size
    zero, one = np.zeros((n, n)), np.eye(n)
    block = scipy.linalg.expm(np.block([[X, one, zero], [zero, zero, one], [zero, zero, zero]]))
    for ours, expected in zip(dynamics._phi_functions(X), np.split(block[:n], 3, axis=1)):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-11)


def test_one_neuron_by_hand():
    network = LinearNetwork([[0.75]], tau=0.1)  # gap 1/4: variance 2, time constant 0.4 s
    assert network.covariance() == pytest.approx(2)
    assert network.covariance_eigenvalues() == pytest.approx(2)
    assert network.propagator(0.4) == pytest.approx(np.exp(-1))
    assert network.autocovariance(0.8) == pytest.approx(2 * np.exp(-2))
    assert network.n == 1


def test_float32_networks_give_float32():
    for symmetric in (True, False):
        A = small_matrix(symmetric)
        network = LinearNetwork(A.astype(np.float32))
        assert network.A.dtype == np.float32 and network.symmetric == symmetric
        for ours, expected in [
            (network.covariance(), scipy_covariance(A)),
            (network.covariance_eigenvalues(), np.linalg.eigvalsh(scipy_covariance(A))[::-1]),
            (network.propagator(0.02), scipy.linalg.expm(A - np.eye(4))),
        ]:
            assert ours.dtype == np.float32
            # 1 - lambda = 0.05 is known to 6e-8 / 0.05 from float32 entries; 30 times that
            np.testing.assert_allclose(ours, expected, rtol=0, atol=4e-5 * np.abs(expected).max())
        assert network.autocovariance(0.01).dtype == np.float32
        assert network.simulate(0.2, 0.02, rng=0).dtype == np.float32
        assert network.simulate(0.2, 0.02, average=False, rng=0).dtype == np.float32
        assert simulate_euler(network.A, 0.2, 0.02, burn_in=0, rng=0).dtype == np.float32


def test_the_network_is_frozen_and_keeps_its_own_covariance():
    network = LinearNetwork(small_matrix(False))
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.tau = 1
    S = network.covariance()
    S[:] = 0
    assert network.covariance().any()
    assert LinearNetwork([[0, 0.5], [0.5, 0]]).A.dtype == np.float64


@pytest.mark.parametrize("A", [[[1.0]], [[1.5, 0.2], [0.0, 0.1]], [[0, 1], [1, 0]]])
def test_unstable_networks_are_refused(A):
    with pytest.raises(ValueError, match=r"^A is unstable.* below 1; .*critically_normalize"):
        LinearNetwork(A)


def test_no_convergence_is_an_arithmetic_error():
    # stable, but by 1e-15 while it rotates 1e8 times faster: no solver finds its covariance
    network = LinearNetwork([[1 - 1e-15, 1e8], [-1e8, 1 - 1e-15]])
    for call in (
        network.covariance,
        network.covariance_eigenvalues,
        lambda: network.autocovariance(0.1),
        lambda: network.simulate(1, 0.1),
    ):
        with pytest.raises(ArithmeticError, match="did not converge.*critically_normalize"):
            call()


def test_a_wrong_solution_is_noticed(monkeypatch):
    # break the solver from the outside: the residual is checked, not assumed
    inverse = np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda M: inverse(M) * (1 + 1e-6))
    with pytest.raises(ArithmeticError, match="residual"):
        LinearNetwork(small_matrix(False)).covariance()


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_covariance_close_to_criticality(gap):
    # one slow direction in a non-normal pair: S_22 = 1/2 exactly, S_11 from the equations by hand
    a, w = 1 - gap, 2.0
    network = LinearNetwork([[a, w], [0.0, 0.0]])
    S12 = w / 2 / (1 + gap)
    S11 = (1 + 2 * w * S12) / (2 * gap)
    expected = np.array([[S11, S12], [S12, 0.5]])
    np.testing.assert_allclose(network.covariance(), expected, rtol=1e-7 + 1e-15 / gap)


def test_exponent_of_non_symmetric_networks_is_the_published_one():
    # 1.25 at N = 10,000, ranks 11-500. At N = 1,000 single draws have an s.d. of 0.07 over the
    # same ranks (the gap of the right-most pair differs that much); 3 standard errors for two.
    exponents = []
    for seed in range(2):
        A = critically_normalize(ensembles.random_connectivity(1000, symmetry=0, rng=seed))
        variances = LinearNetwork(A).covariance_eigenvalues()
        exponents.append(spectra.fit_power_law(variances).exponent)
    assert abs(np.mean(exponents) - 1.25) < 3 * 0.07 / np.sqrt(2)


# --- exact simulation ----------------------------------------------------------------------------


def joint_law(A, h, n_bins, average):
    """Covariance of all neurons in all bins, (n_bins * n, n_bins * n), from SciPy alone."""
    n = len(A)
    F = (A - np.eye(n)) * h
    S = scipy_covariance(A)
    P = scipy.linalg.expm(F)
    if average:
        # exp of [[F, I, 0], [0, 0, I], [0, 0, 0]] holds phi1 and phi2; for large F, where that
        # is inaccurate, phi1 = (exp(F) - I) / F and phi2 = (phi1 - I) / F are not
        if h < 1:
            zero, one = np.zeros((n, n)), np.eye(n)
            block = np.block([[F, one, zero], [zero, zero, one], [zero, zero, zero]])
            _, phi1, phi2 = np.split(scipy.linalg.expm(block)[:n], 3, axis=1)
        else:
            phi1 = np.linalg.solve(F, P - np.eye(n))
            phi2 = np.linalg.solve(F, phi1 - np.eye(n))
        same = phi2 @ S + S @ phi2.T

        def lagged(k):
            return phi1 @ np.linalg.matrix_power(P, k - 1) @ phi1 @ S
    else:
        same = S

        def lagged(k):
            return np.linalg.matrix_power(P, k) @ S

    C = np.empty((n_bins, n, n_bins, n))
    for s in range(n_bins):
        for t in range(n_bins):
            k = s - t
            C[s, :, t] = same if k == 0 else lagged(k) if k > 0 else lagged(-k).T
    return C.reshape(n_bins * n, n_bins * n)


def worst_z(samples, C):
    """Largest z-score of mean and covariance of independent Gaussian `samples`, (m, d), law C."""
    m = len(samples)
    samples = samples.astype(float)
    variances = np.diag(C)
    z_mean = samples.mean(axis=0) / np.sqrt(variances / m)
    # the mean is known to be 0; each product x_i x_j has variance C_ii C_jj + C_ij^2
    z_covariance = (samples.T @ samples / m - C) / np.sqrt(
        (np.outer(variances, variances) + C**2) / m
    )
    return max(np.abs(z_mean).max(), np.abs(z_covariance).max())


def trials_as_samples(X):
    """(trials, n, T) -> (trials, T * n): one independent sample of the joint law per trial."""
    return X.transpose(0, 2, 1).reshape(len(X), -1)


M = 6000  # trials: standard error of a variance 1.8%, so 5.5 s.d. catch errors of 10%
T = 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("h", [1e-9, 1e-6, 1e-3, 0.1, 2.3, 50.0, 1e4])
@pytest.mark.parametrize("route", ["symmetric", "general", "general, symmetric matrix"])
def test_simulation_has_the_exact_joint_law(route, h, average, dtype):
    A = small_matrix(route != "general")
    network = LinearNetwork(A.astype(dtype), tau=TAU)
    if route == "general, symmetric matrix":
        general_route(network)
    X = network.simulate(T * h * TAU, h * TAU, n_trials=M, average=average, rng=10)
    assert X.shape == (M, 4, T) and X.dtype == dtype
    # mean, covariance in every bin (so the first is stationary), and all lagged covariances
    assert worst_z(trials_as_samples(X), joint_law(A, h, T, average)) < Z_MAX
    rounding = np.abs(X).max() * np.finfo(dtype).eps / np.sqrt(h)
    if h > 1e-6 or rounding > 0.005:
        return
    # In narrow bins successive values are almost equal and the law above hides their changes.
    # To relative order |F|^2 |S| h < 1e-3 these are those of Brownian motion, averaged or not.
    changes = np.diff(X.astype(float), axis=2) / np.sqrt(h)
    lag0, lag1 = (2 / 3, 1 / 6) if average else (1, 0)
    C = scipy.linalg.toeplitz([lag0, lag1] + [0] * (T - 3))
    assert worst_z(trials_as_samples(changes), np.kron(C, np.eye(4))) < Z_MAX


@pytest.mark.parametrize("h", [1e-12, 1e-9, 1.1e-7, 1e-5, 0.9e-3, 1e-2, 0.3, 2.3])
@pytest.mark.parametrize("symmetric", [True, False])
def test_noise_of_one_step_against_van_loan(symmetric, h):
    # Sampling error hides errors of a few per cent, so the covariance of the noise (w, v) of one
    # bin is also compared as numbers: Van Loan's block exponential for (x, integral of x).
    A = small_matrix(symmetric)
    network, n = LinearNetwork(A), 4
    one, zero = np.eye(n), np.zeros((n, n))
    F = np.block([[A - one, zero], [one, zero]])
    Q = scipy.linalg.block_diag(one, zero)
    block = scipy.linalg.expm(np.block([[-F, Q], [np.zeros_like(F), F.T]]) * h)
    expected = block[2 * n :, 2 * n :].T @ block[: 2 * n, 2 * n :]
    unit = np.diag(np.r_[np.ones(n), np.full(n, 1 / h)])  # v is the average, not the integral
    expected = unit @ expected @ unit
    if symmetric:
        step = dynamics._ModeStep(network, h)
        V, diagonal = step.vectors, lambda column: np.diag(column[:, 0])
        W, mix, v = (V @ diagonal(c) @ V.T for c in (step.sd_w, step.mix, step.sd_v))
    else:
        step = dynamics._Step(network, h)
        W, mix, v = step.chol_w, step.mix, step.chol_v
    factor = np.block([[W, zero], [mix, v]])
    # all entries of this covariance are of order h
    np.testing.assert_allclose(factor @ factor.T / h, expected / h, rtol=0, atol=1e-5)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bins_per_chunk", [1, 2, 3])
def test_chunks_do_not_show(symmetric, average, bins_per_chunk, monkeypatch):
    A = small_matrix(symmetric)
    monkeypatch.setattr(dynamics, "_CHUNK", bins_per_chunk * 4 * M)
    drawn = []
    for name in ("_ModeStep", "_Step"):
        advance = getattr(dynamics, name).advance
        monkeypatch.setattr(
            getattr(dynamics, name),
            "advance",
            lambda self, state, noise, advance=advance: (
                drawn.append(noise.size),
                advance(self, state, noise),
            )[1],
        )
    X = LinearNetwork(A, tau=TAU).simulate(T * TAU, TAU, n_trials=M, average=average, rng=11)
    assert len(drawn) == -(-T // bins_per_chunk)  # it really came in pieces ...
    assert max(drawn) <= 2 * bins_per_chunk * 4 * M  # ... of bounded size
    # lagged covariances across a boundary are as within a chunk, hence continuity
    assert worst_z(trials_as_samples(X), joint_law(A, 1.0, T, average)) < Z_MAX


@pytest.mark.parametrize("symmetric", [True, False])
def test_trials_are_independent(symmetric):
    A = small_matrix(symmetric)
    X = LinearNetwork(A, tau=TAU).simulate(2 * TAU, TAU, n_trials=2 * M, rng=12)
    pairs = np.concatenate([X[0::2], X[1::2]], axis=1)  # two trials as if one network of 8 neurons
    C = joint_law(A, 1.0, 2, True).reshape(2, 4, 2, 4)
    both = np.zeros((2, 8, 2, 8))
    both[:, :4, :, :4] = both[:, 4:, :, 4:] = C
    assert worst_z(trials_as_samples(pairs), both.reshape(16, 16)) < Z_MAX


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("symmetric", [True, False])
def test_one_long_trial(symmetric, average):
    # Time averages of one run. For a stationary Gaussian process the estimate of C_ij has variance
    # (1/T) sum_k [C_ii(k) C_jj(k) + C_ij(k) C_ji(k)] over lags k (Bartlett).
    A, h, n_bins = small_matrix(symmetric), 2.3, 40_000
    X = LinearNetwork(A, tau=TAU).simulate(n_bins * h * TAU, h * TAU, average=average, rng=13)
    assert X.shape == (4, n_bins)
    lags = 60  # the slowest mode decays by exp(-0.05 * 2.3 * 60) = 1e-3
    C = joint_law(A, h, lags + 1, average).reshape(lags + 1, 4, lags + 1, 4)[:, :, 0]
    diagonals = np.einsum("kii->ki", C)
    both = np.einsum("ki,kj->ij", diagonals[1:], diagonals[1:])
    cross = np.einsum("kij,kji->ij", C[1:], C[1:])
    variance = np.outer(diagonals[0], diagonals[0]) + C[0] ** 2 + 2 * (both + cross)
    z = (X @ X.T / n_bins - C[0]) / np.sqrt(variance / n_bins)
    assert np.abs(z).max() < 5
    # and the mean: its variance is the sum of the autocovariances over T
    total = C[0] + C[1:].sum(axis=0) + C[1:].sum(axis=0).T
    assert np.abs(X.mean(axis=1) / np.sqrt(np.diag(total) / n_bins)).max() < 5


def test_bins_of_states_are_what_averages_average():
    # The same process at two resolutions: averages of 20 fine states approach the exact averages.
    A, h = small_matrix(False), 1.0
    network = LinearNetwork(A, tau=TAU)
    fine = network.simulate(2 * TAU, TAU / 20, n_trials=M, average=False, rng=14)
    coarse = fine.reshape(M, 4, 2, 20).mean(axis=3)
    # a left Riemann sum of 20 points is off by about 1 part in 20 of one step's decorrelation
    C = joint_law(A, h, 2, True)
    estimate = trials_as_samples(coarse).T @ trials_as_samples(coarse) / M
    assert np.abs(estimate - C).max() < (5 * np.sqrt(2 / M) + 1 / 20) * np.abs(C).max()


@pytest.mark.parametrize("symmetric", [True, False])
def test_simulation_depends_on_rng_only(symmetric):
    network = LinearNetwork(small_matrix(symmetric))
    A = network.A.copy()
    first = network.simulate(1, 0.1, rng=5)
    assert first.shape == (4, 10)
    np.testing.assert_array_equal(first, network.simulate(1, 0.1, rng=5))
    assert not np.array_equal(first, network.simulate(1, 0.1, rng=6))
    generator = np.random.default_rng(5)
    np.testing.assert_array_equal(first, network.simulate(1, 0.1, rng=generator))
    assert not np.array_equal(first, network.simulate(1, 0.1, rng=generator))
    np.testing.assert_array_equal(A, network.A)
    # 0.3 / 0.1 is a hair below 3
    assert network.simulate(0.3, 0.1, rng=0).shape == (4, 3)
    assert network.simulate(0.06, 0.1, rng=0).shape == (4, 1)


def test_simulating_close_to_criticality():
    # lambda_max = 1 - 1e-6, general route, narrow bins: the covariances of one step are
    # differences of numbers a million times larger
    network = general_route(LinearNetwork([[1 - 1e-6, 0.0], [0.0, 0.5]], tau=1.0))
    h = 1e-4
    X = network.simulate(3 * h, h, n_trials=M, average=False, rng=15)
    changes = np.diff(X, axis=2) / np.sqrt(h)
    assert worst_z(trials_as_samples(changes), np.eye(4)) < Z_MAX


# --- Euler's scheme ------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.002, 0.01, 0.02])
@pytest.mark.parametrize("average", [False, True])
def test_euler_has_the_law_of_its_own_recursion(step, average):
    gaps = np.array([0.1, 0.5, 1.0, 1.5])
    ratio, per_bin, n_bins = step / TAU, 3, 3
    X = simulate_euler(
        np.diag(1 - gaps), n_bins * per_bin * step, per_bin * step, tau=TAU, step=step,
        burn_in=1.5, n_trials=M, average=average, rng=16,
    )  # fmt: skip
    assert X.shape == (M, 4, n_bins)
    variance = 1 / (2 * gaps - gaps**2 * ratio)  # the documented bias
    decay = 1 - gaps * ratio
    for i in range(4):
        lags = np.arange(n_bins * per_bin)
        C = scipy.linalg.toeplitz(variance[i] * decay[i] ** lags)
        weights = np.kron(np.eye(n_bins), np.ones(per_bin) / per_bin)
        if not average:
            weights = np.eye(n_bins * per_bin)[::per_bin]
        assert worst_z(X[:, i], weights @ C @ weights.T) < Z_MAX
    # the test can tell this bias from the exact variance in at least one mode
    se = np.sqrt(2 / M)
    assert np.abs(variance * 2 * gaps - 1).max() > 3 * se


@pytest.mark.parametrize("symmetric", [True, False])
def test_small_euler_steps_approach_the_exact_law(symmetric):
    A, h = small_matrix(symmetric), 1.0
    X = simulate_euler(A, 2 * TAU, TAU, tau=TAU, step=TAU / 50, burn_in=3, n_trials=M // 2, rng=17)
    C = joint_law(A, h, 2, True)
    samples = trials_as_samples(X)
    # sampling error, and the bias of relative order |A - I| step / tau
    bound = 5 * np.sqrt(2 / len(X)) + 3 / 50
    assert np.abs(samples.T @ samples / len(X) - C).max() < bound * np.abs(C).max()


def test_euler_starts_at_rest_without_burn_in():
    X = simulate_euler([[0.5]], 0.02, 0.002, burn_in=0, average=False, n_trials=M, rng=18)
    assert not X[:, :, 0].any()
    # variance after k steps from rest: sum of decay^(2 j), times step / tau
    decay, ratio = 1 - 0.5 * 0.1, 0.1
    expected = ratio * np.cumsum(decay ** (2 * np.arange(9)))
    z = ((X[:, 0, 1:] ** 2).mean(axis=0) / expected - 1) / np.sqrt(2 / M)
    assert np.abs(z).max() < 5


def test_euler_trials_rng_and_shape():
    A = small_matrix(False)
    X = simulate_euler(A, 0.2, 0.02, burn_in=0.1, rng=1)
    assert X.shape == (4, 10)
    np.testing.assert_array_equal(X, simulate_euler(A, 0.2, 0.02, burn_in=0.1, rng=1))
    assert not np.array_equal(X, simulate_euler(A, 0.2, 0.02, burn_in=0.1, rng=2))
    Y = simulate_euler(A, 0.2, 0.02, burn_in=0.1, n_trials=3, rng=1)
    assert Y.shape == (3, 4, 10)
    assert abs(np.corrcoef(Y[0].ravel(), Y[1].ravel())[0, 1]) < 0.9


def test_nonlinearity_acts_after_every_step():
    A = small_matrix(False)
    options = {"burn_in": 0.1, "average": False, "rng": 19}
    linear = simulate_euler(A, 0.2, 0.002, **options)
    same = simulate_euler(A, 0.2, 0.002, nonlinearity=lambda x: x, **options)
    np.testing.assert_array_equal(linear, same)
    relu = simulate_euler(A, 0.2, 0.002, nonlinearity=lambda x: np.maximum(x, 0), **options)
    assert relu.min() == 0 and (relu == 0).mean() > 0.01 and linear.min() < 0
    ones = simulate_euler(A, 0.2, 0.002, nonlinearity=np.ones_like, **options)
    assert (ones == 1).all()
    # replayed by hand from the same random numbers, one step at a time
    rng, x = np.random.default_rng(19), np.zeros((4, 1))
    states = []
    for _ in range(150):
        states.append(x[:, 0])
        x = np.maximum(x + 0.1 * (A @ x - x) + np.sqrt(0.1) * rng.standard_normal((4, 1)), 0)
    np.testing.assert_allclose(relu, np.array(states[50:]).T, atol=1e-12)


def test_growth_without_bound_is_an_arithmetic_error():
    with pytest.raises(ArithmeticError, match="unstable or step, .* scale A down"):
        simulate_euler([[30.0]], 10, 0.02, rng=0)
    # the same network with a nonlinearity that saturates is fine
    X = simulate_euler([[30.0]], 1, 0.02, nonlinearity=np.tanh, burn_in=0.2, rng=0)
    assert np.abs(X).max() <= 1


@pytest.mark.parametrize("fast", [-1e3, -1e6])
def test_covariance_of_a_stiff_network(fast):
    A = np.array([[fast, 1.0], [0.0, 0.5]])
    F = A - np.eye(2)
    expected = scipy.linalg.solve_continuous_lyapunov(F, -np.eye(2))
    np.testing.assert_allclose(LinearNetwork(A).covariance(), expected, rtol=1e-8, atol=1e-12)


def test_covariance_with_strong_inhibition_of_all_by_all():
    A = ensembles.random_connectivity(100, symmetry=0, rng=0)
    A = critically_normalize(A - A.mean(axis=1, keepdims=True)) - 10
    expected = scipy.linalg.solve_continuous_lyapunov(A - np.eye(100), -np.eye(100))
    S = LinearNetwork(A).covariance()
    assert np.linalg.norm(S - expected) < 1e-8 * np.linalg.norm(expected)
