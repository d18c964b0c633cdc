"""Checks at the door: every public function of critlib validates its arguments with these.

Each message names the argument, says what was given, and says what to do about it.
"""

import mmap
import numbers

import numpy as np
import scipy.sparse


def rng_from(rng):
    """Return a `numpy.random.Generator` from None, an int or a Generator."""
    allowed = rng is None or isinstance(rng, (numbers.Integral, np.random.Generator))
    if not allowed or isinstance(rng, bool):
        raise TypeError(
            f"rng is {rng!r} of type {type(rng).__name__}: pass None, an int seed, or a "
            "numpy.random.Generator"
        )
    if isinstance(rng, numbers.Integral) and rng < 0:
        raise ValueError(f"rng is {rng}: a seed must be zero or a positive int")
    return np.random.default_rng(rng)


def numeric_array(values, name, *, kinds="fiub"):
    """Return `values` as an array of numbers, whatever its shape."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{name} is {type(values).__name__} with rows of different lengths: make them equal"
        ) from None
    if array.dtype.kind not in kinds:
        raise TypeError(
            f"{name} has dtype {array.dtype}: convert it to real numbers first, for example "
            f"with np.asarray({name}, dtype=float)"
        )
    return array


def real_array(values, name, *, ndim):
    """Return `values` as a finite float array with `ndim` dimensions; float32 is kept."""
    array = numeric_array(values, name)
    if array.ndim != ndim:
        raise ValueError(
            f"{name} has {array.ndim} dimension(s), shape {array.shape}: it must have {ndim}"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}: it must hold at least one value")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    bad = n_not_finite(array)
    if bad:
        raise ValueError(
            f"{name} holds {bad} NaN or infinite value(s): remove or replace them first"
        )
    return array


def n_not_finite(array):
    """Count NaN and infinite values in blocks: a recording's size in booleans is too much."""
    pages = _pages(array)
    flags = ["external_loop", "buffered", "zerosize_ok"]
    count = 0
    for block in np.nditer(array, flags=flags, buffersize=2**20):
        count += block.size - np.count_nonzero(np.isfinite(block))
        if pages is not None:  # they are read again where they are needed
            pages.madvise(mmap.MADV_DONTNEED)
    return count


def _pages(array):
    """Return the map behind an array that lies in a file, if its pages can be let go of."""
    mode = None
    while isinstance(array, np.ndarray):
        mode = getattr(array, "mode", mode)
        array = array.base
    # read-only alone: letting go of a private copy would lose what was written to it
    possible = mode == "r" and isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")
    return array if possible else None


def square_matrix(A, name="A", *, sparse=False):
    """Return `A` as a finite square float matrix; scipy.sparse is let through if `sparse`."""
    if scipy.sparse.issparse(A):
        if not sparse:
            raise TypeError(f"{name} is a scipy.sparse matrix: pass {name}.toarray() instead")
        matrix = A.tocsr()
        real_array(matrix.data if matrix.nnz else np.zeros(1), name, ndim=1)
        if matrix.dtype not in (np.float32, np.float64):
            matrix = matrix.astype(np.float64)
    else:
        matrix = real_array(A, name, ndim=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"{name} has shape {matrix.shape}: it must be square, one row and one column per neuron"
        )
    if matrix.shape[0] == 0:
        raise ValueError(f"{name} is empty, shape {matrix.shape}: it must hold at least one value")
    return matrix


def activity(X, name="X", *, min_times=2):
    """Return `X` as a finite (n_neurons, n_timepoints) float array."""
    X = real_array(X, name, ndim=2)
    if X.shape[1] < min_times:
        raise ValueError(
            f"{name} has {X.shape[1]} time point(s), shape {X.shape}: at least {min_times} are "
            "needed; rows are neurons and columns are time points"
        )
    return X


def integer(value, name, *, low, high=None):
    """Return `value` as an int in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        whole = isinstance(value, numbers.Real) and float(value).is_integer()
        if isinstance(value, bool) or not whole:
            raise TypeError(f"{name} is {value!r}: pass a whole number")
    value = int(value)
    if value < low or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} is {value}: it must be {span}")
    return value


def real(value, name, *, low=None, high=None, open_low=False, open_high=False):
    """Return `value` as a finite float inside the given bounds."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}: pass a real number")
    try:
        value = float(value)
    except OverflowError:
        raise ValueError(f"{name} is {value}: it must fit in a float, below 1.8e308") from None
    if not np.isfinite(value):
        raise ValueError(f"{name} is {value}: it must be finite")
    if low is not None and (value < low or (open_low and value == low)):
        raise ValueError(
            f"{name} is {value:g}: it must be {'greater than' if open_low else 'at least'} {low:g}"
        )
    if high is not None and (value > high or (open_high and value == high)):
        raise ValueError(
            f"{name} is {value:g}: it must be {'less than' if open_high else 'at most'} {high:g}"
        )
    return value


def boolean(value, name):
    """Return `value` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}: pass True or False")
    return bool(value)


def one_of(value, name, options):
    """Return `value` if it is one of the strings in `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(map(repr, options))}")
    return value


def is_symmetric(A):
    """Say whether a checked square matrix equals its transpose, up to rounding."""
    if scipy.sparse.issparse(A):
        difference, scale = abs(A - A.T), abs(A)
        largest = difference.max() if difference.nnz else 0.0
        return bool(largest <= 8 * np.finfo(A.dtype).eps * (scale.max() if scale.nnz else 0.0))
    # blocks of rows: a full A - A.T would double the memory
    bound = 8 * np.finfo(A.dtype).eps * max(A.max(), -A.min())
    n = len(A)
    for start in range(0, n, 512):
        rows = slice(start, min(start + 512, n))
        if np.abs(A[rows, start:] - A[start:, rows].T).max() > bound:
            return False
    return True
