"""Variance that neurons share: spectra of noisy recordings, and the noise (chapter 5)."""

from dataclasses import dataclass

import numpy as np
import scipy.signal
from tqdm import tqdm

from critlib import _checks
from critlib._blocks import Standardized, spans
from critlib.spectra import default_ranks, fit_power_law

# Rates of spikes per unit of scaled activity, and mean photon gains, at the paper's noise levels.
_SPIKE_GAIN = {"low": 0.7, "medium": 0.5, "high": 0.3}
_PHOTON_GAIN = {"low": 0.5, "medium": 0.2, "high": 0.08}

# Leading singular values are iterated until none changes by more than this fraction.
_TOLERANCE = 1e-3


def svca2(X, *, halves=None, lag=0, n_components=None, rng=None):
    r"""Spectrum of the variance that two halves of the neurons share.

    Noise that is private to single neurons does not correlate between the halves, so on average
    it adds nothing to their cross-covariance. Its singular values are the estimate that comes
    closest to the true spectrum in the paper, where it is called SVCA2.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity. float32 is kept; a memory map is read piece by piece and never copied whole.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half, such as `checkerboard` gives. A random half unless
        given.
    lag : int, default 0
        Compare the first half with the second `lag` bins earlier; from 0 to two less than the
        number of time points.
    n_components : int, optional
        How many of the leading values to compute; all unless given.
    rng : None, int or numpy.random.Generator
        Source of randomness for random halves and for leading values.

    Returns
    -------
    ndarray, shape (k,)
        Singular values of the cross-covariance of z-scored activity, from the largest down;
        k is the size of the smaller half, or one less than the number of time points if that is
        smaller, or `n_components`. A component of variance v that is spread evenly over all
        neurons appears as about v / 2.

    Raises
    ------
    ValueError
        If `X` is malformed or has a constant neuron, `halves` is not one bool per neuron with at
        least one neuron on each side, or a number is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Values are not unbiased: private noise still enters through the finite number of time points,
    and through each neuron's variance, by which it is divided. Chapter 5 measures both.

    Less than a twentieth of all values is computed by subspace iteration with random starts [2]_,
    until none changes by more than 0.1% from one step to the next. In spectra that fall like a
    power law they are then within 0.1% of the true ones; in white noise, where neighbours are
    hard to tell apart, within 1%. More values are computed all at once, which is faster.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.
    .. [2] Halko, Martinsson & Tropp, "Finding structure with randomness", SIAM Rev. 53, 217
       (2011).

    Examples
    --------
    One signal in all neurons, and private noise of the same variance:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal(10_000) + rng.standard_normal((100, 10_000))
    >>> (svca2(X, rng=0)[:3] / 25).round(1)  # 50 neurons in a half, half of each one's variance
    array([1., 0., 0.])
    """
    X = _checks.activity(X, min_times=3)
    rng = _checks.rng_from(rng)
    halves = _halves(halves, len(X), rng)
    lag = _checks.integer(lag, "lag", low=0, high=X.shape[1] - 2)
    first, second = np.flatnonzero(halves), np.flatnonzero(~halves)
    k = _n_components(n_components, first, second, X.shape[1] - 1)
    C = Standardized(X).covariance(first, second, lag=lag)
    return _svd(C, k, rng, vectors=False)


