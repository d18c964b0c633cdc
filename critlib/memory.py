"""Working memory: what a readout can still tell about an input that has ended (chapter 9)."""

import weakref
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from tqdm import tqdm

from critlib import _checks
from critlib.dynamics import LinearNetwork, _phi_functions

STEP = 0.002  # seconds: grid of delays, and Euler step of an echo-state network
INPUT_DURATION = 0.05  # seconds, up to time 0
WINDOW = 0.1  # seconds: a readout sees the mean activity of a window that ends at the delay
MIN_DELAY = 0.12  # seconds: shortest of the random delays of time-independent decoding
BURN_IN = 0.4  # seconds an echo-state network runs before the input


@dataclass(frozen=True, eq=False)
class SymmetricModes:
    r"""Symmetric linear network of which only the eigenvalues are known.

    Memory of random inputs depends on nothing else: random Gaussian weights look the same in the
    basis of the eigenvectors. So networks of any size can be studied without a matrix.

    Parameters
    ----------
    eigenvalues : array_like, shape (n,)
        Eigenvalues of the connectivity, all below 1, in any order.
    tau : float, default 0.02
        Time constant of one neuron, in seconds, greater than 0.

    Attributes
    ----------
    eigenvalues : ndarray, shape (n,)
        From the largest down.
    tau : float
        Time constant in seconds.

    Raises
    ------
    ValueError
        If `eigenvalues` is empty, not finite or reaches 1; if `tau` is not positive.
    TypeError
        If an argument is not real.

    Examples
    --------
    >>> SymmetricModes([0.2, 0.9]).eigenvalues
    array([0.9, 0.2])
    """

    eigenvalues: np.ndarray
    tau: float = 0.02

    def __post_init__(self):
        values = _checks.real_array(self.eigenvalues, "eigenvalues", ndim=1)
        values = np.sort(values.astype(np.float64))[::-1]
        if values[0] >= 1:
            raise ValueError(
                f"eigenvalues holds {values[0]:g}: all must be below 1, or activity has no "
                "stationary state; scale them"
            )
        object.__setattr__(self, "eigenvalues", values)
        object.__setattr__(self, "tau", _checks.real(self.tau, "tau", low=0, open_low=True))

    @property
    def n(self):
        """Number of neurons."""
        return len(self.eigenvalues)


@dataclass(frozen=True, eq=False)
class EchoStateNetwork:
    r"""Network whose activity is rectified after every Euler step.

    ``x <- max(0, x + (step / tau) (-x + gain A x + input) + sqrt(step / tau) noise)`` in steps
    of 2 ms.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Connectivity, critically normalized, before it is scaled by `gain`.
    tau : float, default 0.02
        Time constant of one neuron, in seconds, at least the step of 0.002.
    gain : float, default 1.4
        Factor on `A`, at least 0. If half of the neurons are silent, a random matrix loses a
        factor of 1.4.

    Raises
    ------
    ValueError
        If `A` is not square, empty or not finite; if a number is out of range.
    TypeError
        If `A` is not real or is sparse, or a number is not one.

    References
    ----------
    .. [1] Jaeger & Haas, "Harnessing nonlinearity", Science 304, 78 (2004).

    Examples
    --------
    >>> EchoStateNetwork([[0.0, 0.5], [0.5, 0.0]]).n
    2
    """

    A: np.ndarray
    tau: float = 0.02
    gain: float = 1.4

    def __post_init__(self):
        object.__setattr__(self, "A", _checks.square_matrix(self.A))
        object.__setattr__(self, "tau", _checks.real(self.tau, "tau", low=STEP))
        object.__setattr__(self, "gain", _checks.real(self.gain, "gain", low=0))

    @property
    def n(self):
        """Number of neurons."""
        return len(self.A)


