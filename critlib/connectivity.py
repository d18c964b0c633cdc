"""Structured connectivity and what it leaves in the activity (chapter 8).

Positions are in micrometres. Distances are the shortest way round a torus, a square whose
opposite edges are joined, unless ``size=None`` says that the plane has edges.
"""

from dataclasses import dataclass

import numpy as np

from critlib import _checks
from critlib._blocks import spans


@dataclass(frozen=True)
class Connectivity:
    """A random symmetric network whose mean is removed entry by entry, not yet normalized.

    Parameters
    ----------
    A : ndarray, shape (n, n)
        1 where two neurons are connected, 0 elsewhere, minus the probability of a connection.
        Zero diagonal.
    positions : ndarray, shape (n, 2), or None
        Where the neurons are, in micrometres, if they are anywhere.
    labels : ndarray of int, shape (n,), or None
        Cluster of each neuron, if there are clusters.
    """

    A: np.ndarray
    positions: np.ndarray | None = None
    labels: np.ndarray | None = None

    @property
    def connected(self):
        """Which neurons are connected, bool, shape (n, n)."""
        return self.A > 0

    @property
    def probability(self):
        """Probability of each connection, shape (n, n), 0 on the diagonal."""
        return self.connected - self.A


def sparse(n, p, *, dtype="float64", rng=None):
    r"""Connect each pair of neurons with the same probability.

    Parameters
    ----------
    n : int
        Number of neurons, at least 2.
    p : float
        Probability of a connection, in (0, 1).
    dtype : str or dtype, default "float64"
        "float64" or "float32", which halves the memory. The draw is the same.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Connectivity
        With ``A``, ``connected`` and ``probability``. `A` is a full array: where there is no
        connection, the removed mean is left.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Entries are 1 - p with probability p and -p otherwise: mean 0, variance p (1 - p). For many
    connections per neuron, n p >> log n, the spectrum fills the semicircle of radius
    ``2 sqrt(n p (1 - p))``. With few, the best connected neurons leave it: a neuron with d
    connections makes an eigenvalue of ``sqrt(d)`` or more.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 4.

    Examples
    --------
    >>> network = sparse(1000, 0.1, rng=0)
    >>> round(float(network.connected.mean()), 2), round(abs(float(network.A.mean())), 2)
    (0.1, 0.0)
    """
    n = _checks.integer(n, "n", low=2)
    p = _checks.real(p, "p", low=0, high=1, open_low=True, open_high=True)
    return Connectivity(_draw(n, lambda rows, columns: p, dtype, rng))


def clustered(n, *, cluster_size=500, p_local=0.5, p_global, dtype="float64", rng=None):
    r"""Connect neurons of the same cluster with one probability, others with another.

    Parameters
    ----------
    n : int
        Number of neurons, at least 2.
    cluster_size : int, default 500
        Neurons per cluster, 1 to `n`. The last cluster may be smaller.
    p_local : float, default 0.5
        Probability of a connection within a cluster, in (0, 1).
    p_global : float
        Probability of a connection between clusters, in [0, 1).
    dtype : str or dtype, default "float64"
        "float64" or "float32".
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Connectivity
        With ``A``, ``connected``, ``probability`` and ``labels``: 0 for the first cluster, then
        1, ...

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    If all neurons have the same sum of variances over their partners j,
    ``v = sum_j p_ij (1 - p_ij)``, and many partners, the spectrum fills the semicircle of radius
    ``2 sqrt(v)``, whatever the pattern of the probabilities [1]_.

    References
    ----------
    .. [1] Erdos, Yau & Yin, "Bulk universality for generalized Wigner matrices", Probab. Theory
       Relat. Fields 154, 341 (2012).
    .. [2] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 4.

    Examples
    --------
    >>> network = clustered(6, cluster_size=3, p_global=0.01, rng=0)
    >>> network.labels.tolist()
    [0, 0, 0, 1, 1, 1]
    >>> network.probability[0].round(6).tolist()
    [0.0, 0.5, 0.5, 0.01, 0.01, 0.01]
    """
    n = _checks.integer(n, "n", low=2)
    cluster_size = _checks.integer(cluster_size, "cluster_size", low=1, high=n)
    p_local, p_global = _local_and_global(p_local, p_global)
    labels = np.arange(n) // cluster_size

    def probability(rows, columns):
        return np.where(labels[rows, None] == labels[columns], p_local, p_global)

    return Connectivity(_draw(n, probability, dtype, rng), labels=labels)