def svca(X, *, halves=None, n_blocks=60, n_components=None, rng=None):
    r"""Shared variance, cross-validated in time as well: SVCA of Stringer et al. (2019).

    Two halves of the neurons and two of the times. Training times give pairs of directions, one
    in each half of the neurons, that vary together most. Test times say how much they do.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity, as for `svca2`.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half; a random half unless given.
    n_blocks : int, default 60
        Time is cut into this many blocks, which serve in turn for training and for testing; from
        2 to the number of time points divided by 2.
    n_components : int, optional
        How many leading components to compute; all unless given.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (k,)
        Covariances of the paired components at test times, in the order of training. Not sorted,
        and negative where there is nothing but noise.

    Raises
    ------
    ValueError
        As for `svca2`, and if `n_blocks` is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Directions that were fitted to noise catch less variance at test times than the true ones
    would, the more so the smaller they are: the spectrum falls too steeply.

    References
    ----------
    .. [1] Stringer et al., "Spontaneous behaviors drive multidimensional, brainwide activity",
       Science 364, eaav7893 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal(10_000) + rng.standard_normal((100, 10_000))
    >>> (svca(X, rng=0)[0] / 25).round(1)
    np.float64(1.0)
    """
    X = _checks.activity(X, min_times=4)
    rng = _checks.rng_from(rng)
    halves = _halves(halves, len(X), rng)
    n_times = X.shape[1]
    n_blocks = _checks.integer(n_blocks, "n_blocks", low=2, high=max(2, n_times // 2))
    Z, first, second = Standardized(X), np.flatnonzero(halves), np.flatnonzero(~halves)
    train, test = alternating_blocks(n_times, n_blocks)
    k = _n_components(n_components, first, second, n_times - 1)
    U, _, V = _svd(Z.covariance(first, second, times=train), k, rng)
    return np.einsum("ik,ij,jk->k", U, Z.covariance(first, second, times=test), V, optimize=True)


def exponent_error(X, *, halves=None, ranks=None, n_blocks=8, rng=None):
    r"""Standard error of the exponent of a shared-variance spectrum.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity, as for `svca2`.
    halves : array_like of bool, shape (n_neurons,), optional
        True for the neurons of one half; a random half unless given.
    ranks : tuple of two int, optional
        First and last rank of the fit; ``spectra.default_ranks`` of the spectrum unless given.
    n_blocks : int, default 8
        Number of blocks of time, from 2 to the number of time points divided by 2. A block should
        be longer than activity remembers.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        Standard error: how far the exponent would scatter over recordings of this length from
        the same neurons.

    Raises
    ------
    ValueError
        As for `svca2`, and if `ranks` or `n_blocks` is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Jackknife [1]_: the exponent is computed without each block in turn, and
    ``(n - 1) / n * sum (e_i - mean e)**2`` is the variance of the exponent from all n. It says
    nothing about bias, which chapter 5 measures, nor about other neurons.

    References
    ----------
    .. [1] Efron & Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall (1993), ch. 11.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((100, 1_000))
    >>> 0 < exponent_error(X, rng=0) < 0.1
    True
    """
    X = _checks.activity(X, min_times=4)
    rng = _checks.rng_from(rng)
    halves = _halves(halves, len(X), rng)
    n_blocks = _checks.integer(n_blocks, "n_blocks", low=2, high=X.shape[1] // 2)
    first, second = np.flatnonzero(halves), np.flatnonzero(~halves)
    k = _n_components(None, first, second, X.shape[1] - 1)
    ranks = default_ranks(k) if ranks is None else ranks
    Z = Standardized(X)
    train, test = alternating_blocks(X.shape[1], n_blocks)
    blocks = [Z.covariance(first, second, times=[block]) for block in train + test]
    length = [block.stop - block.start for block in train + test]
    total = sum(n * C for n, C in zip(length, blocks))
    exponents = []
    for n, C in zip(length, blocks):
        rest = (total - n * C) / X.dtype.type(X.shape[1] - n)
        exponents.append(fit_power_law(_svd(rest, k, rng, vectors=False), ranks=ranks).exponent)
    return float(np.std(exponents) * np.sqrt(n_blocks - 1))


def checkerboard(x, y, *, spacing=25.0):
    r"""Two halves of the neurons, alternating in space like the squares of a checkerboard.

    Light scatters: a neuron's signal leaks into its neighbours' pixels, and a spike is seen on
    neighbouring electrodes. Halves should therefore be made of patches, not of single neurons.

    Parameters
    ----------
    x, y : array_like, shape (n_neurons,)
        Positions in micrometres.
    spacing : float, default 25.0
        Side of a square in micrometres, greater than 0. The paper uses 25 for imaging. For a
        probe, pass zeros as `x`, the depth as `y`, and ``spacing=40``.

    Returns
    -------
    ndarray of bool, shape (n_neurons,)
        True on the squares of one colour.

    Raises
    ------
    ValueError
        If `x` and `y` are not one-dimensional, finite and of the same length, or `spacing` is
        not positive.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> checkerboard([0, 30, 0, 30], [0, 0, 30, 30])
    array([ True, False, False,  True])
    """
    x, y = _checks.real_array(x, "x", ndim=1), _checks.real_array(y, "y", ndim=1)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} values and y has {len(y)}: pass one each per neuron")
    spacing = _checks.real(spacing, "spacing", low=0, open_low=True)
    return (np.floor(x / spacing) + np.floor(y / spacing)) % 2 == 0


def spike_noise(X, *, level="medium", rng=None):
    r"""Turn activity into counts of spikes.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity with zero mean, from a simulation.
    level : str or float, default "medium"
        "low", "medium" or "high" noise, as in the paper; or the mean number of spikes in a bin
        where activity is one standard deviation above zero: 0.7, 0.5 and 0.3 for these three.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float32, shape (n_neurons, n_timepoints)
        Number of spikes in each bin.

    Raises
    ------
    ValueError
        If `X` is malformed or `level` is not one of the three or a positive number.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Poisson with mean ``gain * max(0, x / s.d.)``. The rectification also changes the
    correlations: two neurons with correlation r below 1 have rectified activity with a lower one.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> counts = spike_noise(np.random.default_rng(0).standard_normal((2, 10_000)), rng=0)
    >>> counts.mean().round(2)  # 0.5 times the mean of a rectified normal variable, 0.4
    np.float32(0.2)
    """
    X = _checks.activity(X)
    gain = _level(level, _SPIKE_GAIN)
    rng = _checks.rng_from(rng)
    counts = np.empty(X.shape, np.float32)
    for rows in spans(len(X), max(1, 2**22 // X.shape[1])):
        part = X[rows].astype(np.float64)
        sd = part.std(axis=1, keepdims=True)
        counts[rows] = _poisson(gain * np.maximum(part / np.where(sd > 0, sd, 1), 0), rng)
    return counts


def _poisson(rate, rng):
    """Poisson counts from one uniform number each, where rates are small.

    `rng.poisson` takes more or fewer random numbers for a larger or smaller count. A rounding error
    in one rate, as different machines make, could then change all counts that follow.
    """
    if rate.max() > 30:
        return rng.poisson(rate)
    shape, rate, uniform = rate.shape, rate.ravel(), rng.random(rate.size)
    counts = np.zeros(rate.size, np.float32)
    term = np.exp(-rate)
    total = term.copy()  # the probability of this count or a smaller one
    left = np.flatnonzero(uniform > total)
    k = 0
    rate, uniform, term, total = (part[left] for part in (rate, uniform, term, total))
    while left.size:
        k += 1
        counts[left] = k
        term *= rate / k
        before = total
        total = total + term
        more = (uniform > total) & (total > before)
        left, rate, uniform, term, total = (
            part[more] for part in (left, rate, uniform, term, total)
        )
    return counts.reshape(shape)


@dataclass(frozen=True, eq=False)
class TwoPhoton:
    """What a two-photon microscope makes of activity.

    Parameters
    ----------
    activity : ndarray of float32, shape (n_neurons, n_timepoints)
        Deconvolved fluorescence, not negative.
    snr : ndarray, shape (n_neurons,)
        Signal-to-noise ratio of each neuron's fluorescence, as `snr` computes it. The paper keeps
        neurons above 0.3.
    """

    activity: np.ndarray
    snr: np.ndarray


def two_photon_noise(X, dt, *, level="medium", rng=None):
    r"""Turn activity into deconvolved calcium fluorescence, as two-photon imaging sees it.

    Spikes (medium noise) are filtered by the calcium indicator, sit on a background, are counted
    as photons, which adds shot noise, and are deconvolved.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity with zero mean, from a simulation.
    dt : float
        Bin width in seconds, greater than 0.
    level : str or float, default "medium"
        "low", "medium" or "high" shot noise, as in the paper; or the mean photon gain, greater
        than 0: 0.5, 0.2 and 0.08 for these three.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    TwoPhoton
        ``activity`` and the ``snr`` of each neuron's fluorescence.

    Raises
    ------
    ValueError
        If `X` is malformed, `dt` not positive, or `level` unknown.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Photon counts are Poisson with mean ``g (400 + 8 c)``, where c is the spike count filtered by
    ``exp(-t / 0.25 s)`` and the gain g of each neuron is 0.001 plus an exponential random number.
    The background ``400 g`` is taken as known when the trace is deconvolved.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((5, 2_000))
    >>> seen = two_photon_noise(X, dt=0.046, rng=0)
    >>> seen.activity.shape, seen.snr.shape
    ((5, 2000), (5,))
    """
    X = _checks.activity(X, min_times=3)
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    mean_gain = _level(level, _PHOTON_GAIN)
    rng = _checks.rng_from(rng)
    keep = np.exp(-dt / 0.25)
    fluorescence = spike_noise(X, rng=rng)
    gain = 0.001 + rng.exponential(mean_gain, size=(len(X), 1))
    seeds = rng.integers(2**63, size=len(X))  # a stream for each neuron, as in `_poisson`
    for trace, g, seed in zip(fluorescence, gain, seeds, strict=True):
        calcium = scipy.signal.lfilter([1], [1, -keep], trace.astype(np.float64))
        trace[:] = np.random.default_rng(seed).poisson(g * (400 + 8 * calcium))
    ratio = snr(fluorescence)
    fluorescence -= (400 * gain).astype(np.float32)
    return TwoPhoton(deconvolve(fluorescence, dt), ratio)


def deconvolve(F, dt, *, decay=0.25):
    r"""Find the activity that best explains fluorescence, if it cannot be negative.

    Parameters
    ----------
    F : array_like, shape (n_neurons, n_timepoints)
        Fluorescence above background.
    dt : float
        Bin width in seconds, greater than 0.
    decay : float, default 0.25
        Time constant of the calcium indicator in seconds, greater than 0.

    Returns
    -------
    ndarray of float32, shape (n_neurons, n_timepoints)
        Activity s >= 0.

    Raises
    ------
    ValueError
        If `F` is malformed, or `dt` or `decay` not positive.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Exact minimum of ``sum (F - c)**2`` over traces c with ``s(t) = c(t) - g c(t-1) >= 0``,
    where ``g = exp(-dt / decay)``: the pool-adjacent-violators algorithm of OASIS [1]_ without
    sparsity penalty, for all neurons at once. This is what Suite2p does.

    References
    ----------
    .. [1] Friedrich, Zhou & Paninski, "Fast online deconvolution of calcium imaging data", PLoS
       Comput. Biol. 13, e1005423 (2017).

    Examples
    --------
    One spike, without noise:

    >>> import numpy as np
    >>> F = np.exp(-np.arange(-2, 3) * 0.1 / 0.25) * (np.arange(-2, 3) >= 0)
    >>> deconvolve([F], dt=0.1).round(3)
    array([[0., 0., 1., 0., 0.]], dtype=float32)
    """
    F = _checks.activity(F, "F")
    dt = _checks.real(dt, "dt", low=0, open_low=True)
    g = np.exp(-dt / _checks.real(decay, "decay", low=0, open_low=True))
    n_times = F.shape[1]
    out = np.empty(F.shape, np.float32)
    power = g ** np.arange(n_times + 1)
    weight = np.cumsum(np.r_[0, power[:-1] ** 2])  # of a pool, by its length
    parts = spans(len(F), max(64, 2**25 // n_times))
    with tqdm(total=len(parts) * n_times, desc="deconvolving", delay=2, leave=False) as bar:
        for rows in parts:
            out[rows] = _pool_violators(np.ascontiguousarray(F[rows].T), power, weight, bar)
    return out


def _pool_violators(F, power, weight, bar):
    """`deconvolve` for F of shape (n_timepoints, n): times first, so that a step is one row.

    Each neuron has a stack of pools, within which its trace just decays. A pool that starts below
    where the one before it has decayed to would need negative activity, so the two are merged.
    """
    n_times, n = F.shape
    value = np.zeros((n_times, n), np.float32)  # where each pool starts
    length = np.zeros((n_times, n), np.int32)
    top = np.full(n, -1)
    everyone = np.arange(n)
    for t in range(n_times):
        top += 1
        value[top, everyone], length[top, everyone] = F[t], 1
        who = everyone if t else everyone[:0]
        while who.size:
            last, before = top[who], top[who] - 1
            v0, v1, n0 = value[before, who], value[last, who], length[before, who]
            merge = v1 < v0 * power[n0]
            who, v0, v1, n0 = who[merge], v0[merge], v1[merge], n0[merge]
            n1 = length[top[who], who]
            top[who] -= 1
            total = weight[n0] * v0 + power[n0] * weight[n1] * v1
            value[top[who], who] = total / weight[n0 + n1]
            length[top[who], who] = n0 + n1
            who = who[top[who] > 0]
        bar.update()
    np.maximum(value, 0, out=value)
    # activity is what each pool adds to the decayed one before it, at the time where it starts
    depth = np.arange(n_times)[:, None] <= top
    starts = np.cumsum(np.where(depth, length, 0), axis=0) - length
    decayed = np.zeros_like(value)
    decayed[1:] = value[:-1] * power[np.where(depth, length, 0)[:-1]]
    activity = np.zeros((n, n_times), np.float32)
    pool, who = np.nonzero(depth)
    activity[who, starts[pool, who]] = np.maximum(value - decayed, 0)[pool, who]
    return activity


def snr(X):
    r"""Signal-to-noise ratio of each neuron, from how much it changes from bin to bin.

    Parameters
    ----------
    X : array_like, shape (n_neurons, n_timepoints)
        Activity or fluorescence, at least three time points.

    Returns
    -------
    ndarray, shape (n_neurons,)
        ``1 - var(x(t) - x(t-1)) / (2 var(x))``: 1 for activity that changes slowly, 0 for white
        noise, below 0 for activity that alternates; nan for constant neurons.

    Raises
    ------
    ValueError
        If `X` is malformed.
    TypeError
        If `X` is not real.

    Notes
    -----
    This is the correlation of neighbouring bins, so it is high for slow noise as well, and low
    for fast signals.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> snr([np.arange(100) % 50]).round(2)
    array([0.94])
    """
    X = _checks.activity(X, min_times=3)
    out = np.empty(len(X))
    for rows in spans(len(X), max(1, 2**22 // X.shape[1])):
        part = X[rows].astype(np.float64)
        variance = part.var(axis=1)
        change = np.diff(part, axis=1).var(axis=1)
        out[rows] = np.where(
            variance > 0, 1 - change / (2 * np.where(variance > 0, variance, 1)), np.nan
        )
    return out


def alternating_blocks(n_times, n_blocks):
    """Slices of training and of test times, by turns.

    Parameters
    ----------
    n_times : int
        Number of time points.
    n_blocks : int
        Number of blocks, from 2 to `n_times`.

    Returns
    -------
    train, test : list of slice

    Examples
    --------
    >>> alternating_blocks(6, 3)
    ([slice(0, 2, None), slice(4, 6, None)], [slice(2, 4, None)])
    """
    n_times = _checks.integer(n_times, "n_times", low=2)
    n_blocks = _checks.integer(n_blocks, "n_blocks", low=2, high=n_times)
    edges = [n_times * i // n_blocks for i in range(n_blocks + 1)]
    blocks = [slice(low, high) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return blocks[::2], blocks[1::2]


def _halves(halves, n, rng):
    if n < 2:
        raise ValueError(
            f"X has {n} neuron(s) by its shape: at least 2 are needed, one for each half"
        )
    if halves is None:
        halves = np.zeros(n, dtype=bool)
        halves[rng.permutation(n)[: n // 2]] = True
        return halves
    halves = _checks.numeric_array(halves, "halves")
    if halves.dtype != bool or halves.shape != (n,):
        raise ValueError(
            f"halves has shape {halves.shape} and dtype {halves.dtype}: pass one bool for each of "
            f"the {n} neurons"
        )
    if halves.all() or not halves.any():
        raise ValueError(
            f"halves puts all {n} neurons on one side: it holds only {bool(halves[0])}, both must "
            "occur (is the spacing of the checkerboard in micrometres?)"
        )
    return halves


def _n_components(n_components, first, second, rank):
    most = min(len(first), len(second), rank)
    if n_components is None:
        return most
    return _checks.integer(n_components, "n_components", low=1, high=most)


def _level(level, named):
    if isinstance(level, str):
        return named[_checks.one_of(level, "level", tuple(named))]
    return _checks.real(level, "level", low=0, open_low=True)


def _svd(C, k, rng, *, vectors=True):
    """Leading k singular values of C, or (U, values, V) with vectors in columns."""
    # where the iteration is faster; all singular vectors cost several times all values
    pays = (5 if vectors else 20) * k < min(C.shape)
    found = _leading_svd(C, k, rng) if pays else None
    if found is None:  # all are cheaper, or leading ones were too close to each other to tell
        if not vectors and C.dtype == np.float32:
            # three times faster than an SVD; squared in double precision it loses nothing
            C = (C if len(C) <= len(C.T) else C.T).astype(np.float64)
            squares = np.linalg.eigvalsh(C @ C.T)[::-1][:k]
            return np.sqrt(np.maximum(squares, 0)).astype(np.float32)
        if not vectors:
            return np.linalg.svd(C, compute_uv=False)[:k]
        U, values, Vt = np.linalg.svd(C, full_matrices=False)
        found = U[:, :k], values[:k], Vt[:k].T
    return found if vectors else found[1]


def _leading_svd(C, k, rng):
    """Subspace iteration in twice as many dimensions as are wanted; None if it does not settle."""
    Q = rng.standard_normal((C.shape[1], 2 * k)).astype(C.dtype)
    before = np.zeros(k)
    for _ in range(50):
        Q, _ = np.linalg.qr(C.T @ np.linalg.qr(C @ Q)[0])
        CQ = C @ Q
        squares, W = np.linalg.eigh(CQ.T @ CQ)
        values = np.sqrt(np.maximum(squares[::-1][:k], 0))
        if np.all(values - before <= _TOLERANCE * values):
            W = W[:, ::-1][:, :k]
            return CQ @ W / np.where(values > 0, values, 1), values, Q @ W
        before = values
    return None
