"""Linear networks driven by noise: closed forms and exact simulation (chapter 3)."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.linalg
import scipy.special
from tqdm import tqdm

from critlib import _checks
from critlib.normalization import spectral_abscissa

# Simulations are cut into pieces of about this many numbers, so that memory stays bounded.
_CHUNK = 2**22


@dataclass(frozen=True, eq=False)
class LinearNetwork:
    r"""Noisy linear network, tau dx/dt = -x + A x + noise.

    The noise is independent across neurons, white in time and of unit strength: in units of tau,
    ``dx = (A - I) x dt + dW`` with W a standard Wiener process. Everything about this network is
    Gaussian and known in closed form. A symmetric `A` is recognised and treated through its
    eigenvectors; others through matrix functions. A float32 `A` gives float32 results.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Connectivity, ``A[i, j]`` from neuron j to neuron i; largest real eigenvalue part below 1.
    tau : float, default 0.02
        Time constant of one neuron, in seconds, greater than 0.

    Attributes
    ----------
    A : ndarray, shape (n, n)
        The connectivity, as given (float32 stays float32). It is not copied: leave it unchanged.
    tau : float
        Time constant in seconds.
    symmetric : bool
        Whether `A` equals its transpose.

    Raises
    ------
    ValueError
        If `A` is not square, empty, not finite, or unstable; if `tau` is not positive.
    TypeError
        If `A` is not real or is sparse, or `tau` is not a number.

    References
    ----------
    .. [1] Gardiner, "Stochastic Methods", 4th ed., Springer (2009), section 4.5.

    Examples
    --------
    >>> network = LinearNetwork([[0.0, 0.5], [0.5, 0.0]])
    >>> network.symmetric
    True
    >>> network.covariance_eigenvalues()
    array([1.        , 0.33333333])
    """

    A: np.ndarray
    tau: float = 0.02
    symmetric: bool = field(init=False)

    def __post_init__(self):
        A = _checks.square_matrix(self.A)
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "tau", _checks.real(self.tau, "tau", low=0, open_low=True))
        object.__setattr__(self, "symmetric", _checks.is_symmetric(A))
        if self._rightmost >= 1:
            raise ValueError(
                f"A is unstable: its largest real eigenvalue part {self._rightmost:.6g} must be "
                "below 1; normalization.critically_normalize(A) scales it to 0.998"
            )

    @property
    def n(self):
        """Number of neurons."""
        return len(self.A)

    @cached_property
    def _modes(self):
        # eigenvalues from the largest down, eigenvectors in columns
        values, vectors = np.linalg.eigh(self.A)
        # An eigenvector's sign is up to the linear-algebra library. Fixing it makes a seeded
        # simulation the same on every machine.
        largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(self.n)]
        vectors *= np.sign(largest)
        return values[::-1], vectors[:, ::-1]

    @cached_property
    def _rightmost(self):
        return float(self._modes[0][0]) if self.symmetric else spectral_abscissa(self.A)

    def _in_modes(self, function):
        values, vectors = self._modes
        return (vectors * function(values)) @ vectors.T

    @cached_property
    def _covariance(self):
        if self.symmetric:
            return self._in_modes(lambda value: 1 / (2 * (1 - value)))
        return _solve_lyapunov(self.A.astype(np.float64), gap=1 - self._rightmost)

    def covariance(self):
        r"""Stationary covariance of the activity.

        Returns
        -------
        ndarray, shape (n, n)
            S, for noise of unit strength.

        Raises
        ------
        ArithmeticError
            If the solver for non-symmetric `A` does not reach a small residual.

        Notes
        -----
        S solves the Lyapunov equation ``(A - I) S + S (A - I)^T = -I``. For symmetric A it is
        ``(I - A)^-1 / 2``. Otherwise it is found by squared Smith iteration [1]_: a Cayley
        transform turns the equation into ``S = B S B^T + C``, whose series is summed by
        doubling. This takes some ten steps of three matrix products each. The residual is
        checked.

        References
        ----------
        .. [1] Smith, "Matrix equation XA + BX = C", SIAM J. Appl. Math. 16, 198 (1968).

        Examples
        --------
        >>> LinearNetwork([[0.5]]).covariance()
        array([[1.]])
        """
        return self._covariance.astype(self.A.dtype)  # a copy: the network keeps its own

    def covariance_eigenvalues(self):
        r"""Variances of the principal components, from the largest down.

        Returns
        -------
        ndarray, shape (n,)
            Eigenvalues of `covariance`; for symmetric `A`, ``1 / (2 (1 - eigenvalues of A))``.

        Raises
        ------
        ArithmeticError
            As for `covariance`.

        Examples
        --------
        >>> LinearNetwork([[0.5, 0.0], [0.0, -1.0]]).covariance_eigenvalues()
        array([1.  , 0.25])
        """
        if self.symmetric:
            return 1 / (2 * (1 - self._modes[0]))
        return np.linalg.eigvalsh(self._covariance)[::-1].astype(self.A.dtype)

    def propagator(self, lag):
        r"""Matrix that carries the mean activity `lag` seconds ahead.

        Parameters
        ----------
        lag : float
            Seconds, at least 0.

        Returns
        -------
        ndarray, shape (n, n)
            ``exp((A - I) lag / tau)``.

        Raises
        ------
        ValueError
            If `lag` is negative or not finite.
        TypeError
            If `lag` is not a number.

        Examples
        --------
        >>> LinearNetwork([[0.5]]).propagator(0.04).round(4)
        array([[0.3679]])
        """
        lag = _checks.real(lag, "lag", low=0) / self.tau
        if self.symmetric:
            return self._in_modes(lambda value: np.exp((value - 1) * lag))
        return _phi_functions((self.A - np.eye(self.n)) * lag)[0].astype(self.A.dtype)

    def autocovariance(self, lag):
        r"""Covariance between the activity now and `lag` seconds ago.

        Parameters
        ----------
        lag : float
            Seconds; a negative lag gives the transpose of the positive one.

        Returns
        -------
        ndarray, shape (n, n)
            Entry (i, j) is the covariance of neuron i at time t + lag with neuron j at time t.

        Raises
        ------
        ValueError
            If `lag` is not finite.
        TypeError
            If `lag` is not a number.
        ArithmeticError
            As for `covariance`.

        Notes
        -----
        ``exp((A - I) lag / tau) S`` for lag >= 0.

        Examples
        --------
        >>> LinearNetwork([[0.5]]).autocovariance(0.04).round(4)
        array([[0.3679]])
        """
        lag = _checks.real(lag, "lag")
        ahead = self.propagator(abs(lag)) @ self.covariance()
        return ahead if lag >= 0 else ahead.T

    def simulate(self, duration, dt, *, n_trials=1, average=True, rng=None):
        r"""Simulate stationary activity, exactly, in bins of any width.

        There is no time step and so no step error: each bin is drawn from its exact Gaussian
        distribution given the one before. The first is drawn from the stationary distribution,
        so there is nothing to discard.

        Parameters
        ----------
        duration : float
            Length of each trial in seconds; the number of bins is ``round(duration / dt)``.
        dt : float
            Bin width in seconds, greater than 0.
        n_trials : int, default 1
            Number of independent trials.
        average : bool, default True
            True: activity averaged over each bin, as a camera or a spike count sees it. False:
            activity at the start of each bin.
        rng : None, int or numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n, T), or (n_trials, n, T) if `n_trials` > 1
            Activity, in units where the noise has unit strength; float32 if `A` is.

        Raises
        ------
        ValueError
            If `duration`, `dt` or `n_trials` is out of range, or `duration` is shorter than half
            a bin.
        TypeError
            If an argument has the wrong type.
        ArithmeticError
            As for `covariance`.

        Notes
        -----
        With F = A - I and h = dt / tau, state and bin average obey ``x' = exp(Fh) x + w`` and
        ``y = phi1(Fh) x + v``, where ``phi1(z) = (exp(z) - 1) / z`` [1]_. The covariance of
        (w, v) follows from S: ``Cov(x', y) = phi1 S`` and ``Var(y) = phi2 S + S phi2^T`` with
        ``phi2(z) = (phi1(z) - 1) / z``. For symmetric A the modes are independent, and the same
        formulas are scalars.

        References
        ----------
        .. [1] Van Loan, "Computing integrals involving the matrix exponential", IEEE Trans.
           Autom. Control 23, 395 (1978).

        Examples
        --------
        >>> X = LinearNetwork([[0.5, 0.2], [0.2, 0.5]]).simulate(10, 0.05, rng=0)
        >>> X.shape
        (2, 200)
        """
        duration = _checks.real(duration, "duration", low=0, open_low=True)
        dt = _checks.real(dt, "dt", low=0, open_low=True)
        n_trials = _checks.integer(n_trials, "n_trials", low=1)
        average = _checks.boolean(average, "average")
        rng = _checks.rng_from(rng)
        n_bins = _number_of_bins(duration, dt)

        step = _ModeStep(self, dt / self.tau) if self.symmetric else _Step(self, dt / self.tau)
        dtype = self.A.dtype
        out = np.empty((n_trials, self.n, n_bins), dtype)
        state = step.stationary(rng.standard_normal((self.n, n_trials), dtype))
        chunk = max(1, _CHUNK // (self.n * n_trials))
        # Quiet for short runs: tqdm shows a bar only once `delay` seconds have passed.
        with tqdm(total=n_bins, unit="bin", desc="simulating", delay=2, leave=False) as bar:
            for start in range(0, n_bins, chunk):
                stop = min(start + chunk, n_bins)
                noise = rng.standard_normal(
                    (2 if average else 1, self.n, stop - start, n_trials), dtype
                )
                activity, state = step.advance(state, noise)
                out[:, :, start:stop] = activity.transpose(2, 0, 1)
                bar.update(stop - start)
        return out if n_trials > 1 else out[0]


class _Step:
    """One bin of a non-symmetric network: x' = P x + w and y = G x + v."""

    def __init__(self, network, h):
        S = network._covariance
        identity = np.eye(network.n)
        P, G, phi2 = _phi_functions((network.A - identity) * h)
        # the covariance of w and v: what the state at the start of the bin leaves unexplained
        # for short bins the differences below would lose all digits; this is exact to order h
        if h * np.linalg.norm(network.A - identity, 1) < 1e-7:
            var_w, cov_vw, var_v = h * identity, h / 2 * identity, h / 3 * identity
        else:
            PS, GS = P @ S, G @ S
            var_w, cov_vw = S - PS @ P.T, GS.T - G @ PS.T
            var_v = phi2 @ S
            var_v = var_v + var_v.T - GS @ G.T
        chol_w = np.linalg.cholesky(var_w)
        mix = scipy.linalg.solve_triangular(chol_w, cov_vw.T, lower=True).T
        chol_v = np.linalg.cholesky(var_v - mix @ mix.T)
        dtype = network.A.dtype
        self.P, self.G, self.chol_x = P.astype(dtype), G.astype(dtype), np.linalg.cholesky(S)
        self.chol_w, self.mix, self.chol_v = (M.astype(dtype) for M in (chol_w, mix, chol_v))

    def stationary(self, normal):
        return (self.chol_x @ normal).astype(normal.dtype)

    def advance(self, state, noise):
        n, n_times, n_trials = noise.shape[1:]
        flat = noise.reshape(len(noise), n, n_times * n_trials)
        w = (self.chol_w @ flat[0]).reshape(n, n_times, n_trials)
        states = np.empty((n_times + 1, n, n_trials), w.dtype)
        states[0] = state
        for t in range(n_times):
            np.matmul(self.P, states[t], out=states[t + 1])
            states[t + 1] += w[:, t]
        path = states[:-1].transpose(1, 0, 2)
        if len(noise) == 1:
            return path, states[-1]
        y = self.G @ path.reshape(n, -1)
        y += self.mix @ flat[0]
        y += self.chol_v @ flat[1]
        return y.reshape(n, n_times, n_trials), states[-1]


class _ModeStep:
    """The same step for a symmetric network, mode by mode, in the basis of eigenvectors."""

    def __init__(self, network, h):
        values, self.vectors = network._modes
        gap = 1 - values.astype(np.float64)
        S, z = 1 / (2 * gap), gap * h
        # For small z the closed forms of phi2 and of the last line cancel; series replace them.
        small = z < 1e-4
        zs = np.where(small, 1.0, z)
        P, G = np.exp(-z), -np.expm1(-z) / z
        phi2 = (zs + np.expm1(-zs)) / zs**2
        var_w, cov = -np.expm1(-2 * z) * S, z * G**2 * S
        var_v_given_w = np.where(small, z / 6, 2 * phi2 - G**2 - (cov / S) ** 2 * S / var_w) * S

        def column(values):
            return values.astype(network.A.dtype)[:, None]

        self.P, self.G, self.sd_x = column(P), column(G), column(np.sqrt(S))
        self.sd_w, self.mix = column(np.sqrt(var_w)), column(cov / np.sqrt(var_w))
        self.sd_v = column(np.sqrt(var_v_given_w))

    def stationary(self, normal):
        return self.sd_x * normal

    def advance(self, state, noise):
        n, n_times, n_trials = noise.shape[1:]
        path = np.empty_like(noise[0])
        for t in range(n_times):
            path[:, t] = state
            state = self.P * state + self.sd_w * noise[0][:, t]
        if len(noise) == 2:
            column = slice(None), slice(None), None
            path *= self.G[column]
            path += self.mix[column] * noise[0]
            path += self.sd_v[column] * noise[1]
        return (self.vectors @ path.reshape(n, -1)).reshape(n, n_times, n_trials), state


def simulate_euler(
    A,
    duration,
    dt,
    *,
    tau=0.02,
    step=0.002,
    burn_in=8.0,
    nonlinearity=None,
    n_trials=1,
    average=True,
    rng=None,
):
    r"""Simulate a network by Euler-Maruyama steps.

    This is the scheme of the paper, kept for comparison and for networks with a nonlinearity.
    For a linear network `LinearNetwork.simulate` is faster and has no step error.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Connectivity.
    duration : float
        Length of each trial in seconds, after `burn_in`.
    dt : float
        Bin width in seconds; a whole number of steps.
    tau : float, default 0.02
        Time constant of one neuron, seconds.
    step : float, default 0.002
        Euler step in seconds, at most `tau`.
    burn_in : float, default 8.0
        Seconds simulated from rest and thrown away, at least 0.
    nonlinearity : callable, optional
        Applied to the activity after every step, array to array of the same shape. None leaves
        the network linear.
    n_trials : int, default 1
        Number of independent trials.
    average : bool, default True
        True: average of the states in each bin. False: state at the start of each bin.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, T), or (n_trials, n, T) if `n_trials` > 1
        Activity, in units where the noise has unit strength; float32 if `A` is.

    Raises
    ------
    ValueError
        If a number is out of range, `dt` is not a whole number of steps, or `A` is malformed.
    TypeError
        If an argument has the wrong type.
    ArithmeticError
        If the activity grows without bound.

    Notes
    -----
    ``x <- x + (step / tau) (-x + A x) + sqrt(step / tau) e`` with e standard normal. The paper's
    published code scales the noise by ``step / tau`` instead, which only rescales x. A mode with
    gap g = 1 - lambda gets the variance ``1 / (2 g - g**2 step / tau)`` in place of ``1 / (2 g)``.

    References
    ----------
    .. [1] Kloeden & Platen, "Numerical Solution of Stochastic Differential Equations", Springer
       (1992), section 10.2.

    Examples
    --------
    >>> X = simulate_euler([[0.5, 0.2], [0.2, 0.5]], 1.0, 0.046, rng=0)
    >>> X.shape
    (2, 22)
    """
    A = _checks.square_matrix(A)
    duration = _checks.real(duration, "duration", low=0, open_low=True)
    tau = _checks.real(tau, "tau", low=0, open_low=True)
    step = _checks.real(step, "step", low=0, high=tau, open_low=True)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    burn_in = _checks.real(burn_in, "burn_in", low=0)
    n_trials = _checks.integer(n_trials, "n_trials", low=1)
    average = _checks.boolean(average, "average")
    if nonlinearity is not None and not callable(nonlinearity):
        raise TypeError(f"nonlinearity is {nonlinearity!r}: pass a function of an array, or None")
    rng = _checks.rng_from(rng)
    steps_per_bin = round(min(dt / step, 2**53))
    if steps_per_bin < 1 or abs(steps_per_bin * step - dt) > 1e-6 * dt:
        raise ValueError(f"dt is {dt:g} s and step {step:g} s: make dt a whole number of steps")
    n_bins = _number_of_bins(duration, dt)

    dtype = A.dtype
    advance = (1 - step / tau) * np.eye(len(A), dtype=dtype) + dtype.type(step / tau) * A
    noise_scale = dtype.type(np.sqrt(step / tau))
    x = np.zeros((len(A), n_trials), dtype)
    out = np.empty((n_trials, len(A), n_bins), dtype)

    def next_state(x):
        x = advance @ x
        x += noise_scale * rng.standard_normal(x.shape, dtype)
        if nonlinearity is None:
            return x
        y = _checks.numeric_array(nonlinearity(x), "nonlinearity's result").astype(dtype)
        if y.shape != x.shape:
            raise ValueError(
                f"nonlinearity turned shape {x.shape} into {y.shape}: it must keep the shape"
            )
        return y

    with np.errstate(over="ignore", invalid="ignore"):  # growth is reported below
        for _ in range(round(burn_in / step)):
            x = next_state(x)
        for i in tqdm(range(n_bins), unit="bin", desc="simulating", delay=2, leave=False):
            first, total = x, x.copy()
            for _ in range(steps_per_bin - 1):
                x = next_state(x)
                total += x
            out[:, :, i] = (total / steps_per_bin).T if average else first.T
            x = next_state(x)
            if not np.isfinite(x).all():
                raise ArithmeticError(
                    f"the activity grew without bound within {burn_in + (i + 1) * dt:g} s: A is "
                    f"unstable or step, {step:g} s, too long for it; scale A down, shorten step, "
                    "or give a nonlinearity that saturates"
                )
    return out if n_trials > 1 else out[0]


def _number_of_bins(duration, dt):
    ratio = duration / dt
    if not 0.5 < ratio < 2**40:
        raise ValueError(
            f"duration is {duration:g} s and dt {dt:g} s, {ratio:.3g} bins: make duration at least "
            "one bin long and at most 2^40"
        )
    return round(ratio)


def _solve_lyapunov(A, gap):
    """Solve (A - I) S + S (A - I)^T = -I for stable A, by squared Smith iteration."""
    n = len(A)
    drift, identity = A - np.eye(n), np.eye(n)
    # Any h converges; the geometric mean of the slowest and the fastest rate needs fewest steps.
    # A few power iterations are enough to know the fastest one roughly.
    v = np.random.default_rng(0).standard_normal(n)
    for _ in range(20):
        v = drift @ (v / np.linalg.norm(v))
    h = 1 / np.sqrt(gap * max(np.linalg.norm(v), gap))
    inverse = np.linalg.inv(identity - h * drift)
    power = 2 * inverse - identity  # the Cayley transform (I + h F)(I - h F)^-1
    S = 2 * h * (inverse @ inverse.T)
    del inverse
    converged = False
    for _ in range(40):
        change = power @ S @ power.T
        S += change
        # each change is of the order of the square of the one before; so is what is left out
        converged = np.linalg.norm(change) < 3e-9 * np.linalg.norm(S)
        if converged or not np.isfinite(S).all():
            break
        power = power @ power
    S = (S + S.T) / 2
    residual = drift @ S
    residual = np.linalg.norm(residual + residual.T + identity)
    # relative to what rounding may leave: a backward error. The norm is that of the matrix, which
    # in a network far from normal is many times its fastest rate.
    for _ in range(20):
        v = drift.T @ (drift @ (v / np.linalg.norm(v)))
    residual /= np.sqrt(np.linalg.norm(v)) * np.linalg.norm(S)
    if not (converged and residual < 1e-12):
        raise ArithmeticError(
            f"the covariance did not converge: relative residual {residual:.1e} after 2^40 terms "
            "at most; A is too close to instability, scale it with "
            "normalization.critically_normalize"
        )
    return S


def _phi_functions(X):
    """exp(X), phi1(X) = (exp(X) - I) / X and phi2(X) = (phi1(X) - I) / X, for one matrix X.

    Taylor series of phi2 for X / 2^s, from which phi1 = I + X phi2 and exp = I + X phi1; then s
    doublings.
    """
    n = len(X)
    X2 = X @ X
    X4 = X2 @ X2
    # the 1-norm of X itself overestimates how fast powers of a random matrix grow
    size = np.linalg.norm(X4, 1) ** 0.25
    s = max(0, int(np.ceil(np.log2(size)))) if size > 0 else 0
    X, X2, X4 = X / 2.0**s, X2 / 4.0**s, X4 / 16.0**s
    X3 = X2 @ X
    coefficient = 1 / scipy.special.factorial(np.arange(16) + 2)
    phi2 = np.zeros_like(X)
    for block in coefficient.reshape(4, 4)[::-1]:  # Paterson-Stockmeyer: four terms per product
        phi2 = X4 @ phi2
        phi2 += block[1] * X + block[2] * X2 + block[3] * X3
        phi2[np.diag_indices(n)] += block[0]
    del X2, X3, X4

    def times_x_plus_one(phi):
        product = X @ phi
        product[np.diag_indices(n)] += 1
        return product

    phi1 = times_x_plus_one(phi2)
    exp = times_x_plus_one(phi1)
    for _ in range(s):
        phi2 = (phi1 @ phi1 + 2 * phi2) / 4
        phi1 = (phi1 + exp @ phi1) / 2
        exp = exp @ exp
    return exp, phi1, phi2
