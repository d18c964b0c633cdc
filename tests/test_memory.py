"""Closed forms against integrals and brute-force simulation; what the readouts are worth."""

import gc
import weakref

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

from critlib import dynamics, ensembles, memory
from critlib.dynamics import LinearNetwork
from critlib.memory import EchoStateNetwork, SymmetricModes, readout_accuracy
from critlib.normalization import critically_normalize

TAU = 0.02


def connectivity(n, symmetry, seed=0, target=0.998):
    A = ensembles.random_connectivity(n, symmetry=symmetry, rng=seed)
    return critically_normalize(A, target=target)


def modes(n, seed=0):
    values = ensembles.goe_top_eigenvalues(n, n, rng=seed)
    return SymmetricModes(0.998 * values / values[0])


def general_route(A):
    """The network, told that it is not symmetric."""
    network = LinearNetwork(A)
    object.__setattr__(network, "symmetric", False)
    return network


def sampler(network):
    return memory._sample_modes if network.symmetric else memory._sample_general


def same_mean(a, b):
    """Means over seeds agree within 4.5 standard errors of their difference."""
    error = np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    return abs(np.mean(a) - np.mean(b)) < 4.5 * error


# --- the Gaussian law ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.9, 0.0, -0.7, -50.0])
@pytest.mark.parametrize("delay", [0.1, 0.13, 0.6])
@pytest.mark.parametrize("general", [False, True])
def test_one_neuron_by_hand(value, delay, general):
    network = general_route([[value]]) if general else LinearNetwork([[value]])
    g = (1 - value) / TAU  # decay per second

    def response(t):  # of dx/dt = -g x + u / tau, for u = 1 during the 50 ms before t = 0
        return (np.exp(-g * t) - np.exp(-g * (t + 0.05))) / (g * TAU)

    mean = scipy.integrate.quad(response, delay - 0.1, delay, epsabs=1e-14)[0] / 0.1
    # variance 1 / (2 gap); average over the window of exp(-g |s - t|)
    variance = (g * 0.1 - 1 + np.exp(-g * 0.1)) * 2 / (g * 0.1) ** 2 / (2 * g * TAU)
    m = 20_000
    ends = np.full((1, m), round(delay / 0.002))
    features = np.repeat([[3.0, -3.0]], m // 2, axis=1)
    Y = next(sampler(network)(network, np.ones((1, 1)), features, ends, np.random.default_rng(0)))
    error = np.sqrt(variance / m)
    assert abs(np.mean(Y * np.sign(features)) - 3 * mean) < 5 * error
    residual = Y - 3 * np.sign(features) * mean
    assert abs(np.mean(residual**2) / variance - 1) < 5 * np.sqrt(2 / m)


@pytest.mark.parametrize("symmetry", [1.0, 0.0])
def test_mean_and_covariance_against_integrals(symmetry):
    n = 6
    A = connectivity(n, symmetry, target=0.95)
    F = A - np.eye(n)
    # response to a constant input in the two and a half tau that end at 0, averaged from a to a + 5
    inverse = np.linalg.inv(F)
    a = 1.7
    held = inverse @ (scipy.linalg.expm(2.5 * F) - np.eye(n))
    average = inverse @ (scipy.linalg.expm((a + 5) * F) - scipy.linalg.expm(a * F)) / 5
    S = scipy.linalg.solve_continuous_lyapunov(F, -np.eye(n))
    lagged = scipy.integrate.quad_vec(lambda s: (5 - s) * scipy.linalg.expm(s * F) @ S, 0, 5)[0]
    covariance = (lagged + lagged.T) / 25

    network = general_route(A)
    law = memory._Law(network)
    np.testing.assert_allclose(law.noise @ law.noise.T, covariance, rtol=0, atol=1e-10)
    ours = law.propagator(1)
    ours = np.linalg.matrix_power(ours, 17) @ law.response  # 17 steps of a tenth of tau
    np.testing.assert_allclose(ours, average @ held, rtol=0, atol=1e-10)
    if symmetry == 1:  # mode by mode the same
        values, V = np.linalg.eigh(A)
        values, V = values[::-1], V[:, ::-1]
        m = 4000
        ends = np.full((1, n * m), round((a * TAU + 0.1) / 0.002))
        features = np.repeat(np.eye(n), m, axis=1) * 1e7
        Y = next(
            memory._sample_modes(
                SymmetricModes(values), V.T.copy(), features, ends, np.random.default_rng(0)
            )
        )
        mean = (V @ Y).reshape(n, n, m).mean(axis=2) / 1e7
        np.testing.assert_allclose(mean, average @ held, rtol=0, atol=1e-8)
        noise = Y - V.T @ (average @ held @ features)
        expected = V.T @ covariance @ V
        assert np.abs(np.cov(noise) - expected).max() < 5.5 * expected.max() * np.sqrt(2 / (n * m))


def test_narrow_windows_do_not_cancel():
    # a network so slow that nothing changes: variance of the average is that of the state
    slow = SymmetricModes([0.5], tau=1e9)
    ends = np.full((1, 4000), 60)
    zero = np.zeros((1, 4000))
    Y = next(memory._sample_modes(slow, np.ones((1, 1)), zero, ends, np.random.default_rng(0)))
    assert abs(Y.var() - 1) < 5 * np.sqrt(2 / 4000)


def brute_force(A, *, task, delay, time_independent, k, m, ratio, seed, inputs="random"):
    """Accuracy from a simulation in exact steps of 1 ms, by readouts of scikit-learn."""
    n = len(A)
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * m) % 2
    if task == "zero_shot":
        features = rng.standard_normal((k, 2 * m))
    else:
        features = rng.standard_normal((k, 2))[:, labels]
    F, dt = A - np.eye(n), 0.001
    S = scipy.linalg.solve_continuous_lyapunov(F, -np.eye(n))
    if inputs == "random":
        weights = rng.standard_normal((n, k)) / np.sqrt(k)
    else:
        weights = np.linalg.eigh(S)[1][:, ::-1][:, :k] * np.sqrt(n / k)
    ends = np.full(2 * m, round(delay / 0.002))
    if time_independent:
        ends = rng.integers(60, ends, endpoint=True)
    noise = np.random.default_rng([seed, 1])
    P = scipy.linalg.expm(F * dt / TAU)
    chol = np.linalg.cholesky(S - P @ S @ P.T)
    drive = np.linalg.solve(F, P - np.eye(n)) @ (ratio * weights @ features)
    x = np.linalg.cholesky(S) @ noise.standard_normal((n, 2 * m))
    Y = np.zeros_like(x)
    for step in range(-50, round(delay / dt)):
        new = P @ x + chol @ noise.standard_normal(x.shape)
        if step < 0:
            new += drive
        now = (step >= 2 * ends - 100) & (step < 2 * ends)
        Y[:, now] += (x + new)[:, now] / 200
        x = new
    Y = (Y - Y[:, :m].mean(axis=1, keepdims=True)).T
    Y /= np.sqrt(np.mean(Y[:m] ** 2))
    if task == "binary":
        return KNeighborsClassifier(1).fit(Y[:m], labels[:m]).score(Y[m:], labels[m:])
    predicted = Ridge(10.0).fit(Y[:m], features[:, :m].T).predict(Y[m:])
    distance = scipy.spatial.distance.cdist(predicted, features[:, m:].T)
    return np.mean(distance.argmin(axis=1) == np.arange(m))


