"""The largest real part of a spectrum, and scaling it to the critical point (chapter 2)."""

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs, eigsh

from critlib import _checks

# Below this size a full decomposition takes well under a second and leaves nothing to verify.
_SMALL = 400


def spectral_abscissa(A):
    r"""Largest real part of the eigenvalues of a matrix.

    The one number that decides whether linear dynamics with connectivity `A` are stable. It is
    found without the other eigenvalues: symmetric matrices by Lanczos iteration, others by
    Arnoldi iteration. Where the iteration does not converge or its answer fails its own check,
    the full spectrum is computed instead.

    Parameters
    ----------
    A : array_like or scipy.sparse matrix, shape (n, n)
        Connectivity. A symmetric one is recognised by itself.

    Returns
    -------
    float
        Largest real part over all eigenvalues.

    Raises
    ------
    ValueError
        If `A` is not square, is empty, or holds NaN or infinite values.
    TypeError
        If `A` is not real.

    Notes
    -----
    The right-most eigenvalues of a large random matrix are close together, so Arnoldi iteration
    needs many products with `A`. For dense matrices these are done in single precision; each
    candidate is then refined in double precision. Inverse iteration around it gives left and
    right eigenvectors y and x, and the two-sided Rayleigh quotient ``y'Ax / y'x`` has an error of
    second order in theirs [1]_. Candidates whose real parts are too close to call are all
    refined. Ten right-most eigenvalues are asked for rather than one, because an iteration for
    one can settle on the second.

    References
    ----------
    .. [1] Lehoucq, Sorensen & Yang, "ARPACK Users' Guide", SIAM (1998). Ostrowski, "On the
       convergence of the Rayleigh quotient iteration", Arch. Rational Mech. Anal. 3 (1959).

    Examples
    --------
    >>> round(spectral_abscissa([[0.0, 2.0], [2.0, 0.0]]), 12)
    2.0
    >>> round(spectral_abscissa([[0.5, -3.0], [3.0, 0.5]]), 12)
    0.5
    """
    A = _checks.square_matrix(A, sparse=True)
    n = A.shape[0]
    scale = max(A.max(), -A.min())
    if scale == 0:
        return 0.0
    A = A / scale  # the iterations below compare with 1, so they must not see the units of A
    symmetric = _checks.is_symmetric(A)
    if n <= _SMALL:
        return float(scale) * _full(A, symmetric)
    try:
        found = _lanczos(A) if symmetric else _arnoldi(A)
    except (ArpackError, np.linalg.LinAlgError):
        found = None
    return float(scale) * (_full(A, symmetric) if found is None else found)


def critically_normalize(A, *, target=0.998):
    r"""Scale a connectivity matrix so that its largest real eigenvalue part is `target`.

    Parameters
    ----------
    A : array_like or scipy.sparse matrix, shape (n, n)
        Connectivity whose spectrum reaches to the right of zero.
    target : float, default 0.998
        Wanted largest real part, greater than 0. Below 1 the linear network is stable; at 1 it
        is critical.

    Returns
    -------
    ndarray or scipy.sparse matrix, shape (n, n)
        ``A * target / spectral_abscissa(A)``; float32 stays float32. `A` itself is not changed.

    Raises
    ------
    ValueError
        If `A` is not square, empty, not finite, or has no eigenvalue with a positive real part;
        if `target` is not positive.
    TypeError
        If `A` is not real or `target` not a number.

    References
    ----------
    .. [1] Pachitariu et al., "A critical initialization for biological neural networks", Nature
       655, 990 (2026).

    Examples
    --------
    >>> critically_normalize([[0.0, 2.0], [2.0, 0.0]], target=0.9)
    array([[0. , 0.9],
           [0.9, 0. ]])
    """
    A = _checks.square_matrix(A, sparse=True)
    target = _checks.real(target, "target", low=0, open_low=True)
    abscissa = spectral_abscissa(A)
    if not abscissa > 8 * np.finfo(A.dtype).eps * abs(A).max():
        raise ValueError(
            f"A has a largest real eigenvalue part of {abscissa:g}: no positive factor can bring "
            f"it to {target:g}; use a matrix whose spectrum reaches to the right of zero"
        )
    return A * A.dtype.type(target / abscissa)


