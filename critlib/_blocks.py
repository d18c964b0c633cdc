"""Recordings that fit in memory only once: z-scored and multiplied piece by piece."""

import numpy as np

# Pieces of a recording hold about this many numbers: large for matrix products, small enough
# for a processor's cache for everything else.
_PIECE, _SMALL = 2**23, 2**17


class Standardized:
    """Activity of which each neuron has mean 0 and variance 1, computed where it is asked for.

    Parameters
    ----------
    X : ndarray, shape (n_neurons, n_timepoints)
        Checked activity, which may be a memory map. It is neither changed nor copied as a whole.
    unit_variance : bool, default True
        False only removes the mean.
    """

    def __init__(self, X, *, unit_variance=True):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        n, n_times = X.shape
        self._n_columns = min(n_times, max(1, _PIECE // n))  # at a time
        self._mean, self._sd = np.zeros((n, 1), X.dtype), np.ones((n, 1), X.dtype)
        constant = np.zeros(n, dtype=bool)
        for rows in spans(n, max(1, _SMALL // n_times)):
            part = np.array(X[rows])
            # to [-1, 1] first: squares of large numbers could overflow
            largest = np.maximum(part.max(axis=1), -part.min(axis=1))[:, None]
            largest[largest == 0] = 1
            part /= largest
            mean = part.mean(axis=1, keepdims=True)
            self._mean[rows] = mean * largest
            if unit_variance:
                part -= mean
                sd = np.sqrt(np.vecdot(part, part) / X.dtype.type(n_times))[:, None]
                constant[rows] = sd[:, 0] <= 8 * np.finfo(X.dtype).eps
                self._sd[rows] = sd * largest
        if constant.any():
            raise ValueError(
                f"X has {np.count_nonzero(constant)} constant neuron(s), first at row "
                f"{np.argmax(constant)}: they cannot be z-scored; remove them, or pass "
                "zscore=False where that is an option"
            )

    def __call__(self, rows=slice(None), times=slice(None), *, out=None):
        """Return these rows, all times or a slice of them, as a new array unless `out` is given."""
        X, rows = self.X[:, times], np.arange(self.shape[0])[rows]
        Z = np.empty((len(rows), X.shape[1]), self.dtype) if out is None else out
        for part in spans(len(rows), max(1, _SMALL // X.shape[1])):
            i = rows[part]
            np.subtract(X[i], self._mean[i], out=Z[part])
            Z[part] /= self._sd[i]
        return Z

    def covariance(self, first=slice(None), second=None, *, lag=0, times=None):
        """Average over times of z(first, t + lag) z(second, t)^T.

        Without `second`, of `first` with itself. `times` is a list of slices, by default one of
        all times; both partners of a pair are in the same slice.
        """
        rows = [
            np.arange(self.shape[0])[some] for some in (first, first if second is None else second)
        ]
        # new memory costs time, so the same is used for all pieces
        later, now = (np.empty((len(some), self._n_columns), self.dtype) for some in rows)
        total = np.zeros((len(rows[0]), len(rows[1])), self.dtype)
        product, count = np.empty_like(total), 0
        for span in [slice(0, self.shape[1])] if times is None else times:
            for part in spans(span.stop - lag, self._n_columns, start=span.start):
                n = part.stop - part.start
                Za = Zb = self(rows[0], slice(part.start + lag, part.stop + lag), out=later[:, :n])
                if second is not None or lag > 0:
                    Zb = self(rows[1], part, out=now[:, :n])
                total += np.matmul(Za, Zb.T, out=product)
                count += n
        total /= self.dtype.type(count)
        return total

    def project(self, axes, rows=slice(None)):
        """Return axes^T z(rows), shape (n_axes, n_timepoints)."""
        out = np.empty((axes.shape[1], self.shape[1]), self.dtype)
        for part in spans(self.shape[1], self._n_columns):
            out[:, part] = axes.T @ self(rows, part)
        return out


def spans(stop, length, *, start=0):
    """Consecutive slices of at most `length` from `start` to `stop`."""
    return [slice(low, min(low + length, stop)) for low in range(start, stop, length)]