@pytest.mark.parametrize(
    ("task", "time_independent", "inputs", "ratio"),
    [
        ("zero_shot", False, "random", 10.0),
        ("zero_shot", True, "random", 8.0),
        ("zero_shot", True, "eigenvectors", 5.0),
        ("binary", False, "random", 5.0),
        ("binary", True, "random", 4.0),
    ],
)
@pytest.mark.parametrize("symmetry", [1.0, 0.0])
def test_accuracy_against_brute_force(symmetry, task, time_independent, inputs, ratio):
    A = connectivity(30, symmetry)
    network = LinearNetwork(A)
    how = {"task": task, "delay": 0.2, "time_independent": time_independent, "inputs": inputs}
    ours, theirs = [], []
    for seed in range(12):  # the same inputs, other noise
        ours.append(
            readout_accuracy(network, **how, n_features=5, n_trials=100, amplitude=ratio, noise=1,
                             rng=seed)
        )  # fmt: skip
        theirs.append(brute_force(A, **how, k=5, m=100, ratio=ratio, seed=seed))
    difference = np.subtract(ours, theirs)
    # sampling error of the paired difference; binomial alone is sqrt(2 p (1 - p) / 1200)
    assert abs(difference.mean()) < 4.5 * difference.std(ddof=1) / np.sqrt(12)
    assert difference.std(ddof=1) / np.sqrt(12) < 0.05
    # not at a floor or ceiling, where agreement would be cheap
    assert (0.05 if task == "zero_shot" else 0.6) < np.mean(ours) < 0.95