def _full(A, symmetric):
    dense = A.toarray() if scipy.sparse.issparse(A) else A
    dense = dense.astype(np.float64)
    if symmetric:
        last = len(dense) - 1
        return float(scipy.linalg.eigvalsh(dense, subset_by_index=(last, last))[0])
    return float(np.linalg.eigvals(dense).real.max())


def _start(n, dtype):
    # A fixed start makes the result repeatable; a random one has a part along every eigenvector.
    return np.random.default_rng(20260).standard_normal(n).astype(dtype)


def _lanczos(A):
    values = eigsh(
        A.astype(np.float64),
        k=2,
        which="LA",
        ncv=60,
        tol=1e-8,
        v0=_start(A.shape[0], np.float64),
        return_eigenvectors=False,
    )
    return float(values.max())


def _arnoldi(A):
    """Right-most real part of a large non-symmetric matrix, or None if the check fails."""
    n = A.shape[0]
    sparse = scipy.sparse.issparse(A)
    A = A.astype(np.float64, copy=False)
    if (A + A.T).nnz == 0 if sparse else np.array_equal(A[0], -A[:, 0]) and not np.any(A + A.T):
        return 0.0  # antisymmetric: every eigenvalue is imaginary
    product = A if sparse else A.astype(np.float32)
    values, vectors = eigs(
        LinearOperator((n, n), matvec=lambda x: product @ x, dtype=product.dtype),
        k=10,
        which="LR",
        ncv=120,
        tol=1e-9 if sparse else 1e-3,
        v0=_start(n, product.dtype),
    )
    if sparse:
        return float(values.real.max())

    # how far single precision may be off decides how many candidates are too close to call
    slack = 5e-4 * abs(values).max()
    best = -np.inf
    for value, vector in zip(values, vectors.T, strict=True):
        if value.imag < 0 or value.real < values.real.max() - slack:
            continue
        refined = _refine(A, complex(value), vector, slack)
        if refined is None:
            return None
        best = max(best, refined)
    return best


def _refine(A, value, vector, radius):
    """Largest real part among the eigenvalues of `A` within `radius` of `value`.

    Two-sided inverse iteration on a block of vectors, so that eigenvalues which single precision
    cannot tell apart come out one by one. None if it does not settle.
    """
    n = len(A)
    # A real candidate keeps everything real, at a quarter of the cost.
    dtype = np.float32 if value.imag == 0 else np.complex64
    shift = dtype(value.real if value.imag == 0 else value)
    shifted = A.T.astype(dtype).T  # column order, so that LAPACK works in place
    shifted[np.diag_indices(n)] -= shift
    factors = scipy.linalg.lu_factor(shifted, overwrite_a=True, check_finite=False)

    rng = np.random.default_rng(20260)
    right = rng.standard_normal((n, 6)).astype(dtype)
    left = rng.standard_normal((n, 6)).astype(dtype)
    right[:, 0] = vector.real if value.imag == 0 else vector
    previous = np.inf
    for _ in range(20):
        right = np.linalg.qr(scipy.linalg.lu_solve(factors, right))[0]
        left = np.linalg.qr(scipy.linalg.lu_solve(factors, left, trans=2))[0]
        x, y = right.astype(np.complex128), left.astype(np.complex128)
        Ax = A @ x.real + 1j * (A @ x.imag)  # A @ x would copy A to complex numbers
        ritz = np.linalg.eigvals(np.linalg.solve(y.conj().T @ x, y.conj().T @ Ax))
        near = ritz.real[abs(ritz - value) < radius]
        if near.size and abs(near.max() - previous) < 1e-9 * abs(value):
            return float(near.max())
        previous = near.max() if near.size else np.inf
    return None
