"""Rows of an .npz file that grows while a script runs; used by the scripts beside it."""

import os

import numpy as np


def load(path):
    """Return what is already in the file, or nothing."""
    if not path.exists():
        return {}
    with np.load(path) as there:
        return dict(there)


def save(path, rows):
    """Write all rows at once, or nothing."""
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        np.savez(file, **dict(sorted(rows.items())))
    os.replace(partial, path)
