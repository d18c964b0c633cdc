"""Files of recordings: what is read, what is refused, and the command line around it."""

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critlib import __main__ as command_line
from critlib import spectra
from critlib.recordings import Recording, load_recording

ROOT = Path(__file__).resolve().parent.parent
RETINA = ROOT.parent / "shared" / "recordings" / "retina_p9.npz"
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


def single_array(folder):
    np.save(folder / "a.npy", np.ones((3, 4)))
    return folder / "a.npy"


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
BAD_FILES = {
    "missing file": (missing, "no such file"),
    "folder": (a_folder, "is a folder"),
    "text": (text, "is not an .npz file"),
    "empty file": (nothing_inside, "is not an .npz file"),
    "npy": (single_array, "is a single array; save it with np.savez"),
    "truncated": (truncated, "damaged or cut short|is not an .npz file"),
    "cut in half": (cut_in_half, "damaged or cut short|is not an .npz file"),
    "corrupted": (corrupted, "damaged or cut short"),
    "encrypted": (encrypted, "damaged or cut short"),
    "raw member": (not_an_array, "spks is not stored as an array"),
    "raw npy member": (not_an_npy, "spks is not stored as an array"),
    "other zip": (foreign_zip, "has the keys readme.txt; needed is"),
    "objects": (objects, "holds Python objects.*save plain arrays"),
    "pickle": (objects_in_a_pickle, "is not an .npz file"),
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
    with pytest.raises((ValueError, PermissionError), match="permission|Permission"):
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


# --- the command line ----------------------------------------------------------------------------


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
