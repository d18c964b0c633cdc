"""Dynamic mode decomposition: the linear map from now to a little later (chapter 7)."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from critlib import _checks
from critlib._blocks import Standardized
from critlib.shared_variance import _halves, _n_components, _svd, alternating_blocks


@dataclass(frozen=True, eq=False)
class DMD:
    """A linear map, fitted between activity now and activity `lag` seconds later.

    Parameters
    ----------
    eigenvalues : ndarray of complex, shape (k,)
        Eigenvalues of the operator, sorted by modulus from the largest down.
    operator : ndarray, shape (k, k)
        B in ``y(t + lag) = B y(t) + residual``, where ``y = components.T @ z`` and z is z-scored
        activity.
    components : ndarray, shape (n_neurons, k)
        Principal components in columns, by falling variance.
    lag : float
        Seconds, a whole number of bins.
    """

    eigenvalues: np.ndarray
    operator: np.ndarray
    components: np.ndarray
    lag: float


def fit_dmd(X, dt, *, lag=0.23, n_components=1000, ridge=0.01):
    r"""Fit a linear map from activity at one time to activity `lag` seconds later.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity; each neuron is z-scored. float32 is kept; a memory map is read piece by piece.
    dt : float
        Bin width in seconds, greater than 0.
    lag : float, default 0.23
        Seconds from predictor to prediction, rounded to a whole number of bins, at least one; the
        default is five of the paper's bins of 46 ms. With bins wider than 0.3 s, pass ``lag=dt``.
    n_components : int, default 1000
        Principal components to keep, at least 1; fewer if not that many have variance.
    ridge : float, default 0.01
        Penalty, at least 0, in units of variance: it is added to the variance of each component.
        The paper uses 0.01 for imaging and 0.1 for spikes.

    Returns
    -------
    DMD
        ``eigenvalues``, ``operator``, ``components`` and the ``lag`` in seconds.

    Raises
    ------
    ValueError
        If `X` is malformed or has a constant neuron, `lag` is shorter than half a bin or not
        shorter than the recording, or another number is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Components are those of the predictors, all times but the last `lag`. In their coordinates the
    predictors have a diagonal second moment D, so ridge regression is
    ``B = M (D + ridge)^-1``, with M the second moment between later and earlier activity. Without
    ridge this is the projected (standard) dynamic mode decomposition [2]_ with these components.
    For a linear network, ``B`` estimates ``exp((A - I) lag / tau)``.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 3c-f and Methods.
    .. [2] Tu et al., "On dynamic mode decomposition: theory and applications", J. Comput. Dyn. 1,
       391 (2014).

    Examples
    --------
    A rotation by a tenth of a turn per bin:

    >>> import numpy as np
    >>> t = np.arange(1_000)
    >>> X = [np.cos(0.2 * np.pi * t), np.sin(0.2 * np.pi * t)]
    >>> fit = fit_dmd(X, dt=0.1, lag=0.1, ridge=0.0)
    >>> fit.eigenvalues.real.round(3), abs(fit.eigenvalues.imag).round(3)
    (array([0.809, 0.809]), array([0.588, 0.588]))
    """
    X = _checks.activity(X, min_times=3)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    lag = _checks.real(lag, "lag", low=0, open_low=True)
    n_components = _checks.integer(n_components, "n_components", low=1)
    ridge = _checks.real(ridge, "ridge", low=0)
    n, n_times = X.shape
    step = _bins(lag, dt, n_times - 2, f"a recording of {n_times * dt:g} s")
    Z = Standardized(X)
    now, later = slice(0, n_times - step), slice(step, n_times)
    variance, axes = _principal_axes(Z, now, min(n_components, n, n_times - step))
    Y = Z.project(axes)
    Y0, Y1 = Y[:, now], Y[:, later]
    moment = Y1 @ Y0.T / Y0.dtype.type(Y0.shape[1])
    operator = moment / (variance + ridge).astype(Y.dtype)
    eigenvalues = np.linalg.eigvals(operator).astype(complex)
    eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
    return DMD(eigenvalues, operator, axes, step * dt)


def rotations_per_tenfold(eigenvalues, *, min_modulus=0.25):
    r"""How often a mode turns while it decays to a tenth.

    Parameters
    ----------
    eigenvalues : array_like of complex, shape (k,)
        Eigenvalues of a map over one lag, such as ``fit_dmd(...).eigenvalues``.
    min_modulus : float, default 0.25
        Eigenvalues with this modulus or less are left out: they have decayed too far to tell;
        from 0 up to, not including, 1.

    Returns
    -------
    ndarray, shape (m,)
        Full turns per tenfold attenuation, one for each eigenvalue that is kept and has an
        imaginary part >= 0 (of a complex pair, only one is counted). 0 for positive real
        eigenvalues; inf for those that turn and do not decay.

    Raises
    ------
    ValueError
        If `eigenvalues` is not one-dimensional and finite, or `min_modulus` is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    ``log(0.1) / log|mu| * angle(mu) / (2 pi)``. Of a continuous mode with rate a and angular
    frequency w it is ``log(10) w / (2 pi a)``, whatever the lag, as long as the mode turns by
    less than half a turn in one lag.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 3f.

    Examples
    --------
    >>> import numpy as np
    >>> quarter = 0.1 ** (1 / 4) * 1j  # a quarter turn per step, a tenth after four steps
    >>> rotations_per_tenfold([0.9, quarter, -quarter]).round(6)
    array([0., 1.])
    """
    mu = _checks.numeric_array(eigenvalues, "eigenvalues", kinds="fiubc")
    if mu.ndim != 1 or not np.isfinite(mu).all():
        raise ValueError(
            f"eigenvalues has shape {mu.shape} and {np.count_nonzero(~np.isfinite(mu))} values "
            "that are not finite: pass one dimension of finite values"
        )
    min_modulus = _checks.real(min_modulus, "min_modulus", low=0, high=1, open_high=True)
    mu = mu.astype(complex)
    mu = mu[(np.abs(mu) > min_modulus) & (mu.imag >= 0)]
    turns = np.angle(mu) / (2 * np.pi)
    steps = np.full(len(mu), np.inf)  # to a tenth
    decays = np.abs(mu) < 1
    steps[decays] = np.log(0.1) / np.log(np.abs(mu[decays]))
    return np.where(turns > 0, steps * np.where(turns > 0, turns, 1), 0.0)


def time_asymmetry(
    X,
    dt,
    *,
    lag=0.23,
    halves=None,
    n_components=None,
    n_blocks=10,
    return_error=False,
    rng=None,
):
    r"""Fraction of the lagged covariance that would change sign if time ran backwards.

    0 for reversible activity, such as that of symmetric networks; above 0 where activity rotates.
    Unlike the eigenvalues of `fit_dmd` it is not biased by noise that is private to neurons.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity; each neuron is z-scored. A memory map is read piece by piece.
    dt : float
        Bin width in seconds, greater than 0.
    lag : float or array_like of shape (n_lags,), default 0.23
        Seconds, rounded to a whole number of bins, at least one. Covariances at several lags are
        taken together, so that fast and slow rotations are both seen.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half, such as `shared_variance.checkerboard` gives; a random
        half unless given.
    n_components : int, optional
        How many of the leading components that the halves share; unless given, one for every 15
        neurons, at most 20. The slowest few need not rotate even where most others do.
    n_blocks : int, default 10
        Time is cut into this many blocks, at least 2, that make two sets by turns; blocks have to
        be longer than each lag. For an error take more, 20 say, of a length that activity does
        not remember; at least 4.
    return_error : bool, default False
        Also return the standard error.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    fraction : float
        From 0 to 1, up to sampling error, so that it can be slightly negative; nan if the halves
        share nothing at these lags.
    error : float
        Only if `return_error`: how far the fraction would scatter over recordings of this length
        from the same neurons; nan if the fraction is.

    Raises
    ------
    ValueError
        If `X` or `halves` is malformed, a neuron is constant, or a number is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    With views a and b of the components through the two halves, each divided by its shared s.d.,
    E and D are sum and difference of the covariances of ``a(t + lag), b(t)`` and of
    ``a(t), b(t + lag)``. The result is ``<D, D'> / (<D, D'> + <E, E'>)``, where the two factors of
    a product of matrices, summed over entries and lags, come from different times: so sampling
    error adds nothing on average. Components that are noise add an error of about their number
    divided by that of neurons. It means nothing where the halves share no more than they do after
    `spectra.shuffle_in_time`.

    The error is a jackknife over the blocks, as in `shared_variance.exponent_error`. Without each
    block in turn, components are found again among the combinations of those of the whole
    recording.

    Examples
    --------
    >>> import numpy as np
    >>> t, rng = np.arange(2_000), np.random.default_rng(0)
    >>> wave = np.cos(0.2 * np.pi * t - 2 * np.pi * rng.random((60, 1)))  # in a fixed order
    >>> X = wave + rng.standard_normal(wave.shape)
    >>> fraction, error = time_asymmetry(X, 0.1, lag=0.2, n_blocks=20, return_error=True, rng=0)
    >>> abs(round(fraction, 1)), error < 0.05  # sin(72 degrees)^2
    (0.9, True)
    """
    return_error = _checks.boolean(return_error, "return_error")
    fewest = 4 if return_error else 2
    blocks = _lagged(X, dt, lag, halves, n_components, n_blocks, fewest, rng)
    fraction = _asymmetry(*blocks)
    if not return_error:
        return fraction
    n_blocks = len(blocks[1])
    without = [_asymmetry(*blocks, keep=np.arange(n_blocks) != one) for one in range(n_blocks)]
    return fraction, float(np.std(without) * np.sqrt(n_blocks - 1))


def _lagged(X, dt, lag, halves, n_components, n_blocks, fewest, rng):
    """Sums over pairs of times in each block: ``a(t + lag), b(t)``, then ``a(t), b(t + lag)``.

    Shape (2, n_blocks, n_lags, k, k); the sums without lag, (n_blocks, k, k); the numbers of pairs,
    (n_blocks, 1 + n_lags), without lag first.
    """
    X = _checks.activity(X, min_times=6)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    lags = _checks.real_array(lag, "lag", ndim=1).tolist() if np.iterable(lag) else [lag]
    lags = [_checks.real(one, "lag", low=0, open_low=True) for one in lags]
    n_times = X.shape[1]
    n_blocks = _checks.integer(n_blocks, "n_blocks", low=fewest, high=max(fewest, n_times // 2))
    where = f"one of {n_blocks} blocks of the recording"
    steps = [_bins(one, dt, n_times // n_blocks - 1, where) for one in lags]
    rng = _checks.rng_from(rng)
    halves = _halves(halves, len(X), rng)
    first, second = np.flatnonzero(halves), np.flatnonzero(~halves)
    if n_components is None:
        n_components = max(1, min(20, len(X) // 15, len(first), len(second), n_times - 1))
    k = _n_components(n_components, first, second, n_times - 1)
    Z = Standardized(X)
    U, shared, V = _svd(Z.covariance(first, second), k, rng)
    some = shared > np.sqrt(np.finfo(X.dtype).eps) * shared[0]  # the rest is rounding
    scale = np.sqrt(shared[some].astype(float))[:, None]
    a, b = (Z.project(W[:, some], h) / scale for W, h in ((U, first), (V, second)))
    blocks = sorted(sum(alternating_blocks(n_times, n_blocks), []), key=lambda block: block.start)
    sums = np.empty((2, n_blocks, len(steps), len(a), len(a)))
    for i, block in enumerate(blocks):
        for j, step in enumerate(steps):
            now = slice(block.start, block.stop - step)
            later = slice(block.start + step, block.stop)
            sums[:, i, j] = a[:, later] @ b[:, now].T, a[:, now] @ b[:, later].T
    at_once = np.array([a[:, block] @ b[:, block].T for block in blocks])
    pairs = np.array(
        [[block.stop - block.start - step for step in (0, *steps)] for block in blocks]
    )
    return sums, at_once, pairs


def _asymmetry(sums, at_once, pairs, keep=None):
    """The fraction, from alternate blocks; if only some are kept, with their own components."""
    keep = np.full(len(at_once), True) if keep is None else keep
    parity = np.arange(len(at_once)) % 2
    # averages, one set of times after the other: (2 sets, 2 directions, n_lags, k, k)
    both = np.array(
        [
            sums[:, some].sum(axis=1) / pairs[some, 1:].sum(axis=0)[:, None, None]
            for some in (keep & (parity == one) for one in (0, 1))
        ]
    )
    if not keep.all():
        U, shared, Vt = np.linalg.svd(at_once[keep].sum(axis=0) / pairs[keep, 0].sum())
        scale = np.sqrt(shared)
        both = (U / scale).T @ both @ (Vt.T / scale)
    ahead, behind = both[:, 0], both[:, 1]
    even, odd = (np.sum(np.prod(M, axis=0)) for M in (ahead + behind, ahead - behind))
    return float(odd / (odd + even)) if odd + even > 0 else np.nan


def _bins(lag, dt, most, where):
    """Return `lag` in whole bins."""
    step = round(min(lag / dt, 2**53))
    if step < 1:
        raise ValueError(f"lag is {lag:g} s, less than half a bin of {dt:g} s: pass lag={dt:g}")
    if step > most:
        raise ValueError(f"lag is {lag:g} s, too long for {where}: pass at most {most * dt:g}")
    return step


def _principal_axes(Z, times, k):
    """Leading k eigenvalues and eigenvectors (columns) of the second moment over these times."""
    n, n_times = Z.shape[0], times.stop - times.start
    if n <= n_times:
        moment = Z.covariance(times=[times])
        values, axes = scipy.linalg.eigh(moment, subset_by_index=(n - k, n - 1), overwrite_a=True)
    else:  # fewer times than neurons: their inner products have the same eigenvalues
        part = Z(times=times)
        gram = part.T @ part / part.dtype.type(n_times)
        values, vectors = scipy.linalg.eigh(gram, subset_by_index=(n_times - k, n_times - 1))
        axes = part @ vectors
    # what rounding leaves of a variance of zero has no direction
    vary = values > 2 * np.sqrt(min(n, n_times)) * np.finfo(Z.dtype).eps * values[-1]
    values, axes = values[vary][::-1], axes[:, vary][:, ::-1]
    return values, axes / np.linalg.norm(axes, axis=0)