def spatial(n, *, length=250.0, size=8000.0, p_local=0.5, p_global, dtype="float64", rng=None):
    r"""Connect near neurons with a probability that falls with distance, far ones with a constant.

    Parameters
    ----------
    n : int
        Number of neurons, at least 2.
    length : float, default 250.0
        Length constant of the probability in micrometres, greater than 0.
    size : float, default 8000.0
        Side of the square in micrometres, greater than 0. Opposite edges are joined.
    p_local : float, default 0.5
        Probability of a connection at distance 0, in (0, 1).
    p_global : float
        Probability of a connection below which it does not fall, in [0, 1).
    dtype : str or dtype, default "float64"
        "float64" or "float32".
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Connectivity
        With ``A``, ``connected``, ``probability`` and ``positions``, which are random and even.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    ``p_ij = max(p_local exp(-d_ij / length), p_global)`` with the distance d on the torus [1]_.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 4.

    Examples
    --------
    >>> network = spatial(2000, p_global=0.01, rng=0)
    >>> mean_by_distance(network.connected, network.positions).values[[0, 1, 14]].round(2)
    array([0.3 , 0.15, 0.01])
    """
    n = _checks.integer(n, "n", low=2)
    length = _checks.real(length, "length", low=0, open_low=True)
    size = _checks.real(size, "size", low=0, open_low=True)
    p_local, p_global = _local_and_global(p_local, p_global)
    rng = _checks.rng_from(rng)
    positions = size * rng.random((n, 2))

    def probability(rows, columns):
        near = p_local * np.exp(-_distances(positions[rows], positions[columns], size) / length)
        return np.maximum(near, p_global)

    return Connectivity(_draw(n, probability, dtype, rng), positions=positions)


def cell_types(n, *, p=0.5, fraction_excitatory=0.8, rng=None):
    r"""Draw excitatory neurons whose mean is removed by inhibitory neurons, not by subtraction.

    Every neuron only excites or only inhibits (Dale's law): columns have one sign.

    Parameters
    ----------
    n : int
        Number of neurons, at least 3.
    p : float, default 0.5
        Probability that two excitatory neurons are connected, in (0, 1).
    fraction_excitatory : float, default 0.8
        Fraction of excitatory neurons, in (0, 1). They come first; there are at least two, and
        at least one inhibitory neuron.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, n)
        Connectivity, not symmetric, not yet normalized. The first ``round(n *
        fraction_excitatory)`` columns are at least 0, the others at most 0.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    This is one simple way among many. Excitatory neurons are connected at random by a symmetric
    W of zeros and ones. Each inhibitory neuron hears every excitatory one with weight p, and each
    neuron receives as much inhibition as excitation, in equal parts from all inhibitory neurons
    (themselves included): rows sum to 0. Let u be the mean activity of the inhibitory neurons;
    then A turns ``y = x_excitatory - u`` into ``(W - p) y``, with p subtracted from every entry.
    So the eigenvalues are those of the mean-removed W, with -p on its diagonal, and zeros: global
    inhibition is what removing the mean stands for. The eigenvectors are not orthogonal, though,
    so the covariance differs.

    Examples
    --------
    >>> A = cell_types(100, rng=0)
    >>> bool(A[:, :80].min() >= 0 >= A[:, 80:].max()), round(abs(A.sum(axis=1)).max(), 9)
    (True, np.float64(0.0))
    """
    n = _checks.integer(n, "n", low=3)
    p = _checks.real(p, "p", low=0, high=1, open_low=True, open_high=True)
    fraction = _checks.real(
        fraction_excitatory, "fraction_excitatory", low=0, high=1, open_low=True, open_high=True
    )
    excitatory = min(max(2, round(n * fraction)), n - 1)
    A = np.empty((n, n))
    A[:excitatory, :excitatory] = sparse(excitatory, p, rng=rng).connected
    A[excitatory:, :excitatory] = p
    A[:, excitatory:] = -A[:, :excitatory].sum(axis=1, keepdims=True) / (n - excitatory)
    return A


