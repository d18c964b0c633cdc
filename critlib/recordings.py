"""Reading recordings from files (chapter 10)."""

import contextlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from critlib import _checks, _download, _pickles
from critlib._download import REGISTRY as PUBLIC  # noqa: F401 (what `fetch` knows, by name)
from critlib._download import FetchError  # noqa: F401 (what `fetch` raises)

_ALONE = "the array"  # what an .npy holds has no name
# Names of the dense activity matrix, in the order they are looked for.
_DENSE_KEYS = ("spks", "sp", "sresp", _ALONE)


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
        if not (isinstance(self.activity, np.memmap) and activity.dtype == self.activity.dtype):
            object.__setattr__(self, "activity", activity)  # a mapped file stays one
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


def load_recording(path, *, dt=None, min_snr=0.3, um_per_pixel=None, series=None):
    r"""Read a recording: .npz, .npy, a folder of Suite2p, or NWB.

    What `path` holds is found by looking inside, not by its name. Nothing in it is executed:
    pickles are read by a reader that knows arrays, numbers, text, lists and dicts, and refuses
    the rest.

    Parameters
    ----------
    path : str or os.PathLike
        One of these:

        - .npz in the paper's layouts: a dense matrix, ``spks`` or ``sp`` (n_neurons,
          n_timepoints), or spikes: times ``st`` in seconds and the unit ``clu`` of each, in any
          order. Optional in both: positions ``xpos`` and ``ypos`` in micrometres, one each per
          neuron (for spikes, entry u belongs to unit u). Optional in dense files: signal-to-noise
          ratios ``snr`` and the bin width ``dt``.
        - .npy: the matrix alone. In float32 it stays in the file (memory-mapped) and is read as
          it is used. A pickled dict, with ``spks``, ``sp`` or ``sresp`` and perhaps ``xpos`` and
          ``ypos`` or ``xyz``, is read into memory.
        - Suite2p's folder of one plane, or the folder above if it holds no other plane: ``spks``
          of the cells (``iscell``), positions from ``stat``.
        - NWB, with ``pip install "critlib[nwb]"``: spikes of the units, counted from time 0, or
          one RoiResponseSeries.
    dt : float, optional
        Bin width in seconds. Spikes are counted in bins of this width, 0.046 s unless given. Dense
        data need it unless they bring their own: ``dt`` in .npz and the rate or times in NWB must
        agree with it; Suite2p's ``fs``, typed in by hand, yields to it.
    min_snr : float, default 0.3
        Neurons with ``snr`` at or below this are left out, as in the paper; without ``snr`` all
        are kept.
    um_per_pixel : float, optional
        Size of a pixel in micrometres, for positions from Suite2p; without it they are left out.
    series : str, optional
        What to read from an NWB file that holds more than one thing: "units", or the name of a
        RoiResponseSeries, of what contains it, or both, as in "Deconvolved/RoiResponseSeries".

    Returns
    -------
    Recording
        Its activity is float32. Units without a spike are left out.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file is damaged or of another kind, lacks keys, holds objects, has arrays whose
        lengths do not match, negative or non-finite spike times, irregular times, or no neuron is
        left; if a folder holds several planes, an NWB file several series and none is named, or
        pynwb is not installed; if `dt` is missing, contradicts the file, or is out of range.
    TypeError
        If an argument or an array has the wrong type.

    Warns
    -----
    UserWarning
        If positions from Suite2p are left out; it says why.

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
    if um_per_pixel is not None:
        um_per_pixel = _checks.real(um_per_pixel, "um_per_pixel", low=0, open_low=True)
    if series is not None and not isinstance(series, str):
        raise TypeError(f"series is {series!r}: pass the name of one, as a str")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; check the name")
    word = None
    if path.is_dir():
        arrays, word = _read_suite2p(path, dt, um_per_pixel)
    else:
        arrays = _read_file(path, series)
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
    if activity.size == 0:
        raise ValueError(
            f"{path}: no neuron is left, activity has shape {activity.shape}"
            + (f"; lower min_snr, now {min_snr:g}" if "snr" in arrays else "; choose another file")
        )
    recording = Recording(activity, dt, _positions(path, arrays, keep), path.resolve().stem)
    if word is not None:  # last, so that an error comes alone
        warnings.warn(f"{path}: {word}", stacklevel=2)
    return recording


def fetch(name, *, confirm=None, cache=None, timeout=30.0):
    """Bring a public recording into the cache, and say where it is.

    A file that is there already is checked by its hash and nothing is asked of the network.
    Otherwise its size and licence are shown and you are asked, it is downloaded with a progress
    bar, and it takes its place in the cache only once its hash is right. After an interruption,
    fetching again continues where the server allows.

    Parameters
    ----------
    name : str
        "stringer_spontaneous" (790 MB), "facemap_small" (12 GB), "facemap_large" (32 GB) or
        "hc11_achilles".
    confirm : bool or callable, optional
        True to download without being asked, False not to, or a function that is called with the
        text and answers. Asked on the terminal or in a notebook unless given.
    cache : str or os.PathLike, optional
        Folder to keep files in; unless given, the variable CRITLIB_CACHE or the user's cache.
    timeout : float, default 30
        Seconds to wait for a server that says nothing.

    Returns
    -------
    pathlib.Path
        The file, for `load_recording`.

    Raises
    ------
    FetchError
        An OSError and a ValueError, if the name is unknown, nobody agreed, the network, the server
        or the disk is in the way, or the content is not what is registered. It says what to do.
    ValueError
        If `timeout` is not positive.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    `PUBLIC` holds what is known about each file, by name. Licences and citations are shown before
    the download. Facemap is CC BY-NC; those of the other two are not stated where they lie.

    Examples
    --------
    >>> from critlib.recordings import fetch
    >>> fetch("stringer")
    Traceback (most recent call last):
    ...
    critlib._download.FetchError: name is 'stringer': choose one of 'stringer_spontaneous', ...
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}: pass a str, one of {', '.join(_download.REGISTRY)}")
    if not (confirm is None or callable(confirm)):
        confirm = _checks.boolean(confirm, "confirm")
    if not (cache is None or isinstance(cache, (str, os.PathLike))):
        raise TypeError(f"cache is {cache!r}: pass a folder as a str or a path")
    timeout = _checks.real(timeout, "timeout", low=0, open_low=True)
    return _download.fetch(name, confirm, cache, timeout)


