"""Reading recordings from files (chapter 10)."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from critlib import _checks

# Names of the dense activity matrix in the paper's files, in the order they are looked for.
_DENSE_KEYS = ("spks", "sp")


@dataclass(frozen=True, eq=False)
class Recording:
    """Activity of many neurons, with what is needed to analyse it.

    Parameters
    ----------
    activity : array_like, shape (n_neurons, n_timepoints)
        Activity per bin: deconvolved fluorescence, or spike counts.
    dt : float
        Bin width in seconds.
    positions : array_like, shape (n_neurons, 2), optional
        x and y of each neuron in micrometres.
    name : str, default ""
        Where it comes from.

    Raises
    ------
    ValueError
        If `activity` is malformed, `dt` not positive, or `positions` does not match.
    TypeError
        If a value has the wrong type.

    Examples
    --------
    >>> recording = Recording([[0, 1, 0], [2, 0, 1]], dt=0.5)
    >>> recording.duration
    1.5
    """

    activity: np.ndarray
    dt: float
    positions: np.ndarray | None = None
    name: str = ""

    def __post_init__(self):
        activity = _checks.real_array(self.activity, "activity", ndim=2)
        object.__setattr__(self, "activity", activity)
        object.__setattr__(self, "dt", _checks.real(self.dt, "dt", low=0, open_low=True))
        if self.positions is not None:
            positions = _checks.real_array(self.positions, "positions", ndim=2)
            if positions.shape != (len(activity), 2):
                raise ValueError(
                    f"positions has shape {positions.shape}: pass one row (x, y) for each of the "
                    f"{len(activity)} neurons"
                )
            object.__setattr__(self, "positions", positions)

    @property
    def duration(self):
        """Length in seconds."""
        return self.activity.shape[1] * self.dt


def load_recording(path, *, dt=None, min_snr=0.3):
    r"""Read a recording from an .npz file in one of the paper's layouts.

    Nothing in the file is executed: arrays of Python objects (pickles) are refused.

    Parameters
    ----------
    path : str or os.PathLike
        File with either a dense matrix, ``spks`` or ``sp`` (n_neurons, n_timepoints), or spikes:
        times ``st`` in seconds and the unit ``clu`` of each, in any order. Optional in both:
        positions ``xpos`` and ``ypos`` in micrometres, one each per neuron (for spikes, entry u
        belongs to unit u). Optional in dense files: signal-to-noise ratios ``snr`` and the bin
        width ``dt``.
    dt : float, optional
        Bin width in seconds. Dense files need it here unless they bring their own; spikes are
        counted in bins of this width, 0.046 s unless given.
    min_snr : float, default 0.3
        Neurons with ``snr`` at or below this are left out, as in the paper; without ``snr`` all
        are kept.

    Returns
    -------
    Recording
        Its activity is float32. Units without a spike are left out.

    Raises
    ------
    FileNotFoundError
        If there is no file at `path`.
    ValueError
        If the file is not a readable .npz, lacks keys, holds objects, has arrays whose lengths do
        not match, negative or non-finite spike times, or no neuron is left; if `dt` is missing,
        contradicts the file, or is out of range.
    TypeError
        If an argument or an array has the wrong type.

    References
    ----------
    .. [1] Pachitariu et al., data for "A critical initialization for biological neural networks",
       Figshare, doi 10.25378/janelia.27854448.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "spikes.npz")
    ...     np.savez(path, st=[0.1, 0.7, 0.2], clu=[0, 0, 1])
    ...     load_recording(path, dt=0.5).activity
    array([[1., 1.],
           [1., 0.]], dtype=float32)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r} of type {type(path).__name__}: pass a str or a path")
    path = Path(path)
    if dt is not None:
        dt = _checks.real(dt, "dt", low=0, open_low=True)
    min_snr = _checks.real(min_snr, "min_snr")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: is a folder; name a file in it"
            if path.is_dir()
            else f"{path}: no such file; check the name"
        )
    arrays = _read_npz(path)
    dense = next((key for key in _DENSE_KEYS if key in arrays), None)
    if dense is not None:
        activity, dt, keep = _from_matrix(path, arrays, dense, dt, min_snr)
    elif "st" in arrays and "clu" in arrays:
        dt = 0.046 if dt is None else dt
        activity, keep = _from_spikes(path, arrays, dt)
    else:
        raise ValueError(
            f"{path}: has the keys {', '.join(sorted(arrays)) or '(none)'}; needed is a matrix "
            "'spks' or 'sp' (neurons by times), or spike times 'st' with units 'clu'"
        )
    if len(activity) == 0 or activity.shape[1] == 0:
        raise ValueError(
            f"{path}: no neuron is left, activity has shape {activity.shape}"
            + (f"; lower min_snr, now {min_snr:g}" if "snr" in arrays else "")
        )
    return Recording(activity, dt, _positions(path, arrays, keep), path.stem)