def low_rank(A, strengths, *, rng=None):
    r"""Add a few strong patterns to a random matrix.

    Parameters
    ----------
    A : array_like, shape (n, n)
        Connectivity, for instance of `critlib.ensembles.random_connectivity`. float32 is kept.
    strengths : float or array_like, shape (k,)
        Strength of each pattern, 1 to n of them.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, n)
        ``A + sum_k strengths[k] u_k u_k'`` beside the diagonal, which stays as it is. The
        patterns u_k are random, of length 1 and orthogonal.

    Raises
    ------
    ValueError
        If `A` is not square and finite, or `strengths` are not finite or more than n.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    On a large symmetric matrix whose semicircle has radius 1, a pattern of strength s > 1/2 makes
    an eigenvalue at ``s + 1 / (4 s)``, outside the semicircle; a weaker one leaves no trace in
    the spectrum [1]_.

    References
    ----------
    .. [1] Benaych-Georges & Nadakuditi, "The eigenvalues and eigenvectors of finite, low rank
       perturbations of large random matrices", Adv. Math. 227, 494 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from critlib import ensembles
    >>> A = low_rank(ensembles.random_connectivity(1000, rng=0), 2.0, rng=1)
    >>> np.linalg.eigvalsh(A)[-2:].round(1)
    array([1. , 2.1])
    """
    A = _checks.square_matrix(A)
    n = len(A)
    strengths = _checks.numeric_array(strengths, "strengths")
    strengths = strengths[None] if strengths.ndim == 0 else strengths
    strengths = _checks.real_array(strengths, "strengths", ndim=1)
    if len(strengths) > n:
        raise ValueError(
            f"strengths holds {len(strengths)} values but A has {n} neurons: pass at most {n}"
        )
    rng = _checks.rng_from(rng)
    u = np.linalg.qr(rng.standard_normal((n, len(strengths))))[0]
    patterns = (u * strengths) @ u.T
    out = A + ((patterns + patterns.T) / 2).astype(A.dtype)  # symmetric to the last digit
    np.fill_diagonal(out, A.diagonal())
    return out


def strong_pairs(correlation, *, fraction=0.01, positions=None, min_distance=20.0, size=8000.0):
    r"""Find the strongest correlations of each neuron.

    Parameters
    ----------
    correlation : array_like, shape (n, n)
        Correlation of each pair of neurons, n at least 2. The diagonal does not matter.
    fraction : float, default 0.01
        Fraction of a neuron's n - 1 partners that count as strong, in (0, 1]; at least one does.
    positions : array_like, shape (n, n_axes), optional
        Positions in micrometres. Without them no pair is too near.
    min_distance : float, default 20.0
        Pairs nearer than this, in micrometres, are left out, at least 0. In recordings they may
        be one neuron seen twice.
    size : float or None, default 8000.0
        Side of the torus in micrometres; None if there is none.

    Returns
    -------
    ndarray of bool, shape (n, n)
        Whether the column's neuron is a strong partner of the row's. Not symmetric.

    Raises
    ------
    ValueError
        If an argument is malformed or out of range, or a neuron has too few partners that are far
        enough.
    TypeError
        If an argument has the wrong type.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 4.

    Examples
    --------
    >>> strong_pairs([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]]).astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 1, 0]])
    """
    correlation = _checks.square_matrix(correlation, "correlation")
    n = _pairs(correlation, "correlation")
    fraction = _checks.real(fraction, "fraction", low=0, high=1, open_low=True)
    if positions is not None:
        positions = _positions(positions, n)
    min_distance, size = _checks.real(min_distance, "min_distance", low=0), _torus(size)
    k = max(1, round(fraction * (n - 1)))
    strong = np.zeros((n, n), dtype=bool)
    for rows in spans(n, 256):
        block = correlation[rows].copy()
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = -np.inf
        if positions is not None:
            block[_distances(positions[rows], positions, size) < min_distance] = -np.inf
        best = np.argpartition(block, n - k, axis=1)[:, n - k :]
        if np.isneginf(np.take_along_axis(block, best, axis=1)).any():
            raise ValueError(
                f"min_distance is {min_distance:g}: a neuron has fewer than {k} partners that far "
                "away; make min_distance or fraction smaller"
            )
        np.put_along_axis(strong[rows], best, True, axis=1)
    return strong