@contextlib.contextmanager
def _reading(path, remedy):
    """Damaged bytes make readers fail in many ways; each of them means the same here."""
    try:
        yield
    except MemoryError:
        raise
    except PermissionError:
        raise ValueError(f"{path}: may not be read; change its permissions") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: is damaged or cut short ({reason}); {remedy}") from None


def _read_file(path, series):
    with _reading(path, "choose another file"), open(path, "rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK"):
        return _read_npz(path)
    if start.startswith(b"\x93NUMPY"):
        return _read_npy(path)
    if start == b"\x89HDF\r\n\x1a\n":
        return _read_nwb(path, series)
    raise ValueError(
        f"{path}: {'is not an .npz, .npy or NWB file' if start else 'is empty'}; save a matrix X "
        "(neurons by times) with np.savez(path, spks=X, dt=dt)"
    )


def _read_npz(path):
    wanted = {*_DENSE_KEYS, "st", "clu", "xpos", "ypos", "xyz", "snr", "dt"}
    # opened here: np.load would leave a damaged file open
    with _reading(path, "save it again with np.savez(path, spks=X)"), open(path, "rb") as stream:
        try:
            file = np.load(stream, allow_pickle=False)
            # keys that are not used are listed in messages but never read
            return {key: file[key] if key in wanted else None for key in file.files}
        except ValueError as error:
            if "Object arrays" not in str(error):
                raise
    raise ValueError(
        f"{path}: holds Python objects (a pickle), which could run code when opened; save "
        "plain arrays of numbers with np.savez"
    )


def _read_npy(path):
    remedy = "save it again with np.save"
    with _reading(path, remedy):
        try:
            return {_ALONE: np.load(path, mmap_mode="r", allow_pickle=False)}
        except ValueError as error:
            if "Python objects" not in str(error):
                raise
    try:
        held = _pickles.load(path)
    except ValueError as error:
        raise ValueError(
            f"{path}: holds Python objects (a pickle) and {error}; save plain arrays of numbers "
            "with np.savez"
        ) from None
    if not isinstance(held, dict):
        raise ValueError(
            f"{path}: holds Python objects but no dict with a matrix 'spks' or 'sp'; save plain "
            "arrays of numbers with np.savez"
        )
    return {str(key): _pickles.array(value) for key, value in held.items()}


def _read_suite2p(folder, dt, um_per_pixel):
    """Return arrays, and a word about what was left out."""
    planes = [folder] if (folder / "spks.npy").exists() else []
    planes = planes or sorted(file.parent for file in folder.glob("*/spks.npy"))
    if len(planes) != 1:
        raise ValueError(
            f"{folder}: holds the planes {', '.join(plane.name for plane in planes)}; name one of "
            f"them, {planes[0]}"
            if planes
            else f"{folder}: is a folder without Suite2p's spks.npy; name a file in it"
        )
    plane = planes[0]
    if not (plane / "iscell.npy").exists():
        raise ValueError(f"{plane}: has no iscell.npy beside spks.npy; copy it from Suite2p")
    spks, iscell = (_read_npy(plane / name) for name in ("spks.npy", "iscell.npy"))
    if _ALONE not in spks or spks[_ALONE].ndim != 2:
        raise ValueError(f"{plane / 'spks.npy'}: is no matrix (ROIs by times); run Suite2p again")
    cells = _numbers(plane / "iscell.npy", iscell, _ALONE, 2)[:, 0] == 1
    _same_length(plane, "iscell.npy", cells, len(spks[_ALONE]), "ROIs in spks.npy")
    if not cells.any():
        raise ValueError(f"{plane}: iscell.npy calls no ROI a cell; choose cells in Suite2p")
    arrays = {"spks": spks[_ALONE] if cells.all() else spks[_ALONE][cells]}
    if dt is None:
        arrays |= _suite2p_bin_width(plane / "ops.npy")
    if um_per_pixel is None:
        return arrays, "positions are left out: pass um_per_pixel to have them in micrometres"
    try:
        stat = _pickles.load(plane / "stat.npy")
        medians = np.array([_pickles.array(roi["med"]) for roi in stat], dtype=float)
        y, x = medians.reshape(len(cells), 2)[cells].T * um_per_pixel
    except OSError:
        return arrays, "positions are left out: there is no stat.npy that can be read"
    except (ValueError, TypeError, KeyError, IndexError) as error:
        return arrays, f"positions are left out: stat.npy is not as Suite2p writes it ({error})"
    return arrays | {"xpos": x, "ypos": y}, None


