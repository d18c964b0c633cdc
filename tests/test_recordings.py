"""Files of recordings: what is read, what is refused, and the command line around it."""

import ctypes
import io
import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critlib import __main__ as command_line
from critlib import _pickles, spectra
from critlib.recordings import Recording, load_recording

ROOT = Path(__file__).resolve().parent.parent
RETINA = ROOT.parent / "shared" / "recordings" / "retina_p9.npz"
# pynwb's own, while a file is put together
pytestmark = pytest.mark.filterwarnings("ignore:The linked table for DynamicTableRegion")
PROPERTY = settings(max_examples=100, deadline=None, derandomize=True)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.fixture
def activity():
    return np.random.default_rng(0).random((30, 50)).astype(np.float32)


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["spks", "sp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, bool])
@pytest.mark.parametrize("compressed", [False, True])
def test_dense_matrix(key, dtype, compressed, tmp_path, activity):
    given_activity = (activity * 5).astype(dtype)
    path = tmp_path / "mouse.npz"
    (np.savez_compressed if compressed else np.savez)(path, **{key: given_activity})
    recording = load_recording(path, dt=0.1)
    assert recording.activity.dtype == np.float32
    np.testing.assert_array_equal(recording.activity, given_activity.astype(np.float32))
    assert (recording.dt, recording.positions, recording.name) == (0.1, None, "mouse")
    assert recording.duration == pytest.approx(5)
    np.testing.assert_array_equal(load_recording(str(path), dt=0.1).activity, recording.activity)


def test_dense_file_with_positions_snr_and_bin_width(tmp_path, activity):
    n = len(activity)
    snr = np.linspace(0, 1, n)
    x, y = np.arange(n), np.arange(n) * 2.0
    path = save(tmp_path / "a.npz", spks=activity, snr=snr, xpos=x, ypos=y, dt=0.25, other="text")
    recording = load_recording(path)
    kept = snr > 0.3
    assert 0 < kept.sum() < n
    np.testing.assert_array_equal(recording.activity, activity[kept])
    np.testing.assert_array_equal(recording.positions, np.stack([x, y], 1)[kept])
    assert recording.dt == 0.25 and load_recording(path, dt=0.25).dt == 0.25
    assert len(load_recording(path, min_snr=-1).activity) == n
    snr[:] = 0.3  # "at or below" is left out
    with pytest.raises(ValueError, match="no neuron is left.*lower min_snr, now 0.3"):
        load_recording(save(tmp_path / "b.npz", spks=activity, snr=snr), dt=1)


def test_spikes_are_counted_in_bins(tmp_path):
    path = save(tmp_path / "a.npz", st=[0.1, 0.4, 0.5, 1.7, 0.45], clu=[7, 7, 7, 2, 2])
    recording = load_recording(path, dt=0.5)
    np.testing.assert_array_equal(recording.activity, [[1, 0, 0, 1], [2, 1, 0, 0]])
    assert recording.activity.dtype == np.float32 and recording.dt == 0.5
    assert load_recording(path).dt == 0.046  # the paper's


@PROPERTY
@given(
    spikes=st.lists(
        st.tuples(st.floats(0, 20, width=32), st.integers(0, 6)), min_size=1, max_size=60
    ),
    dt=st.sampled_from([0.046, 0.1, 1.0, 30.0]),
    order=st.randoms(use_true_random=False),
)
def test_spikes_against_a_plain_loop_in_any_order(tmp_path_factory, spikes, dt, order):
    folder = tmp_path_factory.getbasetemp()
    units = sorted({unit for _, unit in spikes})
    n_bins = int(np.floor(max(time for time, _ in spikes) / dt)) + 1
    expected = np.zeros((len(units), n_bins))
    for time, unit in spikes:
        expected[units.index(unit), int(np.floor(time / dt))] += 1
    for shuffled in (sorted(spikes), order.sample(spikes, len(spikes))):
        times, clu = np.array(shuffled).T
        x = np.arange(10) * 3.0
        path = save(folder / "spikes.npz", st=times, clu=clu.astype(int), xpos=x, ypos=-x)
        recording = load_recording(path, dt=dt)
        np.testing.assert_array_equal(recording.activity, expected)
        np.testing.assert_array_equal(recording.positions[:, 0], [3 * unit for unit in units])
        np.testing.assert_array_equal(recording.positions[:, 1], [-3 * unit for unit in units])
    assert recording.activity.sum() == len(spikes)


def test_a_float32_time_series_of_half_an_hour_lands_in_the_right_bins(tmp_path):
    times = (np.arange(1800) + 0.5).astype(np.float32)
    path = save(tmp_path / "a.npz", st=times, clu=np.zeros(1800, np.int16))
    assert (load_recording(path, dt=1.0).activity == 1).all()


def test_recording_checks_and_keeps_its_parts():
    recording = Recording([[1, 2, 3], [4, 5, 6]], 0.5, [[0, 1], [2, 3]], "x")
    assert recording.duration == 1.5 and recording.activity.dtype == np.float64
    assert recording.positions.shape == (2, 2)
    with pytest.raises(ValueError, match=r"^positions has shape \(3, 2\).* 2 neurons"):
        Recording([[1, 2], [3, 4]], 0.5, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="^dt is 0"):
        Recording([[1, 2]], 0)
    with pytest.raises(ValueError, match="^activity is empty"):
        Recording(np.zeros((0, 3)), 1)


# --- what is refused, in Python and from the command line ----------------------------------------


class Bomb:
    """Unpickling this touches a file."""

    def __init__(self, sentinel):
        self.sentinel = str(sentinel)

    def __reduce__(self):
        return open, (self.sentinel, "w")


def missing(folder):
    return folder / "nothing.npz"


def a_folder(folder):
    return folder


def text(folder):
    (folder / "a.npz").write_text("st clu\n1 2\n")
    return folder / "a.npz"


def nothing_inside(folder):
    (folder / "a.npz").touch()
    return folder / "a.npz"


def alone(array):
    def make(folder):
        np.save(folder / "a.npy", array)
        return folder / "a.npy"

    return make


def truncated_npy(folder):
    path = alone(np.ones((50, 40)))(folder)
    path.write_bytes(path.read_bytes()[:-600])
    return path


def damaged_npy_header(folder):
    path = alone(np.ones((50, 40)))(folder)
    path.write_bytes(path.read_bytes().replace(b"'descr'", b"'dexcr'"))
    return path


def header_alone(folder):
    path = alone(np.ones((50, 40)))(folder)
    path.write_bytes(path.read_bytes()[:9])
    return path


def npy_of(*things):
    def make(folder):
        array = np.empty(len(things), dtype=object)
        array[:] = [thing(folder) for thing in things]
        np.save(folder / "a.npy", array, allow_pickle=True)
        return folder / "a.npy"

    return make


def npy_of_a_dict(**values):
    def make(folder):
        held = {key: value(folder) if callable(value) else value for key, value in values.items()}
        np.save(folder / "a.npy", held, allow_pickle=True)
        return folder / "a.npy"

    return make


def bomb(folder):
    return Bomb(folder / "sentinel")


def truncated(folder):
    path = save(folder / "a.npz", spks=np.random.default_rng(0).random((50, 40)))
    path.write_bytes(path.read_bytes()[:-600])
    return path


def cut_in_half(folder):
    path = save(folder / "a.npz", spks=np.random.default_rng(0).random((50, 40)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def corrupted(folder):
    path = folder / "a.npz"
    np.savez_compressed(path, spks=np.random.default_rng(0).random((50, 40)))
    data = bytearray(path.read_bytes())
    data[400:440] = b"\xff" * 40
    path.write_bytes(data)
    return path


def encrypted(folder):
    path = save(folder / "a.npz", spks=np.ones((50, 40)))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


def not_an_array(folder):
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        file.writestr("spks", "hello")
    return folder / "a.npz"


def not_an_npy(folder):
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        file.writestr("spks.npy", "hello")
    return folder / "a.npz"


def foreign_zip(folder):
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        file.writestr("readme.txt", "hello")
    return folder / "a.npz"


def objects(folder):
    array = np.empty(2, dtype=object)
    array[:] = [Bomb(folder / "sentinel"), Bomb(folder / "sentinel")]
    return save(folder / "a.npz", spks=array)


def objects_in_a_pickle(folder):
    (folder / "a.npz").write_bytes(pickle.dumps(Bomb(folder / "sentinel")))
    return folder / "a.npz"


def objects_named_like_the_message(folder):
    # the path occurs in numpy's own message ("... allow_pickle=False")
    return objects(folder).rename(folder / "a")


def saved(**arrays):
    def make(folder):
        return save(folder / "a.npz", **arrays)

    return make


SPKS = np.random.default_rng(1).random((30, 40))


def plane(folder, n=6, **changes):
    """What Suite2p leaves behind for one plane, as it writes it; None leaves a file out."""
    rng = np.random.default_rng(5)
    stat = np.empty(n, dtype=object)
    for i in range(n):
        ypix = rng.integers(0, 9, 5)
        stat[i] = {
            "ypix": ypix,
            "lam": rng.random(5).astype(np.float32),
            "med": [10 + i, 20 + 2 * i],
            "footprint": np.float32(1.5),
            "npix": np.int64(5),
            "overlap": np.zeros(5, dtype=bool),
        }
    iscell = np.stack([np.arange(n) % 3 != 1, rng.random(n)], axis=1)
    ops = {
        "fs": 20.0,
        "date_proc": datetime.now().astimezone(),
        "save_path0": str(folder),
        "data_path": [folder],
        "meanImg": np.ones((3, 4), np.float32),
    }
    files = {"spks": rng.random((n, 50)).astype(np.float32), "iscell": iscell, "stat": stat}
    folder.mkdir(parents=True, exist_ok=True)
    for name, thing in (files | {"ops": ops} | changes).items():
        if thing is not None:
            np.save(folder / f"{name}.npy", thing, allow_pickle=True)
    return folder


def planes(folder):
    plane(folder / "plane0")
    plane(folder / "plane1")
    return folder


def changed_plane(**changes):
    return lambda folder: plane(folder / "plane0", **changes)


def nwb(path, *, units=(), timestamps=None, rate=30.0, rois=4, **series):
    """An NWB file as pynwb writes it: spike times by unit, and (time, ROI) data by name."""
    file = pynwb.NWBFile("a session", "identifier", datetime(2026, 1, 1, tzinfo=UTC))
    for times in units:
        file.add_unit(spike_times=times)
    if series:
        plane_of_view = file.create_imaging_plane(
            name="plane",
            optical_channel=pynwb.ophys.OpticalChannel(
                name="channel", description="green", emission_lambda=500.0
            ),
            description="V1",
            device=file.create_device("microscope"),
            excitation_lambda=900.0,
            indicator="GCaMP",
            location="V1",
        )
        module = file.create_processing_module("ophys", "calcium")
        segmentation = pynwb.ophys.ImageSegmentation()
        module.add(segmentation)
        table = segmentation.create_plane_segmentation("ROIs", plane_of_view, "Seg")
        for i in range(rois):
            table.add_roi(pixel_mask=[(i, i, 1.0)])
        region = table.create_roi_table_region(region=list(range(rois)), description="all")
        for name, data in series.items():
            when = {"rate": rate} if timestamps is None else {"timestamps": timestamps}
            response = pynwb.ophys.RoiResponseSeries(
                name="RoiResponseSeries", data=data, unit="au", rois=region, **when
            )
            container = pynwb.ophys.DfOverF if name == "DfOverF" else pynwb.ophys.Fluorescence
            module.add(container(name=name, roi_response_series=response))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


ROIS = np.random.default_rng(6).random((50, 4)).astype(np.float32)
JITTERED = np.arange(50) / 30 * 1.0
JITTERED[20:] += 1.0


def an_nwb(**contents):
    def make(folder):
        with warnings.catch_warnings(action="ignore"):  # about deliberately odd files
            return nwb(folder / "a.nwb", **contents)

    return make


def truncated_nwb(folder):
    path = nwb(folder / "a.nwb", Deconvolved=ROIS)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def other_hdf5(folder):
    with h5py.File(folder / "a.nwb", "w") as file:
        file["data"] = ROIS
    return folder / "a.nwb"


BAD_FILES = {
    "missing file": (missing, "no such file"),
    "folder": (a_folder, "is a folder"),
    "text": (text, "is not an .npz, .npy or NWB file; save a matrix"),
    "empty file": (nothing_inside, "is empty; save a matrix"),
    "truncated": (truncated, "damaged or cut short"),
    "cut in half": (cut_in_half, "damaged or cut short"),
    "corrupted": (corrupted, "damaged or cut short"),
    "encrypted": (encrypted, "damaged or cut short"),
    "raw member": (not_an_array, "spks is not stored as an array"),
    "raw npy member": (not_an_npy, "spks is not stored as an array"),
    "other zip": (foreign_zip, "has the keys readme.txt; needed is"),
    "objects": (objects, "holds Python objects.*save plain arrays"),
    "pickle": (objects_in_a_pickle, "is not an .npz, .npy or NWB file"),
    "objects, short name": (objects_named_like_the_message, "holds Python objects"),
    "no keys": (saved(), r"has the keys \(none\); needed is"),
    "other keys": (saved(foo=[1], bar=[2]), "has the keys bar, foo; needed is"),
    "st alone": (saved(st=[1.0]), "has the keys st; needed is"),
    "clu alone": (saved(clu=[1]), "has the keys clu; needed is"),
    "clu too short": (saved(st=[1.0, 2.0], clu=[1]), "clu has 1 values for 2 spikes"),
    "negative time": (saved(st=[1.0, -2.0], clu=[1, 1]), "st holds negative values.*-2"),
    "nan time": (saved(st=[1.0, np.nan], clu=[1, 1]), "st holds NaN or infinite"),
    "infinite time": (saved(st=[1.0, np.inf], clu=[1, 1]), "st holds NaN or infinite"),
    "negative unit": (saved(st=[1.0, 2.0], clu=[1, -3]), "clu holds negative values.*-3"),
    "fractional unit": (saved(st=[1.0, 2.0], clu=[1, 1.5]), "clu holds fractions"),
    "huge unit": (saved(st=[1.0, 2.0], clu=[1, 1e300]), "clu holds 1e\\+300"),
    "no spikes": (saved(st=[], clu=[]), "st holds no spikes"),
    "times in microseconds": (saved(st=[1.0, 1e12], clu=[1, 2]), "use wider bins"),
    "absurd time": (saved(st=[1.0, 1e300], clu=[1, 2]), "use wider bins"),
    "two-dimensional times": (saved(st=[[1.0]], clu=[1]), r"st has shape \(1, 1\)"),
    "text times": (saved(st=["a"], clu=[1]), "st has dtype <U1, needed are real numbers"),
    "complex": (saved(spks=1j * SPKS, dt=0.1), "spks has dtype complex128"),
    "one-dimensional": (saved(spks=SPKS[0], dt=0.1), r"spks has shape \(40,\)"),
    "nan": (saved(spks=SPKS * np.nan, dt=0.1), "spks holds NaN"),
    "too large": (saved(spks=SPKS * 1e300, dt=0.1), "spks holds .* too large for float32"),
    "zero neurons": (saved(spks=np.zeros((0, 40)), dt=0.1), "no neuron is left"),
    "zero times": (saved(spks=np.zeros((40, 0)), dt=0.1), "no neuron is left|no time"),
    "no bin width": (saved(spks=SPKS), r"does not say its bin width; pass dt .*\(--dt\)"),
    "negative bin width": (saved(spks=SPKS, dt=-0.1), "dt is -0.1: it must be greater than 0"),
    "bin width is text": (saved(spks=SPKS, dt="fast"), "dt has dtype"),
    "two bin widths": (saved(spks=SPKS, dt=[0.1, 0.2]), r"dt has shape \(2,\)"),
    "snr too short": (saved(spks=SPKS, dt=0.1, snr=[1.0]), "snr has 1 values for 30 neurons"),
    "all noisy": (saved(spks=SPKS, dt=0.1, snr=np.zeros(30)), "lower min_snr"),
    "xpos too short": (
        saved(spks=SPKS, dt=0.1, xpos=[1.0], ypos=[1.0]),
        "xpos has 1 values for 30 neurons",
    ),
    "ypos too short": (
        saved(spks=SPKS, dt=0.1, xpos=np.zeros(30), ypos=[1.0]),
        "ypos has 1 values for 30 values of xpos",
    ),
    "xyz too short": (
        saved(spks=SPKS, dt=0.1, xyz=np.zeros((3, 7))),
        "xpos has 7 values for 30 neurons",
    ),
    "npy without bin width": (alone(SPKS), r"does not say its bin width; pass dt .*\(--dt\)"),
    "npy, one-dimensional": (alone(SPKS[0]), r"the array has shape \(40,\), needed are 2"),
    "npy, a number": (alone(np.array(1.0)), r"the array has shape \(\), needed are 2"),
    "npy, nan": (alone(SPKS * np.nan), "the array holds NaN or infinite values"),
    "npy, complex": (alone(1j * SPKS), "the array has dtype complex128"),
    "npy, text": (alone(np.array([["a"]])), "the array has dtype <U1"),
    "npy, structured": (alone(np.zeros(3, dtype=[("a", "f8")])), "the array has dtype"),
    "npy, too large": (alone(SPKS * 1e300), "too large for float32"),
    "npy, truncated": (truncated_npy, "damaged or cut short .*; save it again with np.save"),
    "npy, damaged header": (damaged_npy_header, "damaged or cut short"),
    "npy, header alone": (header_alone, "damaged or cut short"),
    "npy of objects": (npy_of(bomb, bomb), "holds Python objects .* names .*open, which could run"),
    "npy of a dict": (npy_of_a_dict(spks=SPKS, extra=bomb), "names .*open, which could run code"),
    "npy of a list": (
        npy_of(lambda _: {}, lambda _: 3),
        "Python objects but no dict with a matrix",
    ),
    "npy of another dict": (npy_of_a_dict(a=1, b=[2]), "has the keys a, b; needed is"),
    "npy of a dict of text": (npy_of_a_dict(spks="much"), "spks is not stored as an array"),
    "several planes": (planes, "holds the planes plane0, plane1; name one of them, .*plane0"),
    "plane without iscell": (changed_plane(iscell=None), "no iscell.npy beside spks.npy; copy"),
    "plane without cells": (
        changed_plane(iscell=np.zeros((6, 2))),
        "iscell.npy calls no ROI a cell; choose cells",
    ),
    "iscell too short": (
        changed_plane(iscell=np.ones((5, 2))),
        "iscell.npy has 5 values for 6 ROIs in spks.npy",
    ),
    "iscell, one-dimensional": (changed_plane(iscell=np.ones(6)), r"the array has shape \(6,\)"),
    "spks of a plane is a dict": (
        changed_plane(spks={"a": 1}),
        r"spks.npy: is no matrix \(ROIs by times\); run Suite2p again",
    ),
    "spks of a plane is a vector": (changed_plane(spks=np.ones(6)), "spks.npy: is no matrix"),
    "plane without bin width": (changed_plane(ops=None), "does not say its bin width; pass dt"),
    "ops without fs": (changed_plane(ops={"a": 1}), "does not say its bin width; pass dt"),
    "ops with a bad fs": (changed_plane(ops={"fs": 0}), "does not say its bin width; pass dt"),
    "nwb, truncated": (truncated_nwb, "damaged or cut short .*; check it with pynwb-validate"),
    "hdf5": (other_hdf5, "damaged or cut short"),
    "nwb, nothing in it": (
        an_nwb(),
        "holds neither units with spike times nor a RoiResponseSeries; choose a file",
    ),
    "nwb, several series": (
        an_nwb(Deconvolved=ROIS, DfOverF=ROIS),
        "holds Deconvolved/RoiResponseSeries, DfOverF/RoiResponseSeries; name one .*series=",
    ),
    "nwb, units and a series": (
        an_nwb(Deconvolved=ROIS, units=[[0.1]]),
        "holds Deconvolved/RoiResponseSeries, units; name one of them with series=",
    ),
    "nwb, irregular times": (an_nwb(Deconvolved=ROIS, timestamps=JITTERED), "irregular times"),
    "nwb, a time is missing": (
        an_nwb(Deconvolved=ROIS, timestamps=np.delete(np.arange(51.0), 20)),
        "irregular times",
    ),
    "nwb, one time": (an_nwb(Deconvolved=ROIS[:1], timestamps=[0.0]), "irregular times"),
    "nwb, times go back": (
        an_nwb(Deconvolved=ROIS, timestamps=-np.arange(50.0)),
        "irregular times; resample it",
    ),
    "nwb, no rate": (an_nwb(Deconvolved=ROIS, rate=0.0), "has the rate 0.0; correct it"),
    "nwb, transposed": (
        an_nwb(Deconvolved=ROIS.T.copy()),
        r"has shape \(4, 50\); needed are times by its 4 ROIs",
    ),
    "nwb, nan": (an_nwb(Deconvolved=ROIS * np.nan), "spks holds NaN or infinite"),
    "nwb, too large": (an_nwb(Deconvolved=ROIS.astype(float) * 1e300), "NaN or infinite"),
    "nwb, negative spike time": (an_nwb(units=[[-1.0, 2.0]]), "st holds negative values.*-1"),
    "nwb, no spikes": (an_nwb(units=[[], []]), "st holds no spikes"),
    "positions miss a unit": (
        saved(st=[1.0, 2.0], clu=[0, 5], xpos=np.zeros(5), ypos=np.zeros(5)),
        "xpos has 5 values but clu names unit 5",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_in_python(case, tmp_path, monkeypatch):
    make, message = BAD_FILES[case]
    path = make(tmp_path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message) as caught:
        load_recording(path)
    assert len(str(caught.value)) < 600
    if "dt is" not in message:
        assert str(path) in str(caught.value)
    if path.name == "a":  # and named by a path that is part of numpy's message
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match="^a: holds Python objects"):
            load_recording("a")
    assert not (tmp_path / "sentinel").exists()
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_the_command_line_with_status_2(case, tmp_path, capsys, monkeypatch):
    make, message = BAD_FILES[case]
    path = make(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    assert command_line.main(["spectrum", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("critlib: ") and err.count("\n") == 1
    pattern = pytest.raises(ValueError, match=message)
    with pattern:
        raise ValueError(err)
    assert sorted(os.listdir(tmp_path)) == before  # no figure, no part of one, no sentinel


def test_the_bomb_is_live(tmp_path):
    # otherwise the sentinel's absence above proves nothing
    path = objects(tmp_path)
    with np.load(path, allow_pickle=True) as file:
        file["spks"]
    assert (tmp_path / "sentinel").exists()


def test_keys_that_are_not_needed_are_not_opened(tmp_path):
    array = np.array([Bomb(tmp_path / "sentinel")], dtype=object)
    path = save(tmp_path / "a.npz", spks=SPKS, extra=array)
    assert load_recording(path, dt=0.1).activity.shape == SPKS.shape
    assert not (tmp_path / "sentinel").exists()


def test_a_header_that_asks_for_too_much_memory(tmp_path, capsys, monkeypatch):
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("spks.npy", buffer.getvalue())
    with pytest.raises((MemoryError, ValueError)):
        load_recording(tmp_path / "a.npz", dt=1)
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["spectrum", "a.npz"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_file_without_permission(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npz", spks=SPKS)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(ValueError, match="a.npz: may not be read; change its perm"):
        load_recording(path, dt=0.1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dt": 0}, ValueError, "^dt is 0"),
        ({"dt": -1.0}, ValueError, "^dt is -1"),
        ({"dt": np.nan}, ValueError, "^dt is nan"),
        ({"dt": "0.1"}, TypeError, "^dt is '0.1'"),
        ({"dt": 0.2}, ValueError, "bins of 0.1 s but dt is 0.2; leave dt out"),
        ({"min_snr": np.nan}, ValueError, "^min_snr is nan"),
        ({"min_snr": None}, TypeError, "^min_snr is None"),
    ],
)
def test_bad_arguments(arguments, error, message, tmp_path):
    path = save(tmp_path / "a.npz", spks=SPKS, dt=0.1)
    with pytest.raises(error, match=message):
        load_recording(path, **arguments)


@pytest.mark.parametrize("path", [None, 5, 1.5, ["a.npz"]])
def test_path_of_the_wrong_type(path):
    with pytest.raises(TypeError, match="^path is "):
        load_recording(path)


def npz_bytes(compressed, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


GOOD = {
    compressed: npz_bytes(
        compressed, st=np.linspace(0, 5, 40), clu=np.arange(40) % 7, xpos=np.arange(7.0)
    )
    for compressed in (False, True)
}


@settings(PROPERTY, max_examples=300)
@given(compressed=st.booleans(), data=st.data())
def test_damaged_bytes_are_read_or_refused(tmp_path_factory, compressed, data):
    # Whatever happens to the bytes, the answer is a recording or one of the documented errors.
    content = bytearray(GOOD[compressed])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    try:
        recording = load_recording(path)
    except (ValueError, TypeError) as error:
        assert "damaged.npz" in str(error)
    else:
        assert np.isfinite(recording.activity).all() and recording.activity.size


# --- one array in a file, left where it is --------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_float32_npy_stays_in_its_file(order, tmp_path, activity):
    path = tmp_path / "mouse.npy"
    np.save(path, np.asarray(activity, order=order))
    recording = load_recording(path, dt=0.1)
    assert isinstance(recording.activity, np.memmap) and recording.activity.mode == "r"
    assert recording.activity.dtype == np.float32
    np.testing.assert_array_equal(recording.activity, activity)
    assert (recording.dt, recording.positions, recording.name) == (0.1, None, "mouse")
    with pytest.raises(ValueError, match="read-only"):
        recording.activity[0, 0] = 1


@pytest.mark.parametrize("dtype", [">f4", "<f8", np.float16, np.int16, bool])
def test_other_numbers_in_an_npy_become_float32(dtype, tmp_path, activity):
    np.save(tmp_path / "a.npy", (activity * 5).astype(dtype))
    recording = load_recording(tmp_path / "a.npy", dt=0.1)
    assert recording.activity.dtype == np.float32 and recording.activity.dtype.isnative
    np.testing.assert_array_equal(recording.activity, (activity * 5).astype(dtype).astype("f4"))


@pytest.mark.parametrize("shape", [(0, 40), (40, 0)])
def test_an_npy_without_neurons_or_times(shape, tmp_path):
    path = alone(np.zeros(shape, np.float32))(tmp_path)
    with pytest.raises(ValueError, match="a.npy: no neuron is left, activity has shape"):
        load_recording(path, dt=1)


def test_the_name_of_a_file_does_not_matter(tmp_path, activity):
    np.save(tmp_path / "a.npy", activity)
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    np.testing.assert_array_equal(load_recording(tmp_path / "a.npz", dt=1).activity, activity)


def big_npy(path, shape=(1000, 20_000), dtype=np.float32):
    array = np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=shape)
    array[:] = np.random.default_rng(0).random(shape[1], dtype=np.float32)
    array.flush()
    return array.nbytes


def test_no_copy_of_a_large_file_is_made(tmp_path):
    size = big_npy(tmp_path / "a.npy")
    tracemalloc.start()
    recording = load_recording(tmp_path / "a.npy", dt=0.05)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # an array of booleans of this shape would be a quarter
    assert recording.activity.nbytes == size and peak < 0.1 * size


def test_a_large_file_is_checked_to_its_last_value(tmp_path):
    big_npy(tmp_path / "a.npy", (300, 20_000))
    array = np.load(tmp_path / "a.npy", mmap_mode="r+")
    array[-1, -1] = np.nan
    array.flush()
    with pytest.raises(ValueError, match="the array holds NaN"):
        load_recording(tmp_path / "a.npy", dt=0.05)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_of_a_large_file_are_let_go_of(tmp_path):
    size = big_npy(tmp_path / "a.npy", (2000, 20_000))
    program = (
        "import re, sys\n"
        "from critlib.recordings import load_recording\n"
        "status = lambda: open('/proc/self/status').read()\n"
        "resident = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status())[1])\n"
        "before = resident()\n"
        "recording = load_recording(sys.argv[1], dt=0.05)\n"
        "print(1024 * (resident() - before))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.npy")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 0.3 * size


def test_what_was_written_to_a_private_copy_of_a_file_is_not_let_go_of(tmp_path, activity):
    np.save(tmp_path / "a.npy", activity)
    mine = np.load(tmp_path / "a.npy", mmap_mode="c")
    mine[0, 0] = 7
    frozen = mine[:]
    frozen.flags.writeable = False
    for given_activity in (mine, frozen, np.asarray(frozen)):
        assert Recording(given_activity, 1).activity[0, 0] == 7
        assert mine[0, 0] == 7


# --- pickles, read without running them -----------------------------------------------------------


def test_a_pickled_dict_is_read(tmp_path, activity):
    n = len(activity)
    held = {"sresp": activity, "xyz": np.arange(3.0 * n).reshape(3, n), "run": np.zeros((5, 1))}
    np.save(tmp_path / "stringer.npy", held, allow_pickle=True)
    recording = load_recording(tmp_path / "stringer.npy", dt=1.2)
    np.testing.assert_array_equal(recording.activity, activity)
    np.testing.assert_array_equal(recording.positions, held["xyz"][:2].T)
    held["xyz"] = held["xyz"].T
    np.save(tmp_path / "turned.npy", held, allow_pickle=True)
    turned = load_recording(tmp_path / "turned.npy", dt=1.2)
    np.testing.assert_array_equal(turned.positions, recording.positions)
    held = {"spks": activity.astype(">f8"), "xpos": np.arange(n), "ypos": -np.arange(n), "dt": 0.5}
    np.save(tmp_path / "dict.npy", held | {"dt": np.array(0.5)}, allow_pickle=True)
    recording = load_recording(tmp_path / "dict.npy")
    np.testing.assert_array_equal(recording.activity, activity)  # big-endian above
    np.testing.assert_array_equal(recording.positions[:, 1], -np.arange(n))
    assert recording.dt == 0.5


def npy_with_pickle(path, content):
    """A file as numpy.save writes it for one object, around any pickle."""
    with open(path, "wb") as stream:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(content)
    return path


def wrapped(held, protocol):
    array = np.empty((), dtype=object)
    array[()] = held
    return pickle.dumps(array, protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_spelling_of_numpy_is_read(protocol, core, order, tmp_path):
    held = {
        "spks": np.asarray(np.arange(6, dtype=np.float32).reshape(2, 3), order=order),
        "scalar": np.float64(2.5),
        "flags": np.array([True, False]),
        "words": np.array(["ab", "c"]),
        "lists": [1, (2, None), {"deep": np.arange(3)}],
        "nested": np.array([[1, 2], [3]], dtype=object),
    }
    written = wrapped(held, protocol)
    if core == b"numpy.core":  # as NumPy 1 wrote it; the lengths of names are part of pickles
        for name in (b"multiarray",):
            new, old = b"numpy._core." + name, b"numpy.core." + name
            written = written.replace(
                b"\x8c" + bytes([len(new)]) + new, b"\x8c" + bytes([len(old)]) + old
            )
            written = written.replace(b"c" + new, b"c" + old)
        if protocol == 4:  # the frame's length changed
            written = written[:2] + written[11:]
        assert b"numpy._core" not in written and core in written
    read = _pickles.load(npy_with_pickle(tmp_path / "a.npy", written))
    spks = _pickles.array(read["spks"])
    np.testing.assert_array_equal(spks, held["spks"])
    assert spks.dtype == np.float32 and read["scalar"] == 2.5
    np.testing.assert_array_equal(_pickles.array(read["flags"]), held["flags"])
    assert _pickles.array(read["words"]).tolist() == ["ab", "c"]
    assert read["lists"][:2] == [1, (2, None)]
    np.testing.assert_array_equal(_pickles.array(read["lists"][2]["deep"]), [0, 1, 2])
    assert _pickles.array(read["nested"]).tolist() == [[1, 2], [3]]


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


MALICE = {
    "system": lambda path: Call(os.system, f"touch {path}"),
    "eval": lambda path: Call(eval, f"open({str(path)!r}, 'w')"),
    "exec": lambda path: Call(exec, f"open({str(path)!r}, 'w')"),
    "popen": lambda path: Call(subprocess.Popen, ["touch", str(path)]),
    "getattr": lambda path: Call(getattr, os.PathLike, "mro"),
    "numpy.save": lambda path: Call(np.save, str(path), [1]),
    "numpy.load": lambda path: Call(np.load, str(path), None, True),
    "numpy.fromfile": lambda path: Call(np.fromfile, str(path)),
    "numpy.memmap": lambda path: Call(np.memmap, str(path), "u1", "w+", 0, (3,)),
    "ctypeslib": lambda path: Call(np.ctypeslib.load_library, "libc", str(path)),
    "ctypes": lambda path: Call(ctypes.CDLL, str(path)),
    "pickle in a pickle": lambda path: Call(pickle.loads, pickle.dumps(Bomb(path))),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("place", ["alone", "in a dict", "in an array", "as a key's tuple"])
@pytest.mark.parametrize("what", MALICE)
def test_nothing_in_a_pickle_is_run(what, place, protocol, tmp_path):
    sentinel = tmp_path / "sentinel"
    malice = MALICE[what](sentinel)
    inner = np.empty(1, dtype=object)
    inner[0] = [malice]
    held = {
        "alone": malice,
        "in a dict": {"spks": SPKS, "more": [malice]},
        "in an array": {"spks": SPKS, "more": inner},
        "as a key's tuple": {"spks": SPKS, "more": {("a", 1): (malice,)}},
    }[place]
    path = npy_with_pickle(tmp_path / "a.npy", wrapped(held, protocol))
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match="a.npy: holds Python objects .* names .*could run code"):
        load_recording(path, dt=1)
    assert sorted(os.listdir(tmp_path)) == before


def opcodes(*parts):
    return b"".join(parts) + b"."


GLOBAL_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
GLOBAL_DTYPE = b"cnumpy\ndtype\n"
STATE = b"}X\x05\x00\x00\x00valueI1\nsb"
SLOTS = b"N" + STATE[:-1] + b"\x86b"
FORGED = {
    # dotted names and extensions are ways around a list of names
    "dotted name": (
        opcodes(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93"), "names numpy.ndarray.tofile",
    ),
    "dotted module": (
        opcodes(b"cnumpy.core\nmultiarray._reconstruct\n"), r"names numpy.core.multiarray\.",
    ),
    "extension": (opcodes(b"\x80\x02\x82\x01"), "unregistered extension code 1"),
    "persistent id": (opcodes(b"Pabc\n"), "damaged or cut short .*persistent"),
    # a dtype that lies about its fields would make NumPy read what is not there
    "forged fields": (
        opcodes(
            GLOBAL_DTYPE, b"(X\x02\x00\x00\x00V8I00\nI01\ntR",
            b"(I3\nX\x01\x00\x00\x00|N(X\x01\x00\x00\x00at}I8\nI1\nI63\ntb",
        ),
        "holds an array of type 'V8'",
    ),
    "forged fields of a number": (
        opcodes(
            GLOBAL_DTYPE, b"(X\x02\x00\x00\x00f8tR",
            b"(I3\nX\x01\x00\x00\x00|N(X\x01\x00\x00\x00at}I8\nI1\nI63\ntb",
        ),
        "holds a structured array",
    ),
    "raw bytes as objects": (  # each byte is a number then, not an eighth of an address
        opcodes(
            GLOBAL_ARRAY, b"(tR", b"(I1\n(I1\nt", GLOBAL_DTYPE, b"(X\x02\x00\x00\x00O8tR",
            b"I00\nC\x08AAAAAAAAtb",
        ),
        "cannot reshape array of size 8",
    ),
    "too large a shape": (
        opcodes(
            GLOBAL_ARRAY, b"(tR", b"(I1\n(I1000000000\nt", GLOBAL_DTYPE,
            b"(X\x02\x00\x00\x00f8tR", b"I00\nC\x08AAAAAAAAtb",
        ),
        "cannot reshape array of size 1 ",
    ),
    # setting the state of a class would change it for everyone
    "state for a class": (opcodes(GLOBAL_ARRAY, STATE), "damaged or cut short .*__setstate__"),
    "slots for a class": (opcodes(GLOBAL_ARRAY, SLOTS), "damaged or cut short .*__setstate__"),
    "slots for a scalar": (
        opcodes(b"cnumpy.core.multiarray\nscalar\n", SLOTS), "damaged or cut short .*__setstate__",
    ),
    "slots for bytes": (
        opcodes(b"c_codecs\nencode\n", SLOTS), "damaged or cut short .*__setstate__",
    ),
    "slots for what is not needed": (
        opcodes(b"cdatetime\ndatetime\n", SLOTS), "damaged or cut short .*__setstate__",
    ),
    "slots for a date": (opcodes(b"cdatetime\ndatetime\n(tR", SLOTS), "holds no array"),
    "other encoding": (
        opcodes(b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8tR"),
        "holds text encoded as 'utf-8'",
    ),
    "nothing": (b"", "damaged or cut short"),
    "no array": (opcodes(b"I1\n"), "holds no array"),
    "an array never filled": (opcodes(GLOBAL_ARRAY, b"(tR"), "holds no array"),
}  # fmt: skip


def contents_of(module):
    return {
        name: dict(vars(thing)) for name, thing in vars(module).items() if isinstance(thing, type)
    }


@pytest.mark.parametrize("what", FORGED)
def test_forged_pickles_are_refused(what, tmp_path):
    content, reason = FORGED[what]
    path = npy_with_pickle(tmp_path / "a.npy", content)
    known = contents_of(_pickles)
    with pytest.raises(
        ValueError, match=f"a.npy: holds Python objects .* and .*{reason}"
    ) as caught:
        load_recording(path, dt=1)
    assert "\n" not in str(caught.value)
    assert contents_of(_pickles) == known  # nothing of the reader itself was changed


@settings(PROPERTY, max_examples=300)
@given(data=st.data())
def test_damaged_pickles_are_read_or_refused(tmp_path_factory, data):
    content = bytearray(wrapped({"spks": np.arange(6.0).reshape(2, 3), "a": [1, "b"]}, 4))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = npy_with_pickle(tmp_path_factory.getbasetemp() / "damaged.npy", bytes(content))
    try:
        recording = load_recording(path, dt=1)
    except (ValueError, TypeError, MemoryError) as error:
        assert "damaged.npy" in str(error) or isinstance(error, MemoryError)
    else:
        assert np.isfinite(recording.activity).all()


# --- Suite2p --------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [False, True])
def test_suite2p(above, tmp_path):
    folder = plane(tmp_path / "suite2p" / "plane0")
    spks = np.load(folder / "spks.npy")
    cells = [0, 2, 3, 5]  # the others are marked as no cells
    with warnings.catch_warnings(action="error"):
        recording = load_recording(folder.parent if above else folder, um_per_pixel=2.0)
    np.testing.assert_array_equal(recording.activity, spks[cells])
    assert recording.activity.dtype == np.float32 and recording.dt == pytest.approx(1 / 20)
    # Suite2p's med is (y, x)
    expected = [[2.0 * (20 + 2 * i), 2.0 * (10 + i)] for i in cells]
    np.testing.assert_array_equal(recording.positions, expected)
    assert recording.name == ("suite2p" if above else "plane0")
    with pytest.warns(UserWarning, match="plane0|suite2p") as caught:
        assert load_recording(folder, dt=0.1).dt == 0.1  # what is typed here counts
    assert len(caught) == 1 and "pass um_per_pixel" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_suite2p_with_cells_alone_stays_in_its_file(tmp_path):
    folder = plane(tmp_path / "plane0", iscell=np.ones((6, 2)))
    recording = load_recording(folder, um_per_pixel=1)
    assert isinstance(recording.activity, np.memmap) and len(recording.positions) == 6


def stat_of(*meds):
    stat = np.empty(len(meds), dtype=object)
    stat[:] = [{"med": med} for med in meds]
    return stat


BAD_STAT = {
    "missing": (None, "no stat.npy that can be read"),
    "numbers": (np.ones((6, 2)), "stat.npy is not as Suite2p writes it"),
    "too few": (stat_of([1, 2]), "stat.npy is not as Suite2p writes it"),
    "three coordinates": (stat_of(*[[1, 2, 3]] * 6), "stat.npy is not as Suite2p writes it"),
    "text": (stat_of(*["ab"] * 6), "stat.npy is not as Suite2p writes it"),
    "no med": (np.array([{"npix": 3}] * 6, dtype=object), "stat.npy is not as .*'med'"),
    "a dict": ({"med": [1, 2]}, "stat.npy is not as Suite2p writes it"),
}


@pytest.mark.parametrize("case", BAD_STAT)
def test_positions_of_suite2p_are_left_out_with_a_word(case, tmp_path):
    stat, message = BAD_STAT[case]
    folder = plane(tmp_path / "plane0", stat=stat)
    with pytest.warns(UserWarning, match=f"positions are left out: .*{message}") as caught:
        recording = load_recording(folder, um_per_pixel=1.0)
    assert recording.positions is None and len(recording.activity) == 4 and len(caught) == 1


@pytest.mark.parametrize("what", MALICE)
def test_nothing_in_a_stat_or_ops_is_run(what, tmp_path):
    malice = MALICE[what](tmp_path / "sentinel")
    stat = stat_of(*[[1, 2]] * 5, malice)
    ops = {"fs": malice}
    folder = plane(tmp_path / "plane0", stat=stat, ops=ops)
    with pytest.warns(UserWarning, match="positions are left out: .*names .*could run code"):
        recording = load_recording(folder, dt=0.1, um_per_pixel=1.0)
    assert recording.positions is None
    with pytest.raises(ValueError, match="does not say its bin width"):
        load_recording(folder, um_per_pixel=1.0)
    assert sorted(os.listdir(tmp_path)) == ["plane0"]
    assert sorted(os.listdir(folder)) == ["iscell.npy", "ops.npy", "spks.npy", "stat.npy"]


# --- NWB ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [None, 5.0 + np.arange(50) / 30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_nwb_series(times, dtype, tmp_path):
    data = (ROIS * 100).astype(dtype)
    path = nwb(tmp_path / "a.nwb", Deconvolved=data, timestamps=times)
    recording = load_recording(path)
    np.testing.assert_array_equal(recording.activity, data.T.astype(np.float32))
    assert recording.activity.dtype == np.float32 and recording.positions is None
    assert recording.dt == pytest.approx(1 / 30) and recording.name == "a"
    with pytest.raises(ValueError, match="bins of 0.0333333 s but dt is 0.1; leave dt out"):
        load_recording(path, dt=0.1)


def test_nwb_longer_than_a_block(tmp_path):
    data = np.random.default_rng(0).random((2500, 4)).astype(np.float32)
    recording = load_recording(nwb(tmp_path / "a.nwb", Deconvolved=data))
    np.testing.assert_array_equal(recording.activity, data.T)


def test_nwb_times_that_tremble_are_regular(tmp_path):
    times = np.arange(50) / 30 + np.random.default_rng(0).uniform(-1e-3, 1e-3, 50)
    recording = load_recording(nwb(tmp_path / "a.nwb", Deconvolved=ROIS, timestamps=times))
    assert recording.dt == pytest.approx(1 / 30, rel=2e-3)


def test_nwb_units_are_counted_in_bins(tmp_path):
    path = nwb(tmp_path / "a.nwb", units=[[0.1, 0.4, 1.7], [], [0.5, 0.45]])
    recording = load_recording(path, dt=0.5)
    np.testing.assert_array_equal(recording.activity, [[2, 0, 0, 1], [1, 1, 0, 0]])
    assert load_recording(path).dt == 0.046
    assert load_recording(path, series="units", dt=1).activity.shape == (2, 2)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ("Deconvolved", 1.0), ("Deconvolved/RoiResponseSeries", 1.0), ("DfOverF", 2.0),
        ("units", 3.0),
    ],
)  # fmt: skip
def test_nwb_series_is_chosen_by_name(series, expected, tmp_path):
    path = nwb(
        tmp_path / "a.nwb", Deconvolved=1 + 0 * ROIS, DfOverF=2 + 0 * ROIS, units=[[0.0, 0.1, 0.2]]
    )
    recording = load_recording(path, series=series, dt=None if series != "units" else 0.5)
    assert (recording.activity == expected).all()


@pytest.mark.parametrize("series", ["RoiResponseSeries", "Deconv", ""])
def test_nwb_series_that_is_not_there_or_not_clear(series, tmp_path):
    path = nwb(tmp_path / "a.nwb", Deconvolved=ROIS, DfOverF=ROIS)
    pattern = f"holds Deconvolved/.*, DfOverF/.* series is {series!r}; name one of them"
    with pytest.raises(ValueError, match=pattern):
        load_recording(path, series=series)


def test_nwb_without_pynwb(tmp_path, capsys, monkeypatch):
    path = nwb(tmp_path / "a.nwb", Deconvolved=ROIS)
    monkeypatch.setitem(sys.modules, "pynwb", None)  # importing it fails
    with pytest.raises(ValueError, match=r'a.nwb: .* pip install "critlib\[nwb\]"$'):
        load_recording(path)
    assert command_line.main(["spectrum", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    # and nothing else needs it
    assert load_recording(save(tmp_path / "a.npz", spks=SPKS), dt=1).dt == 1


def test_pynwb_is_not_imported_for_other_files():
    program = (
        "import sys, critlib.recordings; print({'pynwb', 'pooch', 'requests'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.stdout == "set()\n", result.stderr


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["npy", "suite2p", "nwb"])
def test_command_line_takes_every_kind(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = network_activity().astype(np.float32)
    if kind == "npy":
        np.save("mouse.npy", X)
        arguments = ["mouse.npy", "--dt", "0.05"]
    elif kind == "suite2p":
        plane(tmp_path / "mouse", spks=X, iscell=np.ones((60, 2)))
        arguments = ["mouse"]
    else:
        nwb(tmp_path / "mouse.nwb", Deconvolved=X.T.copy(), rois=60, rate=20.0)
        arguments = ["mouse.nwb"]
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # no um_per_pixel
        assert command_line.main(["spectrum", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mouse: 60 neurons, 400 bins of 0.05 s"
    exponent = spectra.fit_power_law(spectra.covariance_spectrum(X), ranks=(10, 30)).exponent
    assert lines[1] == f"exponent, ranks 10-30: {exponent:.3f}"
    assert (tmp_path / "mouse_spectrum.png").stat().st_size > 10_000


def network_activity(n=60, n_times=400):
    """Variances falling like a power law, with neurons correlated."""
    rng = np.random.default_rng(2)
    mix = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return mix @ (np.arange(1, n + 1)[:, None] ** -0.5 * rng.standard_normal((n, n_times)))


@pytest.mark.parametrize("suffix", [None, "png", "svg", "pdf"])
def test_command_line_reports_and_draws(suffix, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = network_activity()
    path = save(tmp_path / "mouse.npz", spks=X, dt=0.05)
    out = f"figure.{suffix}" if suffix else "mouse_spectrum.png"
    assert command_line.main(["spectrum", str(path)] + (["--out", out] if suffix else [])) == 0
    printed, err = capsys.readouterr()
    assert "Traceback" not in err and err.count("\n") <= 1
    lines = printed.splitlines()
    assert lines[0] == "mouse: 60 neurons, 400 bins of 0.05 s"
    X32 = X.astype(np.float32)
    variances = spectra.covariance_spectrum(X32)
    exponent = spectra.fit_power_law(variances, ranks=(10, 30)).exponent
    assert lines[1] == f"exponent, ranks 10-30: {exponent:.3f}"
    shuffled = float(lines[2].removeprefix("exponent, shuffled in time: "))
    assert shuffled < exponent - 0.1  # the control does not have the recording's correlations
    assert lines[3] == f"components for half of the variance: {spectra.n_dimensions(variances)}"
    assert int(lines[4].removeprefix("the same, shuffled in time: ")) > spectra.n_dimensions(
        variances
    )
    assert lines[5] == f"figure: {out}" and len(lines) == 6
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix or "png"]
    assert (tmp_path / out).read_bytes().startswith(magic)
    assert sorted(os.listdir(tmp_path)) == sorted(["mouse.npz", out])


def test_command_line_is_repeatable_and_takes_spikes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    path = save(tmp_path / "s.npz", st=rng.uniform(0, 30, 9000), clu=rng.integers(0, 40, 9000))
    printed = []
    for _ in range(2):
        assert command_line.main(["spectrum", str(path), "--dt", "0.1"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].startswith("s: 40 neurons, 300 bins of 0.1 s\n")


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.3, 1e6])
def test_constant_neurons_are_left_out_and_counted(constant, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = network_activity(40, 333)
    X[[3, 17]] = constant  # float32 sums of 333 times 0.1 are not exact
    path = save(tmp_path / "a.npz", spks=X)
    assert command_line.main(["spectrum", str(path), "--dt", "0.1"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "a: 38 neurons, 333 bins of 0.1 s (2 constant neurons left out)"


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        (np.ones((30, 40)), [], "0 neurons that vary"),
        (SPKS[:21], [], "21 neurons that vary and 40 bins.*at least 22"),
        (SPKS[:, :22], [], "30 neurons that vary and 22 bins.*at least 22 and 23"),
        (SPKS, ["--dt", "0"], "dt is 0: it must be greater than 0"),
        (SPKS, ["--dt", "nan"], "dt is nan: it must be finite"),
        (SPKS, ["--out", "figure"], "--out is figure: name a .png"),
        (SPKS, ["--out", "figure.txt"], "--out is figure.txt: name a .png"),
        (SPKS, ["--out", "nowhere/figure.png"], "nowhere/figure.png: its folder does not exist"),
    ],
)
def test_command_line_refuses(X, arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "a.npz", spks=X)
    dt = [] if "--dt" in arguments else ["--dt", "0.1"]
    assert command_line.main(["spectrum", str(path), *dt, *arguments]) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if not line.startswith("decomposing")]
    assert len(lines) == 1 and lines[0].startswith("critlib: ")
    with pytest.raises(ValueError, match=message):
        raise ValueError(lines[0])
    assert os.listdir(tmp_path) == ["a.npz"]


def test_no_half_written_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "a.npz", spks=network_activity(), dt=0.1)
    (tmp_path / "old.png").write_bytes(b"the old figure")

    from matplotlib.figure import Figure

    def full(self, name, *args, **kwargs):
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    assert command_line.main(["spectrum", str(path), "--out", "old.png"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"the old figure"


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "critlib", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_as_a_process(tmp_path):
    path = save(tmp_path / "a.npz", spks=network_activity(), dt=0.1)
    result = run("spectrum", "a.npz", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "exponent, ranks 10-30: " in result.stdout
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "a_spectrum.png"]
    (tmp_path / "a_spectrum.png").unlink()

    path.write_bytes(path.read_bytes()[:-100])
    result = run("spectrum", "a.npz", folder=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("arguments", [[], ["spectrum"], ["draw", "a.npz"]])
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m critlib" in capsys.readouterr().err


def test_real_recording(tmp_path, capsys, monkeypatch):
    if not RETINA.exists():
        pytest.skip(f"{RETINA} is not on this machine (its licence does not allow copies)")
    recording = load_recording(RETINA, dt=1.0)
    # what its README says: 1,240 channels, 448,089 spikes, 1,800 s
    assert recording.activity.sum() == 448_089
    assert recording.activity.shape[0] <= 1240 and recording.positions.shape[1] == 2
    assert 1790 < recording.duration <= 1801
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["spectrum", str(RETINA), "--dt", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    exponent, shuffled = (float(line.split(": ")[1]) for line in lines[1:3])
    # waves make neurons of a developing retina fire together: steeper than shuffled, by far more
    # than the standard error of a slope over 490 ranks
    assert exponent > shuffled + 0.2
    assert (tmp_path / "retina_p9_spectrum.png").stat().st_size > 10_000
