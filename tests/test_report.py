"""The report: told truths are found, the page stands alone, nothing is half-written."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest
from bs4 import BeautifulSoup

from critlib import dmd, dynamics, ensembles, normalization, report, shared_variance, spectra
from critlib.recordings import Recording, load_recording
from tests.conftest import ROOT

DT = 0.046
N, T = 300, 8_000


def network(symmetry, largest, seed):
    A = ensembles.random_connectivity(N, symmetry=symmetry, rng=seed)
    return dynamics.LinearNetwork(normalization.critically_normalize(A, target=largest))


def spikes(symmetry, largest, seed):
    activity = network(symmetry, largest, seed).simulate(T * DT, DT, rng=seed)
    return shared_variance.spike_noise(activity, level="low", rng=seed)


def independent(seed):
    """Neurons with slow activity of their own, as in the CA1-like example."""
    rng = np.random.default_rng(seed)
    slow = np.exp(-DT / rng.uniform(0.3, 1.0, N))
    X = np.zeros((N, T))
    for t in range(1, T):
        X[:, t] = slow * X[:, t - 1] + np.sqrt(1 - slow**2) * rng.standard_normal(N)
    return X + rng.standard_normal(X.shape)


MAKERS = {
    "symmetric": lambda: spikes(1, 0.998, 1),
    "non-symmetric": lambda: spikes(0, 0.998, 2),
    "sub-critical": lambda: spikes(1, 0.9, 3),
    "independent": lambda: independent(4),
    "shuffled": lambda: spectra.shuffle_in_time(spikes(1, 0.998, 1), rng=0),
}


@pytest.fixture(scope="module")
def reports():
    return {
        name: report.make_report(Recording(make(), DT, name=name)) for name, make in MAKERS.items()
    }


# --- verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("symmetric", ["yes", "yes", "yes"]),
        ("non-symmetric", ["yes", "yes", "no"]),
        # what decays so soon leaves little to compare in six minutes: an error above the limits
        ("sub-critical", ["yes", "no", "cannot tell"]),
        ("independent", ["no", "no", "cannot tell"]),
        ("shuffled", ["no", "no", "cannot tell"]),
    ],
)
def test_verdict_finds_the_truth(reports, name, answers):
    findings = report.verdict(reports[name])
    assert [finding.answer for finding in findings] == answers
    assert all(finding.reason and finding.question.endswith("?") for finding in findings)


REFERENCES = {
    "symmetric": report.Evidence(10.0, 30, 0.0, 0.001),
    "non-symmetric": report.Evidence(40.0, 20, 0.4, 0.01),
    "sub-critical": report.Evidence(1.0, 5, 0.0, 0.02),
}


@pytest.mark.parametrize(
    ("top", "n_shared", "asymmetry", "error", "answers"),
    [
        (9.0, 25, 0.00, 0.002, ("yes", "yes", "yes")),
        (1.2, 25, 0.00, 0.002, ("yes", "no", "yes")),
        (3.0, 25, 0.00, 0.002, ("yes", "cannot tell", "yes")),
        (90.0, 25, 0.00, 0.002, ("yes", "yes", "yes")),
        (35.0, 25, 0.40, 0.010, ("yes", "yes", "no")),
        (9.0, 25, 0.40, 0.010, ("yes", "yes", "no")),  # the smaller of the critical ones counts
        (35.0, 25, 0.05, 0.010, ("yes", "yes", "no")),  # little, but surely there
        (9.0, 25, 0.05, 0.020, ("yes", "yes", "cannot tell")),
        (9.0, 25, 0.00, 0.030, ("yes", "yes", "cannot tell")),
        (9.0, 25, np.nan, np.nan, ("yes", "yes", "cannot tell")),
        # few components: a large one that does not rotate proves nothing
        (9.0, 4, 0.00, 0.002, ("yes", "yes", "yes")),
        (9.0, 2, 0.00, 0.002, ("yes", "yes", "yes")),
        (9.0, 1, 0.00, 0.002, ("yes", "yes", "cannot tell")),  # it takes two to rotate
        (26.0, 4, 0.00, 0.002, ("yes", "yes", "cannot tell")),
        (26.0, 5, 0.00, 0.002, ("yes", "yes", "yes")),
        (26.0, 4, 0.40, 0.010, ("yes", "yes", "no")),
        (0.5, 25, 0.00, 0.002, ("no", "no", "cannot tell")),
        (9.0, 0, 0.00, 0.002, ("no", "no", "cannot tell")),
    ],
)
def test_rules_of_the_verdict(top, n_shared, asymmetry, error, answers):
    data = report.Evidence(top, n_shared, asymmetry, error)
    assert report.judge(data, 0.5, REFERENCES) == answers


@pytest.mark.parametrize("hidden", [{"n_shared": 0}, {"top": 0.59}])
def test_nothing_shared_says_nothing_if_a_critical_network_would_not_show_either(hidden):
    references = REFERENCES | {"symmetric": dataclasses.replace(REFERENCES["symmetric"], **hidden)}
    data = report.Evidence(0.5, 0, np.nan, np.nan)
    assert report.judge(data, 0.5, references) == ("no", "cannot tell", "cannot tell")


def test_references_that_do_not_differ_decide_nothing():
    references = REFERENCES | {"sub-critical": REFERENCES["symmetric"]}
    assert report.judge(report.Evidence(9.0, 25, 0.0, 0.002), 0.5, references)[1] == "cannot tell"


def test_rotation_is_told_in_networks_whose_slowest_mode_does_not_rotate():
    """A real leading eigenvalue: one component would say that nothing rotates."""
    A = ensembles.random_connectivity(N, symmetry=0, rng=101)
    net = dynamics.LinearNetwork(normalization.critically_normalize(A))
    leading = np.linalg.eigvals(net.A)
    assert leading[np.argmax(leading.real)].imag == 0
    X = shared_variance.spike_noise(net.simulate(900, DT, rng=301), level="medium", rng=101)
    assert abs(dmd.time_asymmetry(X, DT, n_components=1, rng=0)) < 0.02
    found = report.make_report(Recording(X, DT))
    assert [finding.answer for finding in report.verdict(found)] == ["yes", "yes", "no"]


def test_symmetric_network_is_reported_as_slow_and_without_rotation(reports):
    found = reports["symmetric"].measures["recording"]
    other = reports["non-symmetric"].measures["recording"]
    assert abs(found.asymmetry) < 0.05 < 0.2 < other.asymmetry
    assert np.median(found.rotations) < 0.1 < np.median(other.rotations)
    assert found.timescale > 3 * other.timescale
    assert found.slope < 0 and found.r < -0.5  # larger components are slower


# --- measures ------------------------------------------------------------------------------------


def test_evidence_is_part_of_the_measures():
    X, halves = spikes(0, 0.998, 6)[:, :3_000], np.arange(N) % 2 == 0
    brief = report.evidence(X, DT, halves=halves, rng=0)
    found = report.measure(X, DT, halves=halves, rng=0)
    assert {key: vars(found)[key] for key in vars(brief)} == vars(brief)
    assert brief.top == shared_variance.svca2(X, halves=halves)[0]
    lags = 0.23 * np.array([1, 2, 4, 8])
    expected = dmd.time_asymmetry(X, DT, lag=lags, halves=halves, n_blocks=20)
    assert brief.asymmetry == pytest.approx(expected, abs=1e-3)  # random start of the SVD


def test_noise_of_a_simulation_is_that_of_the_recording():
    X = spikes(1, 0.998, 7)
    signal = report.simulate_network("symmetric", *X.shape, DT, rng=8)
    noisy = report.add_noise_like(signal, X, rng=9)
    assert noisy.dtype == np.float32
    # neuron by neuron, within what the snr of 8,000 bins scatters
    np.testing.assert_allclose(shared_variance.snr(noisy), shared_variance.snr(X), atol=0.08)
    with pytest.raises(ValueError, match="must agree"):
        report.add_noise_like(signal[:, 1:], X)


def test_measures_agree_with_the_functions_they_stand_for():
    X = spikes(1, 0.998, 5)
    halves = np.arange(N) % 2 == 0
    found = report.measure(X, DT, halves=halves, rng=0)
    expected = shared_variance.svca2(X, halves=halves)
    np.testing.assert_allclose(found.shared, expected, rtol=1e-5)
    fit = spectra.fit_power_law(expected, ranks=(10, 75))
    assert found.fit.exponent == pytest.approx(fit.exponent)
    assert found.by_neurons[-1] == found.by_duration[-1] == found.fit.exponent
    half = shared_variance.svca2(X[:, : T // 2], halves=halves)
    assert found.by_duration[-2] == pytest.approx(
        spectra.fit_power_law(half, ranks=(10, 75)).exponent, rel=1e-5
    )
    direct = spectra.covariance_spectrum(X)
    assert found.direct == pytest.approx(
        spectra.fit_power_law(direct, ranks=(10, 150)).exponent, rel=1e-5
    )


def test_too_small_a_part_has_no_exponent():
    X = np.random.default_rng(0).standard_normal((60, 300))
    found = report.measure(X, DT, rng=0)
    assert np.isnan(found.by_neurons[:-1]).all() and np.isfinite(found.by_neurons[-1])


@pytest.mark.parametrize(
    ("shape", "message"), [((40, 300), "40 neurons"), ((60, 199), "199 time point")]
)
def test_measure_refuses_what_is_too_small(shape, message):
    with pytest.raises(ValueError, match=message):
        report.measure(np.random.default_rng(0).standard_normal(shape), DT)


# --- matched simulations -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", report.NETWORKS)
def test_simulation_has_the_noise_of_the_recording(kind):
    rng = np.random.default_rng(0)
    target = rng.uniform(0.05, 0.3, 80)
    # AR(1) series have the correlation of neighbouring bins that is asked for
    X = np.zeros((80, T))
    for t in range(1, T):
        X[:, t] = target * X[:, t - 1] + np.sqrt(1 - target**2) * rng.standard_normal(80)
    simulated = report.simulate_like(kind, X, DT, rng=1)
    assert simulated.shape == X.shape and simulated.dtype == np.float32
    difference = shared_variance.snr(simulated) - shared_variance.snr(X)
    # noise is scaled with the signal's own sampled correlation, so what is left is the sampling
    # error of the noise: about 1 / sqrt(T) = 0.011 per neuron
    assert np.abs(difference).max() < 5 / np.sqrt(T)


def test_a_slower_recording_gets_no_noise():
    X = np.cumsum(np.random.default_rng(0).standard_normal((50, 2_000)), axis=1)
    simulated = report.simulate_like("symmetric", X, DT, rng=1)
    quiet = report.simulate_like("symmetric", 1e3 * X, DT, rng=1)
    np.testing.assert_allclose(simulated, quiet)
    assert shared_variance.snr(simulated).mean() > 0.3  # white noise would bring it towards 0


def test_simulations_have_the_symmetry_and_scale_they_are_named_after(monkeypatch):
    seen = []
    real = dynamics.LinearNetwork

    def spy(A):
        seen.append(A)
        return real(A)

    monkeypatch.setattr(report.dynamics, "LinearNetwork", spy)
    X = np.random.default_rng(0).standard_normal((50, 100))
    for kind in report.NETWORKS:
        report.simulate_like(kind, X, DT, rng=0)
    symmetric, other, weak = seen
    assert np.array_equal(symmetric, symmetric.T) and np.array_equal(weak, weak.T)
    assert not np.allclose(other, other.T)
    largest = [np.linalg.eigvals(A).real.max() for A in seen]
    np.testing.assert_allclose(largest, [0.998, 0.998, 0.9], atol=1e-4)


def test_unknown_network_is_refused():
    with pytest.raises(ValueError, match="kind is 'random'.*'symmetric'"):
        report.simulate_like("random", np.ones((2, 30)), DT)


# --- making the report ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """Counts with positions, two silent neurons, and more neurons than are compared."""
    rng = np.random.default_rng(0)
    X = rng.poisson(1.0, (72, 400)).astype(np.float32)
    X[[3, 40]] = 0
    positions = rng.uniform(0, 1_000, (72, 2))
    return Recording(X, DT, positions=positions, name="<b>small</b> & odd")


@pytest.fixture(scope="module")
def small_report(small):
    return report.make_report(small, max_neurons=50)


def test_report_says_what_was_read(small_report):
    found = small_report
    assert (found.n_neurons, found.n_constant, found.n_bins) == (70, 2, 400)
    assert found.counts and found.checkerboard and found.n_compared == 50
    assert len(found.measures["recording"].shared) <= 25
    # the whole is fitted over more ranks than the 50 neurons that are compared
    assert found.whole.ranks[1] > found.measures["recording"].fit.ranks[1]
    assert found.excerpt.shape == (50, 400)


def test_same_seed_same_report(small, small_report):
    again = report.make_report(small, max_neurons=50)
    for kind in small_report.measures:
        ours, theirs = again.measures[kind], small_report.measures[kind]
        assert np.array_equal(ours.shared, theirs.shared)
        assert np.array_equal(ours.eigenvalues, theirs.eigenvalues)


def test_recording_is_not_changed(small):
    before = small.activity.copy()
    report.make_report(small, max_neurons=50)
    assert np.array_equal(small.activity, before)


def test_checkerboard_only_where_it_gives_two_halves():
    rng = np.random.default_rng(0)
    line = np.zeros((100, 2))  # everything in one square
    halves, checkerboard = report._halves(line, 100, False, rng)
    assert not checkerboard and halves.sum() == 50
    spread = rng.uniform(0, 1_000, (400, 2))
    halves, checkerboard = report._halves(spread, 400, False, rng)
    assert checkerboard
    assert np.array_equal(halves, shared_variance.checkerboard(*spread.T, spacing=25.0))
    assert np.array_equal(
        report._halves(spread, 400, True, rng)[0],
        shared_variance.checkerboard(*spread.T, spacing=40.0),
    )


@pytest.mark.parametrize("shape", [(43, 400), (60, 199)])
def test_too_small_a_recording_is_refused(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    with pytest.raises(ValueError, match=f"tiny has {shape[0]} .* {shape[1]} bins.* 44 and 200"):
        report.make_report(Recording(X, DT, name="tiny"))


# --- caveats -------------------------------------------------------------------------------------


def changed(found, **changes):
    return dataclasses.replace(found, **changes)


def with_measures(found, **changes):
    measures = dict(found.measures)
    measures["recording"] = dataclasses.replace(measures["recording"], **changes)
    return changed(found, measures=measures)


WARNINGS = {
    "minutes are short": (
        lambda r: changed(r, n_bins=1_000),
        lambda r: changed(r, n_bins=100_000),
    ),
    "neurons are few": (
        lambda r: changed(r, n_neurons=300),
        lambda r: changed(r, n_neurons=2_000),
    ),
    "are wide": (lambda r: changed(r, dt=0.2), lambda r: r),
    "is one bin": (lambda r: changed(r, dt=0.5), lambda r: changed(r, dt=0.2)),
    "halves are random": (lambda r: r, lambda r: changed(r, checkerboard=True)),
    "chosen at random": (lambda r: changed(r, n_neurons=N + 1), lambda r: r),
    "can be told from noise": (
        lambda r: with_measures(r, n_shared=19),
        lambda r: with_measures(r, n_shared=20),
    ),
    "depends on the duration": (
        lambda r: with_measures(r, by_duration=(1.0, 1.0, 0.5, 0.9), error=0.01),
        lambda r: with_measures(r, by_duration=(1.0, 1.0, 0.89, 0.9), error=0.01),
    ),
    "The fit ends at rank": (
        lambda r: with_measures(r, shared=np.ones(100), fit=spectra.PowerLaw(1, 1, (10, 80))),
        lambda r: with_measures(r, shared=np.ones(1000), fit=spectra.PowerLaw(1, 1, (11, 500))),
    ),
}


@pytest.mark.parametrize("words", WARNINGS)
def test_each_caveat_comes_when_it_must_and_only_then(reports, words):
    raise_it, spare_it = WARNINGS[words]
    assert any(words in text for text in report.caveats(raise_it(reports["symmetric"])))
    assert not any(words in text for text in report.caveats(spare_it(reports["symmetric"])))


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(reports, small_report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return {
        name: report.write_html(found, folder / f"{name}.html")
        for name, found in {**reports, "small": small_report}.items()
    }


def soup_of(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.parametrize("name", [*MAKERS, "small"])
def test_page_stands_alone(pages, name):
    text = pages[name].read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    assert not soup.find_all(["script", "link", "iframe"])
    for image in soup.find_all("img"):
        assert image["src"].startswith("data:image/png;base64,") and len(image["alt"]) > 40
    assert len(soup.find_all("img")) == len(report._FIGURES)
    assert not re.search(r"\b(nan|inf|None)\b", soup.get_text())
    assert len(text) < 2e6


def test_few_components_do_not_show_that_nothing_rotates(reports):
    found = reports["symmetric"]
    top = 3 * found.measures["symmetric"].top
    few = with_measures(found, n_shared=4, top=top)
    assert [finding.answer for finding in report.verdict(few)] == ["yes", "yes", "cannot tell"]
    assert "Only 4 components can be told from noise" in report.verdict(few)[2].reason
    unsure = with_measures(found, asymmetry=0.03, asymmetry_error=0.01)
    assert report.verdict(unsure)[2].answer == "cannot tell"
    assert "less or more than 0.02" in report.verdict(unsure)[2].reason


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.4142, 0.0034, "0.414 ± 0.003"),
        (0.9345, 0.0134, "0.93 ± 0.01"),
        (0.9345, 0.2, "0.93 ± 0.20"),
        (0.9345, 3e-8, "0.9345 ± 0.0000"),
        (0.9345, None, "0.93"),
        (0.9345, np.nan, "0.93"),
        (-0.004, None, "0.00"),
        (-0.0004, 0.0012, "0.000 ± 0.001"),
        (np.nan, 0.1, "not measurable"),
    ],
)
def test_numbers_have_as_many_digits_as_their_error(value, error, expected):
    assert report._number(value, error) == expected


def test_page_gives_the_numbers(pages, reports):
    for name in MAKERS:
        found, text = reports[name], soup_of(pages[name]).get_text(" ")
        assert report._number(found.whole.exponent, found.whole_error) in text
        assert report._number(found.shuffled_exponent, found.shuffled_error) in text
        for finding in report.verdict(found):
            assert f"{finding.question} {finding.answer.capitalize()}." in " ".join(text.split())
        for caveat in report.caveats(found):
            assert caveat in text


def test_names_are_shown_and_not_run(pages):
    assert soup_of(pages["small"]).h1.get_text() == "<b>small</b> & odd"


def test_nothing_is_left_if_writing_fails(reports, tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    target.write_text("the old page")

    def fail(source, destination):
        raise OSError("no space left")

    monkeypatch.setattr(report.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        report.write_html(reports["symmetric"], target)
    assert target.read_text() == "the old page" and list(tmp_path.iterdir()) == [target]


@pytest.mark.book
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_works_for_everyone(pages, browser, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    try:
        page.goto(pages["symmetric"].as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        serious = [
            violation["id"]
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == []
    finally:
        page.close()


# --- the command line ----------------------------------------------------------------------------


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "critlib", "report", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_command_writes_the_page(tmp_path):
    X = np.random.default_rng(0).standard_normal((60, 400)).astype(np.float32)
    np.save(tmp_path / "noise.npy", X)
    done = command(tmp_path, "noise.npy", "--dt", "0.046")
    assert done.returncode == 0, done.stderr
    assert "60 neurons, 400 bins of 0.046 s" in done.stdout
    assert "page: noise_report.html" in done.stdout
    assert soup_of(tmp_path / "noise_report.html").h1.get_text() == "noise"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.npy", "noise_report.html"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.npz"], "no such file"),
        (["tiny.npy", "--dt", "0.1"], "at least 44 and 200"),
        (["tiny.npy"], "bin width"),
        (["tiny.npy", "--dt", "0.1", "--out", "page.pdf"], "name a .html or .htm file"),
        (["tiny.npy", "--dt", "0.1", "--out", "no/page.html"], "folder does not exist"),
    ],
)
def test_command_refuses_bad_input_in_one_line(tmp_path, arguments, words):
    np.save(tmp_path / "tiny.npy", np.random.default_rng(0).random((10, 300)))
    done = command(tmp_path, *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npy"]


# --- a real recording ----------------------------------------------------------------------------


def test_real_recording():
    path = ROOT.parent / "shared" / "recordings" / "retina_p9.npz"
    if not path.exists():
        pytest.skip("the retina recording is not beside this clone")
    recording = load_recording(path)
    # nine minutes of it, through 400 channels, so that the test is quick
    part = Recording(recording.activity[:, :12_000], recording.dt, recording.positions)
    found = report.make_report(part, max_neurons=400)
    first = report.verdict(found)[0]
    assert first.answer == "yes"  # retinal waves are shared
    assert found.checkerboard and found.counts
    assert found.whole.exponent > found.shuffled_exponent