def test_nearest_neighbour_of_one_neuron_has_the_accuracy_of_cover_and_hart():
    # With many training trials the nearest one has the label 1 with the posterior probability p,
    # as the test trial has: the accuracy is the average of p^2 + (1 - p)^2.
    m, accuracy, expected = 1500, [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        features, weight = rng.standard_normal((1, 2)), rng.standard_normal()
        # value 0: response (1 - exp(-2.5)) (1 - exp(-5)) / 5 at delay 0.1; variance of the average
        response = 3 * weight * features[0] * (1 - np.exp(-2.5)) * (1 - np.exp(-5)) / 5
        sd = np.sqrt((5 - 1 + np.exp(-5)) / 25)
        y = np.linspace(-12, 12, 4801)
        p0, p1 = (scipy.stats.norm.pdf(y, center, sd) for center in response)
        expected.append(scipy.integrate.trapezoid((p0**2 + p1**2) / (p0 + p1) / 2, y))
        accuracy.append(
            readout_accuracy(LinearNetwork([[0.0]]), task="binary", delay=0.1, n_features=1,
                             n_trials=m, amplitude=3, noise=1, rng=seed)
        )  # fmt: skip
    # test trials and training trials both sample: twice the binomial variance bounds it
    error = np.sqrt(2 * 0.25 / m)
    np.testing.assert_allclose(accuracy, expected, rtol=0, atol=4 * error)
    assert np.ptp(expected) > 0.1


def one_after_the_other(network, *, delay, time_independent, interval, inputs, seed, m=1000):
    """Zero-shot accuracy of a symmetric network that gets all inputs in one run, mode by mode."""
    rng = np.random.default_rng(seed)
    k, n = 100, network.n
    features = rng.standard_normal((k, 2 * m))
    weights = np.eye(n, k) * np.sqrt(n / k)
    if inputs == "random":
        weights = rng.standard_normal((n, k)) / np.sqrt(k)
    ends = np.full(2 * m, delay)
    if time_independent:
        ends = 0.002 * rng.integers(60, round(delay / 0.002), size=2 * m, endpoint=True)
    g = 1 - network.eigenvalues

    def pass_on(x, seconds):
        t = seconds / TAU
        sd = np.sqrt(-np.expm1(-2 * g * t) / (2 * g))
        return np.exp(-g * t) * x + sd * rng.standard_normal(n)

    # the window: mean activity y and state x' at its end, given the state x at its start
    G, P = -np.expm1(-5 * g) / (5 * g), np.exp(-5 * g)
    var_x = -np.expm1(-10 * g) / (2 * g)
    cov = 5 * G**2 / 2
    var_y = ((5 * g + np.expm1(-5 * g)) / (5 * g) ** 2 * 2 - G**2) / (2 * g)
    drive = 2.5 / 0.316 * -np.expm1(-2.5 * g) / g
    x = rng.standard_normal(n) / np.sqrt(2 * g)
    Y = np.empty((n, 2 * m))
    for i in range(2 * m):
        x = pass_on(x, 0.05) + drive * (weights @ features[:, i])
        x = pass_on(x, ends[i] - 0.1)
        e = rng.standard_normal((2, n))
        after = P * x + np.sqrt(var_x) * e[0]
        Y[:, i] = G * x + cov / np.sqrt(var_x) * e[0] + np.sqrt(var_y - cov**2 / var_x) * e[1]
        x = pass_on(after, interval - 0.05 - ends[i])
    Y -= Y[:, :m].mean(axis=1, keepdims=True)
    Y /= np.sqrt(np.mean(Y[:, :m] ** 2))
    return memory._zero_shot(Y[:, :m], Y[:, m:], features, 10.0, "euclidean").mean()


@pytest.mark.parametrize(("inputs", "interval"), [("random", 3.0), ("eigenvectors", 9.0)])
def test_inputs_a_few_seconds_apart_hardly_disturb_each_other(inputs, interval):
    network = modes(1000)
    how = {"delay": 0.4, "time_independent": True, "inputs": inputs}
    apart = [readout_accuracy(network, rng=seed, **how) for seed in range(2)]
    run = [one_after_the_other(network, interval=interval, seed=seed, **how) for seed in range(2)]
    assert abs(np.mean(apart) - np.mean(run)) < 0.04


# --- readouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 80])
@pytest.mark.parametrize("penalty", [0.01, 10.0, 1000.0])
def test_readouts_against_scikit_learn(n, penalty):
    rng = np.random.default_rng(n)
    features = rng.standard_normal((5, 80)) + 0.3
    Y = rng.standard_normal((n, 5)) @ features + 2 * rng.standard_normal((n, 80))
    train, test = Y[:, :40], Y[:, 40:]
    train, test = (part - train.mean(axis=1, keepdims=True) for part in (train, test))
    predicted = Ridge(penalty).fit(train.T, features[:, :40].T).predict(test.T)
    for nearest in ("euclidean", "cosine"):
        d = scipy.spatial.distance.cdist(predicted, features[:, 40:].T, nearest)
        right = memory._zero_shot(train, test, features, penalty, nearest)
        np.testing.assert_array_equal(right, d.argmin(axis=1) == np.arange(40))
    labels = np.arange(80) % 2
    found = KNeighborsClassifier(1).fit(train.T, labels[:40]).predict(test.T)
    right = memory._nearest_neighbour(train, test, labels)
    np.testing.assert_array_equal(right, found == labels[40:])


def test_without_input_there_is_only_chance():
    for network in (modes(100), LinearNetwork(connectivity(20, 0)), EchoStateNetwork(np.eye(3))):
        # 10 seeds of 100 trials, 1/100 each: 10 right, s.d. 3.2, at most 26 in one of 1e5 cases
        hits = [
            100 * readout_accuracy(network, delay=0.12, amplitude=0, n_trials=100, n_features=3,
                                   rng=seed)
            for seed in range(10)
        ]  # fmt: skip
        assert 1 <= sum(hits) <= 26
    half = readout_accuracy(modes(100), delay=0.12, task="binary", amplitude=0, rng=0)
    assert abs(half - 0.5) < 4.5 * np.sqrt(0.25 / 1000)


@pytest.mark.parametrize("task", ["zero_shot", "binary"])
@pytest.mark.parametrize("inputs", ["random", "eigenvectors"])
def test_a_strong_input_is_not_forgotten_at_once(task, inputs):
    for network in (modes(150), LinearNetwork(connectivity(150, 0))):
        for time_independent in (False, True):
            accuracy = readout_accuracy(
                network, delay=0.12, task=task, inputs=inputs, amplitude=100, n_trials=200,
                n_features=20, time_independent=time_independent, rng=0,
            )  # fmt: skip
            assert accuracy == 1


def test_memory_fades():
    for network in (modes(300), LinearNetwork(connectivity(150, 0))):
        accuracy = readout_accuracy(network, delay=[0.1, 0.3, 3.0], n_trials=200, rng=0)
        assert accuracy[0] > 0.95 and accuracy[2] < 0.05
        assert np.all(np.diff(accuracy) < 0)


# --- what must not matter, and what must ---------------------------------------------------------


@pytest.mark.parametrize("inputs", ["random", "eigenvectors"])
def test_a_symmetric_network_is_its_eigenvalues(inputs):
    A = connectivity(40, 1)
    how = {"delay": [0.12, 0.3], "time_independent": True, "inputs": inputs, "n_features": 10,
           "n_trials": 60}  # fmt: skip
    values = SymmetricModes(np.random.default_rng(0).permutation(np.linalg.eigvalsh(A)))
    for seed in range(3):
        np.testing.assert_array_equal(
            readout_accuracy(LinearNetwork(A), rng=seed, **how),
            readout_accuracy(values, rng=seed, **how),
        )
    # and it is the same as for a network that is not known to be symmetric
    network = general_route(A)
    short = [readout_accuracy(values, rng=seed, **how)[1] for seed in range(30)]
    long = [readout_accuracy(network, rng=seed, **how)[1] for seed in range(30, 60)]
    assert same_mean(short, long)
    assert 0.1 < np.mean(short) < 0.95


def test_rotating_the_neurons_changes_nothing():
    A = connectivity(40, 0)
    Q = scipy.stats.ortho_group.rvs(40, random_state=0)
    how = {"delay": 0.25, "time_independent": True, "n_features": 10, "n_trials": 60}
    first, second = LinearNetwork(A), LinearNetwork(Q @ A @ Q.T)
    a = [readout_accuracy(first, rng=seed, **how) for seed in range(25)]
    b = [readout_accuracy(second, rng=seed, **how) for seed in range(25, 50)]
    assert same_mean(a, b) and 0.1 < np.mean(a) < 0.95


@pytest.mark.parametrize("network", [modes(50), LinearNetwork(connectivity(50, 0)),
                                     EchoStateNetwork(connectivity(50, 0))])  # fmt: skip
def test_only_stated_scales_matter(network):
    how = {"delay": 0.12, "n_trials": 60, "n_features": 10, "rng": 3}
    base = readout_accuracy(network, **how)
    # amplitude and noise by their ratio, as long as activity is standardized ...
    assert readout_accuracy(network, amplitude=25, noise=3.16, **how) == base
    # ... otherwise the penalty has the units of activity squared
    raw = {**how, "standardize": False}
    a = readout_accuracy(network, amplitude=2, noise=0.5, penalty=0.1, **raw)
    assert a == readout_accuracy(network, amplitude=20, noise=5, penalty=10, **raw)
    assert readout_accuracy(network, amplitude=0.2, **how) < base


def test_same_seed_same_result():
    for network in (modes(50), LinearNetwork(connectivity(50, 0)),
                    EchoStateNetwork(connectivity(50, 1))):  # fmt: skip
        how = {"n_trials": 100, "n_features": 10, "time_independent": True}
        a = readout_accuracy(network, delay=0.3, rng=5, **how)
        assert isinstance(a, float)
        assert a == readout_accuracy(network, delay=0.3, rng=np.random.default_rng(5), **how)
        several = readout_accuracy(network, delay=[0.3], rng=5, **how)
        assert several.shape == (1,) and several[0] == a
        # delays are rounded to 2 ms
        assert a == readout_accuracy(network, delay=0.3009, rng=5, **how)
        assert len({readout_accuracy(network, delay=0.3, rng=s, **how) for s in range(6)}) > 1


def test_the_law_of_a_network_is_kept_as_long_as_the_network(monkeypatch):
    network = LinearNetwork(connectivity(20, 0))
    how = {"n_trials": 20, "n_features": 4, "rng": 0}
    first = readout_accuracy(network, delay=[0.1, 0.2], **how)
    monkeypatch.setattr(memory, "_Law", None)  # a second one cannot be made
    np.testing.assert_array_equal(readout_accuracy(network, delay=[0.1, 0.2], **how), first)
    seen = weakref.ref(network)
    del network
    gc.collect()
    assert seen() is None


# --- echo-state networks -------------------------------------------------------------------------


def test_echo_state_noise_against_simulate_euler():
    A = connectivity(12, 0)  # so few neurons need less gain to have a stationary state
    network = EchoStateNetwork(A, gain=0.8)
    ends = np.full((1, 3000), 60)
    rng = np.random.default_rng(0)
    zero = np.zeros((1, 3000))
    Y = next(memory._sample_euler(network, np.ones((12, 1)), zero, ends, rng))
    X = dynamics.simulate_euler(
        0.8 * A, 0.1, 0.1, burn_in=1, nonlinearity=lambda x: np.maximum(x, 0), n_trials=3000, rng=1
    )[:, :, 0].T
    error = np.sqrt((Y.var(axis=1) + X.var(axis=1)) / 3000)
    assert np.all(np.abs(Y.mean(axis=1) - X.mean(axis=1)) < 5 * error)
    np.testing.assert_allclose(Y.var(axis=1), X.var(axis=1), rtol=5 * np.sqrt(4 / 3000) * 1.5)


def test_echo_state_response_by_hand():
    # a single neuron without recurrence and an input far above the noise: x <- 0.9 x + 0.1 u
    network = EchoStateNetwork([[0.0]])
    features = np.array([[1e6, -1e6]])
    ends = np.array([[50, 50], [75, 60]])
    found = list(
        memory._sample_euler(network, np.ones((1, 1)), features, ends, np.random.default_rng(0))
    )
    peak = 1e6 * (1 - 0.9**25)
    for Y, end in zip(found, ends[:, 0], strict=True):
        expected = peak * np.mean(0.9 ** np.arange(end - 49, end + 1))
        assert Y[0, 0] == pytest.approx(expected, rel=1e-4, abs=2)
        assert 0 <= Y[0, 1] < 2  # silenced, then noise


def test_echo_state_inputs_through_components():
    # one input feature drives the direction in which activity varies most
    A = np.zeros((4, 4))
    A[:2, :2] = 0.55
    weights = []
    features = np.ones((1, 500))

    class Spy(np.ndarray):
        def __rmatmul__(self, other):
            weights.append(other)
            return other @ np.asarray(self)

    ends = np.full((1, 500), 50)
    next(memory._sample_euler(EchoStateNetwork(A, gain=1), None, features.view(Spy), ends,
                              np.random.default_rng(0)))  # fmt: skip
    np.testing.assert_allclose(np.abs(weights[0][:, 0]), [2**0.5, 2**0.5, 0, 0], atol=0.3)
    assert np.sum(weights[0] ** 2) == pytest.approx(4)


def test_growing_echo_state_is_an_arithmetic_error():
    with np.errstate(all="ignore"), pytest.raises(ArithmeticError, match="gain is 400.*smaller"):
        readout_accuracy(EchoStateNetwork(np.eye(3), gain=400), delay=0.2, n_trials=5)


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match=r"^network is array.*LinearNetwork"):
        readout_accuracy(np.eye(2) / 2, delay=0.2)
    with pytest.raises(ValueError, match="^eigenvalues holds 1: .* below 1"):
        SymmetricModes([0.5, 1.0])


# --- findings ------------------------------------------------------------------------------------


def test_symmetric_networks_need_no_clock_and_echo_states_forget():
    n, how = 400, {"n_trials": 500, "rng": 0}
    symmetric = modes(n)
    rotating = LinearNetwork(connectivity(n, 0))
    a, b = (
        readout_accuracy(network, delay=0.4, time_independent=True, **how)
        for network in (symmetric, rotating)
    )
    assert a > b + 0.05
    fixed = readout_accuracy(rotating, delay=0.2, **how)
    echo = readout_accuracy(EchoStateNetwork(connectivity(n, 0)), delay=[0.1, 0.2], **how)
    assert fixed > 0.9 and echo[0] > 0.3 and echo[1] < 0.3
