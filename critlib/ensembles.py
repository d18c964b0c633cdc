"""Random connectivity matrices and the laws of their eigenvalues (chapter 1)."""

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaincinv

from critlib import _checks

# Each draws (rng, size) -> entries with mean 0 and variance 1; the population mean and standard
# deviation are subtracted and divided out, not the sample's.
_DISTRIBUTIONS = {
    "uniform": lambda rng, size: (2 * rng.random(size) - 1) * np.sqrt(3),
    "gaussian": lambda rng, size: rng.standard_normal(size),
    "binary": lambda rng, size: 2.0 * rng.integers(0, 2, size) - 1,
    "truncated_gaussian": lambda rng, size: (
        (np.abs(rng.standard_normal(size)) - np.sqrt(2 / np.pi)) / np.sqrt(1 - 2 / np.pi)
    ),
    "exponential": lambda rng, size: rng.standard_exponential(size) - 1,
    "lognormal": lambda rng, size: (
        (np.exp(rng.standard_normal(size)) - np.exp(0.5)) / np.sqrt(np.exp(2) - np.exp(1))
    ),
}


def random_connectivity(n, *, symmetry=1.0, distribution="uniform", rng=None):
    r"""Draw a random connectivity matrix whose spectrum ends at 1.

    Entries have zero mean, as if global inhibition had removed the mean of positive weights, and
    no neuron connects to itself. The matrix is divided by the scalar that puts the right-most
    point of the *limiting* spectrum at 1; the right-most eigenvalue of one draw lies near it.

    Parameters
    ----------
    n : int
        Number of neurons, at least 2.
    symmetry : float, default 1.0
        Correlation of ``A[i, j]`` and ``A[j, i]``, in [-1, 1]. 1 is a symmetric matrix, 0 has
        independent entries, -1 is antisymmetric.
    distribution : str, default "uniform"
        Distribution of the entries before their mean is removed: "uniform" on an interval,
        "gaussian", "binary" (two equally likely values), "truncated_gaussian" (a Gaussian cut
        off below its centre), "exponential", or "lognormal" (the exponential of a standard
        Gaussian).
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, n)
        Connectivity, float64, zero diagonal. ``A[i, j]`` is the weight from neuron j to neuron i.

    Raises
    ------
    ValueError
        If `n` < 2, `symmetry` is outside [-1, 1], or `distribution` is unknown.
    TypeError
        If `n` is not whole, `symmetry` not real, or `rng` none of the three.

    Notes
    -----
    With entries of standard deviation s and correlation r, the eigenvalues fill an ellipse with
    half-axes ``s sqrt(n) (1 + r)`` and ``s sqrt(n) (1 - r)`` [1]_. Hence
    ``s = 1 / (sqrt(n) (1 + r))``. An antisymmetric matrix has no positive real part to scale; for
    r = -1 the spectrum is scaled to end at i instead.

    A pair (i, j), (j, i) is correlated by copying: with probability ``abs(r)`` the second entry
    is the first times the sign of r, otherwise it is a fresh draw. So every entry keeps its
    distribution (for r < 0, its distribution up to sign).

    References
    ----------
    .. [1] Sommers, Crisanti, Sompolinsky & Stein, "Spectrum of large random asymmetric
       matrices", Phys. Rev. Lett. 60, 1895 (1988).

    Examples
    --------
    >>> import numpy as np
    >>> A = random_connectivity(500, rng=0)
    >>> bool(np.all(A == A.T)), float(np.trace(A))
    (True, 0.0)
    >>> round(float(np.linalg.eigvalsh(A)[-1]), 1)
    1.0
    """
    n = _checks.integer(n, "n", low=2)
    symmetry = _checks.real(symmetry, "symmetry", low=-1, high=1)
    draw = _DISTRIBUTIONS[_checks.one_of(distribution, "distribution", tuple(_DISTRIBUTIONS))]
    rng = _checks.rng_from(rng)

    half_axis = 1 + symmetry if symmetry > -1 else 2.0
    A = draw(rng, (n, n)) / (np.sqrt(n) * half_axis)
    if symmetry != 0:
        sign = np.sign(symmetry)
        # row by row: the part right of the diagonal is copied to the column below it
        for i in range(n - 1):
            copied = slice(None) if abs(symmetry) == 1 else rng.random(n - 1 - i) < abs(symmetry)
            A[i + 1 :, i][copied] = sign * A[i, i + 1 :][copied]
    np.fill_diagonal(A, 0)
    return A