def readout_accuracy(
    network,
    *,
    delay,
    task="zero_shot",
    inputs="random",
    time_independent=False,
    n_features=100,
    n_trials=1000,
    amplitude=2.5,
    noise=0.316,
    penalty=10.0,
    standardize=True,
    nearest="euclidean",
    rng=None,
):
    r"""Fraction of inputs that a readout recognises some time after they ended.

    An input is a vector of random features, spread over all neurons and on for 50 ms. A readout
    is trained on the mean activity of the 100 ms that end at the delay after the input's end.
    Linear networks are sampled from their exact Gaussian law, without time steps.

    Parameters
    ----------
    network : dynamics.LinearNetwork, SymmetricModes or EchoStateNetwork
        Who has to remember.
    delay : float or array_like of shape (k,)
        Seconds from the end of the input to the end of the readout's window, 0.1 to 100, rounded
        to 2 ms. Several delays share inputs and weights, and cost little more than the longest.
    task : str, default "zero_shot"
        "zero_shot": new inputs in each trial; ridge regression from activity to features; right
        if, among the features of all test trials, those of this trial are nearest to the
        prediction. Chance is ``1 / n_trials``. "binary": two inputs in turn, told apart by the
        nearest training trial. Chance is 1/2.
    inputs : str, default "random"
        "random": feature weights are Gaussian. "eigenvectors": feature i drives the i-th
        principal component of ongoing activity.
    time_independent : bool, default False
        False: one readout per delay. True: one readout for all, with the delay of each trial
        uniform between 0.12 s and `delay`, which then is 0.12 or more.
    n_features : int, default 100
        Number of features, standard normal; at most the number of neurons for "eigenvectors".
    n_trials : int, default 1000
        Training trials, and as many test trials; at least 2.
    amplitude : float, default 2.5
        Root mean square, over neurons and inputs, of what a neuron receives; at least 0.
    noise : float, default 0.316
        Strength of the noise in the units of `amplitude`, greater than 0. Only their ratio
        matters if `standardize` is True.
    penalty : float, default 10.0
        Ridge penalty beside sums over the training trials, greater than 0.
    standardize : bool, default True
        Divide activity by its root mean square over neurons and training trials, so that
        `penalty` has a unit. False: activity in the units of `noise`.
    nearest : str, default "euclidean"
        Distance between predicted and true features, "euclidean" or "cosine". Ridge regression
        predicts features that are too small, which the cosine does not see.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float, or ndarray of shape (k,) if `delay` is an array
        Fraction of test trials that are right.

    Raises
    ------
    ValueError
        If a number is out of range or an option unknown.
    TypeError
        If an argument has the wrong type.
    ArithmeticError
        If an echo-state network's activity grows without bound, or as for
        `dynamics.LinearNetwork.covariance`.

    Notes
    -----
    In units of tau, with F = A - I, the input's duration w and the window's L, features f enter
    through weights W as ``amplitude W f``. The mean activity of the window that starts a after
    the input's end is ``phi1(F L) exp(F a) w phi1(F w) amplitude W f``, its covariance
    ``noise^2 (phi2 S + S phi2^T)``, with S the stationary covariance, ``phi2 = phi2(F L)`` and
    ``phi1(z) = (exp(z) - 1) / z``, ``phi2(z) = (phi1(z) - 1) / z``. For symmetric A everything is
    done mode by mode; neither readout changes if the neurons are rotated into the eigenvectors.

    The paper [1]_ leaves scales open. Ours: weights ``W[i, j]`` have variance ``1 / n_features``,
    so that `amplitude` is the s.d. of a neuron's input; eigenvectors of length
    ``sqrt(n / n_features)`` inject the same power. The paper's published code adds
    ``step / tau`` times a standard normal number in each Euler step; that is noise of strength
    ``sqrt(step / tau) = 0.316`` for a step of 2 ms, and the default. With `noise` = 1, the unit
    of `dynamics.LinearNetwork`, an input of 2.5 is 3.2 times weaker.

    With these, 2,000 neurons with a largest eigenvalue of 0.998 and random delays up to 0.5 s
    (1 s), zero-shot accuracy is 0.81 (0.33) for symmetric and 0.67 (0.16) for non-symmetric
    networks, s.d. over five networks 0.02. With weaker inputs to the latter, so that both are equal
    at a fixed delay of 0.5 s, it is 0.55 (0.10) there. It depends on the scales: `noise` = 1 gives
    0.31 (0.06) and 0.23 (0.02), `nearest` = "cosine" 0.91 (0.36) and 0.79 (0.21), three networks
    each. Symmetric networks are better in all variants that we tried.

    Every trial starts from stationary activity. The paper has 3 s between inputs (9 s for
    eigenvectors), which only some ``n (tau / 3 s)^(3/2)`` modes outlast: in one long run, with
    inputs that follow each other, accuracy is the same within 0.01.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 5.

    Examples
    --------
    >>> from critlib import ensembles
    >>> eigenvalues = 0.998 * ensembles.goe_top_eigenvalues(500, 500, rng=0)
    >>> network = SymmetricModes(eigenvalues)
    >>> readout_accuracy(network, delay=[0.1, 1.0], n_trials=200, rng=0).round(1)
    array([1., 0.])
    """
    if not isinstance(network, (LinearNetwork, SymmetricModes, EchoStateNetwork)):
        raise TypeError(
            f"network is {' '.join(repr(network).split())}: pass a "
            "dynamics.LinearNetwork, a memory.SymmetricModes or a memory.EchoStateNetwork"
        )
    _checks.one_of(task, "task", ("zero_shot", "binary"))
    _checks.one_of(inputs, "inputs", ("random", "eigenvectors"))
    _checks.one_of(nearest, "nearest", ("euclidean", "cosine"))
    _checks.boolean(time_independent, "time_independent")
    _checks.boolean(standardize, "standardize")
    most = network.n if inputs == "eigenvectors" else None
    n_features = _checks.integer(n_features, "n_features", low=1, high=most)
    n_trials = _checks.integer(n_trials, "n_trials", low=2)
    amplitude = _checks.real(amplitude, "amplitude", low=0)
    noise = _checks.real(noise, "noise", low=0, open_low=True)
    penalty = _checks.real(penalty, "penalty", low=0, open_low=True)
    shortest = MIN_DELAY if time_independent else WINDOW
    several = np.iterable(delay)
    delays = _checks.real_array(delay, "delay", ndim=1).tolist() if several else [delay]
    delays = [_checks.real(value, "delay", low=shortest, high=100) for value in delays]
    rng = _checks.rng_from(rng)

    if task == "zero_shot":
        features = rng.standard_normal((n_features, 2 * n_trials))
    else:
        labels = np.arange(2 * n_trials) % 2
        features = rng.standard_normal((n_features, 2))[:, labels]
    weights = None
    if inputs == "random":
        weights = rng.standard_normal((network.n, n_features)) / np.sqrt(n_features)
    ends = np.rint(np.array(delays) / STEP).astype(int)[:, None].repeat(2 * n_trials, axis=1)
    if time_independent:
        ends = rng.integers(round(MIN_DELAY / STEP), ends, endpoint=True)

    if isinstance(network, EchoStateNetwork):
        sample = _sample_euler
    elif isinstance(network, SymmetricModes) or network.symmetric:
        sample = _sample_modes
    else:
        sample = _sample_general
    accuracy = []
    # activity in units of the noise
    for Y in sample(network, weights, amplitude / noise * features, ends, rng):
        Y = Y - Y[:, :n_trials].mean(axis=1, keepdims=True)
        if standardize:
            Y /= np.sqrt(np.mean(Y[:, :n_trials] ** 2))
        else:
            Y *= noise
        train, test = Y[:, :n_trials], Y[:, n_trials:]
        if task == "zero_shot":
            right = _zero_shot(train, test, features, penalty, nearest)
        else:
            right = _nearest_neighbour(train, test, labels)
        accuracy.append(float(right.mean()))
    return np.array(accuracy) if several else accuracy[0]


