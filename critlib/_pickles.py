"""Pickled NumPy arrays, read without running anything in them.

Suite2p and others store dicts with `numpy.save`, which pickles them, and a pickle can call any
function when it is opened. Here a few names are known, and each stands for a class of this module:
neither a function of the file's choice nor NumPy's own constructors, which trust what they are told
about memory, are ever reached. Every other name is refused.
"""

import pickle
import re

import numpy as np


class _Inert:
    """Takes the place of a value that is not needed: keeps nothing, does nothing."""

    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        pass


class _Dtype(_Inert):
    def __init__(self, code, *flags):
        if not re.fullmatch(r"[biufSUO]\d{0,6}", code):
            raise ValueError(f"holds an array of type {code!r}")
        self.value = np.dtype(code)

    def __setstate__(self, state):
        if any(part is not None for part in state[2:5]):
            raise ValueError("holds a structured array")
        if state[1] in "<>":
            self.value = self.value.newbyteorder(state[1])


class _Array(_Inert):
    value = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        if dtype.value.kind == "O":
            values = np.empty(len(data), dtype=object)
            for i, item in enumerate(data):  # one by one: an item may be a list itself
                values[i] = item
        else:
            values = np.frombuffer(data, dtype.value)
        self.value = values.reshape(shape, order="F" if fortran else "C")


class _Scalar(_Inert):
    def __new__(cls, dtype, data):
        return np.frombuffer(data, dtype.value)[0].item()


class _Encode(_Inert):
    """Bytes, as pickles of protocol 2 spell them."""

    def __new__(cls, text, encoding):
        if encoding != "latin1":
            raise ValueError(f"holds text encoded as {encoding!r}")
        return text.encode("latin1")


_KNOWN = {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Dtype, ("_codecs", "encode"): _Encode}
for _core in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 1 and 2
    _KNOWN |= {(_core, "_reconstruct"): _Array, (_core, "scalar"): _Scalar}
for _name in ("datetime", "timedelta", "timezone"):  # Suite2p's ops hold when they were made
    _KNOWN[("datetime", _name)] = _Inert
for _name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
    _KNOWN |= {("pathlib", _name): _Inert, ("pathlib._local", _name): _Inert}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise ValueError(f"names {module}.{name}, which could run code when opened")
        return _KNOWN[module, name]


def load(path):
    """Return the object array in the .npy file at `path`, or the object if it holds just one.

    Arrays inside are passed through `array`. Raises ValueError for anything else than numbers,
    text, lists, tuples, dicts and arrays of these, and for damaged bytes.
    """
    with open(path, "rb") as stream:
        version = np.lib.format.read_magic(stream)
        getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")(stream)
        try:
            loaded = array(_Unpickler(stream).load())
        except (ValueError, MemoryError):
            raise
        except Exception as error:  # damaged bytes fail in many ways
            reason = " ".join(str(error).split())
            raise ValueError(f"is damaged or cut short ({reason})") from None
    if not isinstance(loaded, np.ndarray):
        raise ValueError("holds no array")
    return loaded.item() if loaded.shape == () else loaded


def array(value):
    """Return what stands for an array in a loaded object as an array; leave the rest alone."""
    return value.value if isinstance(value, _Array) else value