def goe_top_eigenvalues(n, k, *, rng=None):
    r"""Draw the k largest eigenvalues of a Gaussian symmetric matrix without the matrix.

    Exact in distribution for the Gaussian orthogonal ensemble, for matrices far too large to be
    stored: n may be as large as 1e11.

    Parameters
    ----------
    n : int
        Number of rows of the matrix that is not built, 2 to 1e11.
    k : int
        How many eigenvalues, 1 to `n`.
    rng : None, int or numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (k,)
        Eigenvalues from largest to smallest, scaled so that their limiting law is the semicircle
        on [-1, 1].

    Raises
    ------
    ValueError
        If `n` or `k` is out of range.
    TypeError
        If `n` or `k` is not whole, or `rng` none of the three.

    Notes
    -----
    Householder reflections turn a Gaussian symmetric matrix into a tridiagonal one with the same
    eigenvalues, whose entries are again independent: N(0, 2) on the diagonal and chi with
    n-1, n-2, ..., 1 degrees of freedom beside it [1]_. The eigenvectors of the largest
    eigenvalues live in the first rows only: row j sees a local edge at ``2 sqrt(n - j)``, and past
    the row where that edge drops below the eigenvalue they die off like an Airy function over
    ``n**(1/3)`` rows. We keep 12 such lengths beyond that row, which leaves out less than 1e-20
    of their weight.

    References
    ----------
    .. [1] Dumitriu & Edelman, "Matrix models for beta ensembles", J. Math. Phys. 43, 5830 (2002).

    Examples
    --------
    >>> top = goe_top_eigenvalues(1_000_000, 3, rng=0)
    >>> top.round(2)
    array([1., 1., 1.])
    >>> bool(top[0] > top[1] > top[2])
    True
    """
    n = _checks.integer(n, "n", low=2, high=10**11)
    k = _checks.integer(k, "k", low=1, high=n)
    rng = _checks.rng_from(rng)

    turning_row = n * (1 - semicircle_quantile(1 - k / n) ** 2) if k < n / 2 else n
    rows = int(min(n, np.ceil(turning_row + 12 * n ** (1 / 3)) + k))
    diagonal = rng.normal(scale=np.sqrt(2), size=rows)
    off_diagonal = np.sqrt(rng.chisquare(n - 1 - np.arange(rows - 1, dtype=float)))
    values = eigh_tridiagonal(
        diagonal,
        off_diagonal,
        eigvals_only=True,
        select="i",
        select_range=(rows - k, rows - 1),
    )
    return values[::-1] / (2 * np.sqrt(n))


def semicircle_pdf(x):
    r"""Density of Wigner's semicircle law on [-1, 1].

    Parameters
    ----------
    x : array_like
        Where to evaluate, any shape.

    Returns
    -------
    ndarray
        ``2 / pi * sqrt(1 - x**2)`` inside [-1, 1], zero outside; same shape as `x`.

    Raises
    ------
    TypeError
        If `x` is not real.
    ValueError
        If `x` holds NaN.

    References
    ----------
    .. [1] Wigner, "On the distribution of the roots of certain symmetric matrices", Ann. Math.
       67, 325 (1958).

    Examples
    --------
    >>> semicircle_pdf([-1, 0, 2]).round(3)
    array([0.   , 0.637, 0.   ])
    """
    x = _real_values(x, "x")
    return 2 / np.pi * np.sqrt(1 - np.clip(x, -1, 1) ** 2)


def semicircle_quantile(q):
    r"""Quantile function of Wigner's semicircle law on [-1, 1].

    ``semicircle_quantile(1 - (i - 0.5) / n)`` is where the i-th largest of n eigenvalues is
    expected.

    Parameters
    ----------
    q : array_like
        Probabilities in [0, 1], any shape.

    Returns
    -------
    ndarray
        The x below which a fraction `q` of the law lies; same shape as `q`.

    Raises
    ------
    ValueError
        If `q` holds NaN or leaves [0, 1].
    TypeError
        If `q` is not real.

    Notes
    -----
    The semicircle law is a Beta(3/2, 3/2) law stretched to [-1, 1].

    Examples
    --------
    >>> semicircle_quantile([0, 0.5, 1])
    array([-1.,  0.,  1.])
    """
    q = _real_values(q, "q")
    if np.any((q < 0) | (q > 1)):
        raise ValueError(f"q runs from {q.min():g} to {q.max():g}: probabilities lie in [0, 1]")
    # the lower half by symmetry: near q = 1 the incomplete beta function loses digits
    lower = 2 * betaincinv(1.5, 1.5, np.minimum(q, 1 - q)) - 1
    return np.where(q <= 0.5, lower, -lower)


def ellipse_boundary(symmetry, *, n_points=400):
    r"""Boundary of the elliptic law, scaled to end at 1 as `random_connectivity` is.

    Parameters
    ----------
    symmetry : float
        Correlation of ``A[i, j]`` and ``A[j, i]``, in [-1, 1].
    n_points : int, default 400
        Number of points, at least 4.

    Returns
    -------
    ndarray of complex, shape (n_points,)
        Closed curve, counter-clockwise from its right-most point. symmetry 0 gives the unit
        circle, 1 the segment [-1, 1], -1 the segment [-i, i].

    Raises
    ------
    ValueError
        If `symmetry` is outside [-1, 1] or `n_points` < 4.
    TypeError
        If either is not a number.

    References
    ----------
    .. [1] Sommers, Crisanti, Sompolinsky & Stein, "Spectrum of large random asymmetric
       matrices", Phys. Rev. Lett. 60, 1895 (1988).

    Examples
    --------
    >>> import numpy as np
    >>> edge = ellipse_boundary(0.5)
    >>> float(edge.real.max()), round(float(edge.imag.max()), 3)
    (1.0, 0.333)
    """
    symmetry = _checks.real(symmetry, "symmetry", low=-1, high=1)
    n_points = _checks.integer(n_points, "n_points", low=4)
    angle = np.linspace(0, 2 * np.pi, n_points)
    if symmetry == -1:
        return 1j * np.sin(angle)
    return np.cos(angle) + 1j * (1 - symmetry) / (1 + symmetry) * np.sin(angle)


def _real_values(values, name):
    array = _checks.numeric_array(values, name)
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN: remove it first")
    return array.astype(float)