@dataclass(frozen=True)
class ByDistance:
    """What pairs of neurons do at each distance.

    Parameters
    ----------
    distance : ndarray, shape (n_bins,)
        Middle of each bin in micrometres.
    values : ndarray, shape (n_bins,)
        Value in each bin, NaN where there is no pair.
    """

    distance: np.ndarray
    values: np.ndarray

    @property
    def near_over_far(self):
        """Value in the first bin over the mean of the last four."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.values[0] / np.mean(self.values[-4:]))


def mean_by_distance(pairs, positions, *, width=200.0, n_bins=15, min_distance=20.0, size=8000.0):
    """Average a quantity that pairs of neurons have, for pairs of like distance.

    Parameters
    ----------
    pairs : array_like, shape (n, n)
        Correlation, or whether pairs are connected, or the like; n at least 2. The diagonal does
        not matter.
    positions : array_like, shape (n, n_axes)
        Positions in micrometres.
    width : float, default 200.0
        Width of a bin in micrometres, greater than 0. The first begins at 0.
    n_bins : int, default 15
        Number of bins, at least 5.
    min_distance : float, default 20.0
        Pairs nearer than this, in micrometres, are left out.
    size : float or None, default 8000.0
        Side of the torus in micrometres; None if there is none.

    Returns
    -------
    ByDistance
        With ``distance``, ``values`` and ``near_over_far``.

    Raises
    ------
    ValueError
        If an argument is malformed or out of range.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> pairs = [[1.0, 0.2, 0.6], [0.2, 1.0, 0.4], [0.6, 0.4, 1.0]]
    >>> mean_by_distance(pairs, [[0.0], [100.0], [310.0]], n_bins=5).values
    array([0.2, 0.5, nan, nan, nan])
    """
    pairs = _bool_or_real(pairs, "pairs")
    sums, counts = _sum_by_distance(pairs, positions, width, n_bins, min_distance, size)
    with np.errstate(invalid="ignore"):
        means = sums[:-1] / counts[:-1]
    return ByDistance(width * (np.arange(len(means)) + 0.5), means)


def strong_pair_odds(strong, positions, *, width=200.0, n_bins=15, min_distance=20.0, size=8000.0):
    r"""How the odds of being a strong pair depend on distance.

    Parameters
    ----------
    strong : array_like of bool, shape (n, n)
        Which pairs are strong, from `strong_pairs`. The diagonal does not matter.
    positions : array_like, shape (n, n_axes)
        Positions in micrometres.
    width : float, default 200.0
        Width of a bin in micrometres, greater than 0.
    n_bins : int, default 15
        Number of bins, at least 5.
    min_distance : float, default 20.0
        Pairs nearer than this, in micrometres, are left out.
    size : float or None, default 8000.0
        Side of the torus in micrometres; None if there is none.

    Returns
    -------
    ByDistance
        ``values`` are odds in each bin relative to the odds over all pairs, also those beyond the
        last bin: 1 where distance does not matter. ``near_over_far`` compares the first bin with
        the last four.

    Raises
    ------
    ValueError
        If an argument is malformed or out of range, or all pairs, or none, are strong.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    With s strong pairs and o others in a bin, S and O in all, ``odds = (s / o) / (S / O)``; this
    is also the share of the strong pairs that is in the bin over the share of the others.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Fig. 4.

    Examples
    --------
    >>> network = spatial(500, p_global=0.02, rng=0)
    >>> odds = strong_pair_odds(network.connected, network.positions)
    >>> odds.distance[:3], bool(odds.near_over_far > 10)
    (array([100., 300., 500.]), True)
    """
    strong = _bool_or_real(strong, "strong")
    if strong.dtype != bool:
        raise TypeError(f"strong has dtype {strong.dtype}: pass True and False, from strong_pairs")
    sums, counts = _sum_by_distance(strong, positions, width, n_bins, min_distance, size)
    total, others = sums.sum(), counts.sum() - sums.sum()
    if total == 0 or others == 0:
        raise ValueError(
            f"strong holds {total:g} strong pairs of {counts.sum()} at or beyond min_distance: "
            "there must be some, and some others"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = sums[:-1] / (counts - sums)[:-1] / (total / others)
    return ByDistance(width * (np.arange(len(odds)) + 0.5), odds)


def mode_spread(vectors, positions, *, length=250.0, size=8000.0):
    r"""How much of a mode gathers around its centre.

    Parameters
    ----------
    vectors : array_like, shape (n, k) or (n,)
        Modes, one per column: principal components, eigenvectors.
    positions : array_like, shape (n, n_axes)
        Positions in micrometres.
    length : float, default 250.0
        Length constant of the connections in micrometres, greater than 0.
    size : float or None, default 8000.0
        Side of the torus in micrometres; None if there is none.

    Returns
    -------
    ndarray of shape (k,), or float
        Mean weight of the neurons within 1.5 length constants of the centre, over the mean weight
        of all. About 1 for a mode that is everywhere, large for a local one; NaN if nobody is
        near the centre.

    Raises
    ------
    ValueError
        If an argument is malformed or out of range, or a mode is zero everywhere.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Weights w are squared entries. The centre of mass on a circle of length L is the angle of
    ``sum w exp(2 pi i x / L)``, times ``L / (2 pi)``. A mode that is everywhere has its centre
    where chance puts it.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026), Methods.

    Examples
    --------
    >>> import numpy as np
    >>> positions = np.arange(0, 8000, 100)[:, None]  # on a ring
    >>> everywhere, one_neuron = np.ones(80), np.eye(80)[5]
    >>> mode_spread(np.column_stack([everywhere, one_neuron]), positions).round(1)
    array([ 1. , 11.4])
    """
    vectors = _checks.numeric_array(vectors, "vectors")
    single = vectors.ndim == 1
    vectors = _checks.real_array(vectors[:, None] if single else vectors, "vectors", ndim=2)
    positions = _positions(positions, len(vectors))
    length = _checks.real(length, "length", low=0, open_low=True)
    size = _torus(size)
    spread = np.empty(vectors.shape[1])
    for modes in spans(len(spread), 256):
        w = vectors[:, modes].astype(float)
        largest = np.abs(w).max(axis=0)
        if not largest.all():
            raise ValueError("vectors holds a mode that is 0 everywhere: remove it first")
        w = (w / largest) ** 2
        w /= w.sum(axis=0)
        if size is None:
            centre = w.T @ positions
        else:
            turns = np.angle(w.T @ np.exp(2j * np.pi * positions / size)) / (2 * np.pi)
            centre = size * turns
        near = _distances(positions, centre, size) <= 1.5 * length
        with np.errstate(invalid="ignore"):
            spread[modes] = (w * near).sum(axis=0) / near.sum(axis=0) * len(w)
    return float(spread[0]) if single else spread


def _draw(n, probability, dtype, rng):
    """Symmetric matrix, zero diagonal: 1 where a random connection is, minus its probability."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ValueError(f"dtype is {dtype!r}: choose 'float64' or 'float32'")
    rng = _checks.rng_from(rng)
    A = np.empty((n, n), dtype)
    for rows in spans(n, 256):
        p = probability(rows, slice(rows.start, n))  # from the diagonal to the right
        block = (rng.random((rows.stop - rows.start, n - rows.start)) < p) - p
        width = rows.stop - rows.start
        upper = np.triu(block[:, :width], 1)
        A[rows, rows] = upper + upper.T
        A[rows, rows.stop :] = block[:, width:]
        A[rows.stop :, rows] = A[rows, rows.stop :].T
    return A