def _read_npz(path):
    wanted = {*_DENSE_KEYS, "st", "clu", "xpos", "ypos", "snr", "dt"}
    try:
        # opened here: np.load would leave a damaged file open
        with open(path, "rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                # keys that are not used are listed in messages but never read
                return {key: file[key] if key in wanted else None for key in file.files}
    except MemoryError:
        raise
    # Damaged bytes make the readers of zip and numpy fail in many ways; each means the same here.
    except Exception as error:
        if isinstance(error, ValueError) and "Object arrays" in str(error):
            raise ValueError(
                f"{path}: holds Python objects (a pickle), which could run code when opened; save "
                "plain arrays of numbers with np.savez"
            ) from None
        if isinstance(error, PermissionError):
            raise ValueError(f"{path}: may not be read; change its permissions") from None
        what = "is damaged or cut short" if zipfile.is_zipfile(path) else "is not an .npz file"
        raise ValueError(
            f"{path}: {what} ({error}); save it again with np.savez(path, spks=X)"
        ) from None
    raise ValueError(f"{path}: is a single array; save it with np.savez(path, spks=X)")


def _numbers(path, arrays, key, ndim):
    array = arrays[key]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: {key} is not stored as an array; save it with np.savez")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{path}: {key} has dtype {array.dtype}, needed are real numbers")
    if array.ndim != ndim:
        raise ValueError(f"{path}: {key} has shape {array.shape}, needed are {ndim} dimension(s)")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {key} holds NaN or infinite values; replace them first")
    return array


def _from_matrix(path, arrays, key, dt, min_snr):
    activity = _numbers(path, arrays, key, 2)
    largest = max(abs(float(activity.max(initial=0))), abs(float(activity.min(initial=0))))
    if largest > float(np.finfo(np.float32).max):
        raise ValueError(f"{path}: {key} holds {largest:g}, too large for float32; divide it first")
    activity = activity.astype(np.float32, copy=False)
    if "dt" in arrays:
        own = float(_numbers(path, arrays, "dt", 0))
        if dt is not None and abs(dt - own) > 1e-6 * own:
            raise ValueError(
                f"{path}: was recorded in bins of {own:g} s but dt is {dt:g}; leave dt out, and "
                "use spectra.bin_in_time for wider bins"
            )
        dt = own
    if dt is None:
        raise ValueError(f"{path}: does not say its bin width; pass dt in seconds (--dt)")
    keep = np.ones(len(activity), dtype=bool)
    if "snr" in arrays:
        snr = _numbers(path, arrays, "snr", 1)
        _same_length(path, "snr", snr, len(activity))
        keep = snr > min_snr
        activity = activity[keep]
    return activity, dt, keep


def _from_spikes(path, arrays, dt):
    times, units = _numbers(path, arrays, "st", 1), _numbers(path, arrays, "clu", 1)
    _same_length(path, "clu", units, len(times), "spikes in st")
    if units.dtype.kind == "f" and not np.array_equal(units, units.round()):
        raise ValueError(f"{path}: clu holds fractions; needed are whole unit numbers")
    if len(times) == 0:
        raise ValueError(f"{path}: st holds no spikes")
    if times.min() < 0 or units.min() < 0:
        key, low = ("st", times.min()) if times.min() < 0 else ("clu", units.min())
        raise ValueError(f"{path}: {key} holds negative values, the lowest {low:g}")
    if units.max() >= 2**63:
        raise ValueError(f"{path}: clu holds {units.max():g}; unit numbers must be below 2^63")
    present, rows = np.unique(units.astype(np.int64), return_inverse=True)
    n_bins = float(times.max()) / dt + 1
    if len(present) * n_bins > 2**33:
        raise ValueError(
            f"{path}: {len(present)} units in {n_bins:.3g} bins of {dt:g} s need more than 32 GB; "
            "use wider bins (is st in seconds?)"
        )
    bins = np.floor(times.astype(np.float64) / dt).astype(np.int64)
    activity = np.zeros((len(present), int(bins.max()) + 1), dtype=np.float32)
    np.add.at(activity, (rows, bins), 1)
    return activity, present


def _positions(path, arrays, keep):
    if "xpos" not in arrays or "ypos" not in arrays:
        return None
    x, y = _numbers(path, arrays, "xpos", 1), _numbers(path, arrays, "ypos", 1)
    _same_length(path, "ypos", y, len(x), "values of xpos")
    if keep.dtype == bool:
        _same_length(path, "xpos", x, len(keep))
    elif keep.max() >= len(x):
        raise ValueError(
            f"{path}: xpos has {len(x)} values but clu names unit {keep.max()}; needed is one "
            "position per unit"
        )
    return np.stack([x[keep], y[keep]], axis=1)


def _same_length(path, key, array, length, of="neurons"):
    if len(array) != length:
        raise ValueError(f"{path}: {key} has {len(array)} values for {length} {of}")