def _zero_shot(train, test, features, penalty, nearest):
    known, wanted = features[:, : train.shape[1]], features[:, train.shape[1] :]
    mean = known.mean(axis=1, keepdims=True)
    # the dual form: with X = train, W = F X^T (X X^T + p)^-1 = F (X^T X + p)^-1 X^T
    gram = train.T @ train
    gram[np.diag_indices_from(gram)] += penalty
    solved = scipy.linalg.solve(gram, (known - mean).T, assume_a="pos")
    predicted = (test.T @ train) @ solved + mean.T
    if nearest == "cosine":
        score = predicted @ (wanted / np.linalg.norm(wanted, axis=0))
    else:
        score = predicted @ wanted - np.sum(wanted**2, axis=0) / 2
    return score.argmax(axis=1) == np.arange(len(score))


def _nearest_neighbour(train, test, labels):
    known, wanted = labels[: train.shape[1]], labels[train.shape[1] :]
    score = test.T @ train - np.sum(train**2, axis=0) / 2
    return known[score.argmax(axis=1)] == wanted


# Each sampler yields, for each row of `ends`, the activity (n, trials) of windows that end at
# these steps, for noise of unit strength.


def _sample_modes(network, weights, features, ends, rng):
    """Symmetric network, in the basis of its eigenvectors."""
    values = network._modes[0] if isinstance(network, LinearNetwork) else network.eigenvalues
    gap = 1 - values.astype(np.float64)[:, None]
    window, duration = WINDOW / network.tau, INPUT_DURATION / network.tau

    def phi1(z):
        return -np.expm1(-z) / z

    z = gap * window
    small = z < 1e-4  # where the closed form cancels
    zs = np.where(small, 1.0, z)
    sd = np.sqrt(np.where(small, 0.5 - z / 6, (zs + np.expm1(-zs)) / zs**2) / gap)
    if weights is None:
        weights = _scaled(np.eye(network.n, len(features)))  # modes are components
    at_start = phi1(z) * duration * phi1(gap * duration) * (weights @ features)
    for end in ends:
        passed = (end - end.min()) * STEP / network.tau  # most ends are equal, or none
        Y = at_start * np.exp(-gap * ((end.min() * STEP - WINDOW) / network.tau))
        if passed.any():
            Y *= np.exp(-gap * passed)
        Y += sd * rng.standard_normal(Y.shape)
        yield Y