def _suite2p_bin_width(ops):
    try:
        rate = float(_pickles.load(ops)["fs"])
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return {}  # then the message about a missing dt is the one that helps
    return {"dt": np.array(1 / rate)} if 0 < rate < np.inf else {}


def _read_nwb(path, series):
    try:
        import pynwb
    except ImportError:
        raise ValueError(
            f'{path}: reading NWB needs the package pynwb; pip install "critlib[nwb]"'
        ) from None
    remedy = "check it with pynwb-validate, or copy it again"
    with contextlib.ExitStack() as stack:
        with _reading(path, remedy):
            stack.enter_context(warnings.catch_warnings(action="ignore"))
            file = stack.enter_context(pynwb.NWBHDF5IO(str(path), "r")).read()
            found = {
                f"{thing.parent.name}/{thing.name}": thing
                for thing in file.objects.values()
                if isinstance(thing, pynwb.ophys.RoiResponseSeries)
            }
            if file.units is not None and "spike_times" in file.units.colnames:
                found["units"] = file.units
        name = _choose_series(path, found, series)
        with _reading(path, remedy):
            if name == "units":
                times = file.units.spike_times_index
                counts = np.diff(times.data[:], prepend=0)
                return {
                    "st": times.target.data[:],
                    "clu": np.repeat(np.arange(len(counts)), counts.astype(int)),
                }
            chosen = found[name]
            data, n_rois, rate = chosen.data, len(chosen.rois), chosen.rate
            times = None if rate is not None else np.asarray(chosen.timestamps[:])
        if len(data.shape) != 2 or data.shape[1] != n_rois:
            raise ValueError(
                f"{path}: {name} has shape {data.shape}; needed are times by its {n_rois} ROIs"
            )
        activity = np.empty((n_rois, len(data)), dtype=np.float32)
        with _reading(path, remedy):
            for start in range(0, len(data), 1000):  # the whole would be there twice
                # what is too large for float32 becomes infinite, and is refused later
                activity[:, start : start + 1000] = data[start : start + 1000].T
    return {"spks": activity, "dt": _nwb_bin_width(path, name, rate, times)}


def _choose_series(path, found, series):
    names = [name for name in found if series in (None, name, *name.split("/"))]
    if len(names) == 1:
        return names[0]
    there = ", ".join(sorted(found)) or "neither units with spike times nor a RoiResponseSeries"
    asked = "" if series is None else f", and series is {series!r}"
    raise ValueError(
        f"{path}: holds {there}{asked}; "
        + ("name one of them with series=..." if found else "choose a file with either")
    )


def _nwb_bin_width(path, name, rate, times):
    if times is not None:
        gaps = np.diff(times)
        typical = np.median(gaps) if gaps.size else 0
        if not (typical > 0 and np.all(np.abs(gaps - typical) <= 0.1 * typical)):
            raise ValueError(
                f"{path}: {name} has irregular times; resample it to bins of equal width and save "
                "it with np.savez(path, spks=X, dt=dt)"
            )
        rate = 1 / gaps.mean()
    if not 0 < rate < np.inf:
        raise ValueError(f"{path}: {name} has the rate {rate}; correct it, it must be positive")
    return np.array(1 / rate)


def _numbers(path, arrays, key, ndim):
    array = arrays[key]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: {key} is not stored as an array; save it with np.savez")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{path}: {key} has dtype {array.dtype}, needed are real numbers")
    if array.ndim != ndim:
        raise ValueError(f"{path}: {key} has shape {array.shape}, needed are {ndim} dimension(s)")
    if _checks.n_not_finite(array):
        raise ValueError(f"{path}: {key} holds NaN or infinite values; replace them first")
    return array


def _from_matrix(path, arrays, key, dt, min_snr):
    activity = _numbers(path, arrays, key, 2)
    if activity.dtype != np.float32:
        largest = max(abs(float(activity.max(initial=0))), abs(float(activity.min(initial=0))))
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"{path}: {key} holds {largest:g}, too large for float32; divide it first"
            )
        activity = activity.astype(np.float32)
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
        activity = activity if keep.all() else activity[keep]
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
    if "xyz" in arrays and "xpos" not in arrays:  # three rows, or three columns
        xyz = _numbers(path, arrays, "xyz", 2)
        xyz = xyz if len(xyz) == 3 else xyz.T
        arrays = dict(zip(("xpos", "ypos"), xyz))
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