def _local_and_global(p_local, p_global):
    p_local = _checks.real(p_local, "p_local", low=0, high=1, open_low=True, open_high=True)
    return p_local, _checks.real(p_global, "p_global", low=0, high=1, open_high=True)


def _torus(size):
    return None if size is None else _checks.real(size, "size", low=0, open_low=True)


def _positions(positions, n):
    positions = _checks.real_array(positions, "positions", ndim=2).astype(float)
    if len(positions) != n:
        raise ValueError(
            f"positions has shape {positions.shape}: it must have one row for each of {n} neurons"
        )
    return positions


def _pairs(matrix, name):
    if len(matrix) < 2:
        raise ValueError(f"{name} has shape {matrix.shape}: pass two neurons or more")
    return len(matrix)


def _bool_or_real(matrix, name):
    array = _checks.numeric_array(matrix, name)
    if array.dtype != bool or array.ndim != 2 or array.shape[0] != array.shape[1]:
        array = _checks.square_matrix(array, name)
    _pairs(array, name)
    return array


def _distances(a, b, size):
    squares = 0.0
    for axis in range(a.shape[1]):
        d = a[:, axis, None] - b[:, axis]
        if size is not None:
            d -= size * np.round(d / size)
        squares = squares + d * d
    return np.sqrt(squares)


def _sum_by_distance(pairs, positions, width, n_bins, min_distance, size):
    """Sums and numbers of pairs in each bin; the last holds all that are farther."""
    n = len(pairs)
    positions, size = _positions(positions, n), _torus(size)
    width = _checks.real(width, "width", low=0, open_low=True)
    n_bins = _checks.integer(n_bins, "n_bins", low=5)
    min_distance = _checks.real(min_distance, "min_distance", low=0)
    sums, counts = np.zeros(n_bins + 1), np.zeros(n_bins + 1, dtype=np.int64)
    for rows in spans(n, 256):
        d = _distances(positions[rows], positions, size)
        used = d >= min_distance
        used[np.arange(len(d)), np.arange(rows.start, rows.stop)] = False
        which = np.minimum(d[used] / width, n_bins).astype(np.int64)
        counts += np.bincount(which, minlength=n_bins + 1)
        sums += np.bincount(which, weights=pairs[rows][used], minlength=n_bins + 1)
    return sums, counts