def _sample_general(network, weights, features, ends, rng):
    """Non-symmetric network: the response to each feature is carried along the grid of delays."""
    law = _LAWS.get(network) or _LAWS.setdefault(network, _Law(network))
    if weights is None:
        weights = _components(network._covariance, len(features))
    response = (law.response @ weights).astype(np.float32)  # half the time of float64
    activity = [law.noise @ rng.standard_normal((network.n, len(end))) for end in ends]
    steps = ends - round(WINDOW / STEP)
    stride = int(np.gcd.reduce(steps, axis=None)) or 1
    advance = law.propagator(stride).astype(np.float32)
    for step in tqdm(range(0, steps.max() + 1, stride), desc="delays", delay=2, leave=False):
        if step:
            response = advance @ response
        for Y, now in zip(activity, steps == step):
            if now.any():
                Y[:, now] += response @ features[:, now]
    yield from activity


class _Law:
    """What a non-symmetric network does to an input, and its noise: costly, so kept."""

    def __init__(self, network):
        F = network.A.astype(np.float64) - np.eye(network.n)
        S, tau = network._covariance, network.tau
        _, phi1, phi2 = _phi_functions(F * (WINDOW / tau))
        half = phi2 @ S
        self.noise = np.linalg.cholesky(half + half.T)
        duration = INPUT_DURATION / tau
        self.response = duration * (phi1 @ _phi_functions(F * duration)[1])
        self._drift, self._kept = F * (STEP / tau), {}

    def propagator(self, stride):
        if stride not in self._kept:
            self._kept = {stride: _phi_functions(self._drift * stride)[0]}
        return self._kept[stride]


_LAWS = weakref.WeakKeyDictionary()


def _sample_euler(network, weights, features, ends, rng):
    """Echo-state network: all trials at once, in steps of STEP, float32."""
    n, n_trials = network.n, features.shape[1]
    h = STEP / network.tau
    advance = (h * network.gain * network.A + (1 - h) * np.eye(n)).astype(np.float32)
    burn_in, duration, window = (round(t / STEP) for t in (BURN_IN, INPUT_DURATION, WINDOW))
    x = np.zeros((n, n_trials), np.float32)
    drive, total = np.zeros_like(x), np.zeros_like(x)
    activity = [np.zeros_like(x) for _ in ends]
    steps = range(1 - burn_in - duration, ends.max() + 1)  # the input ends after step 0
    for step in tqdm(steps, desc="simulating", delay=2, leave=False):
        if step == 1 - duration:
            if weights is None:
                weights = _components(np.cov(x), len(features))
            drive = (h * (weights @ features)).astype(np.float32)
        elif step == 1:
            drive[:] = 0
        x = advance @ x
        x += drive
        x += np.float32(np.sqrt(h)) * rng.standard_normal(x.shape, np.float32)
        np.maximum(x, 0, out=x)
        if step > 0:
            total += x
        for Y, end in zip(activity, ends):
            for sign, now in ((-1, end - window == step), (1, end == step)):
                if now.any():
                    Y[:, now] += sign / window * total[:, now]
        if step % 50 == 0 and not np.isfinite(x).all():
            raise ArithmeticError(
                f"the activity of the echo-state network grew without bound: gain is "
                f"{network.gain:g}; make it smaller"
            )
    yield from (Y.astype(np.float64) for Y in activity)


def _components(covariance, k):
    """Leading k principal components of activity."""
    n = len(covariance)
    return _scaled(scipy.linalg.eigh(covariance, subset_by_index=(n - k, n - 1))[1][:, ::-1])


def _scaled(vectors):
    """Orthonormal columns, scaled to inject as much power as random weights do."""
    n, k = vectors.shape
    return vectors * np.sqrt(n / k)
