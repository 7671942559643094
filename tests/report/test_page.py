"""The page in a real browser: hovering, pinning, sorting, filtering, saving, in every state that a run can be in."""

import json
import math
import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from edgenext_search.report.comparison.document import comparison_document
from edgenext_search.report.comparison.results import compare_runs
from edgenext_search.report.render.html import write_page
from edgenext_search.report.run.document import run_document
from edgenext_search.report.scaling.document import scaling_document
from edgenext_search.report.trials.page_data import trials_data
from edgenext_search.report.trials.study import Study
from edgenext_search.report.trials.table import read_csv, trials_frame

from .browser import Page, start_browser
from .builders import HOSTILE, a_latency, a_summary, a_trial, an_audit, changed, some_trials
from .scaling.builders import a_comparison, a_study

TRIALS = some_trials(120, failed=3)
KEYS = {"enter": "\ue007", "escape": "\ue00c", "right": "\ue014", "end": "\ue010"}


def write_report(summary, trials, path):
    write_page(run_document(summary, trials), path, trials=trials_data([Study(summary, trials)]))


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads):
    driver = start_browser(downloads)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(a_summary(TRIALS, audit=an_audit(TRIALS)), TRIALS, path)
    return path


@pytest.fixture
def page(driver, report):
    opened = Page(driver, report)
    yield opened
    assert opened.complaints() == []
    assert opened.requests_that_leave() == []


def rows(page):
    return [
        int(row)
        for row in page.run("return [...document.querySelectorAll('#trials tbody tr')].map((row) => row.dataset.row)")
    ]


def search(page, text):
    box = page.find("#filter")
    box.clear()
    box.send_keys(text)


def saved(page, downloads, name, button):
    """The file that a button saves, once it is all there: Chromium takes its name with an empty file before that."""
    for old in downloads.iterdir():
        old.unlink()
    page.run("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", button)
    path = downloads / name
    page.wait(lambda: [*downloads.iterdir()] == [path] and path.stat().st_size > 0)
    return path


def test_hovering_shows_the_candidate(page):
    x, y, row = page.point("fig-params", "trained")
    page.mouse("fig-params", x, y).perform()
    tip = page.find("#fig-params .tip")
    assert tip.is_displayed()
    assert TRIALS[row].candidate.fingerprint in tip.text
    assert f"{100 * TRIALS[row].score:.1f} % after 6 epochs" in tip.text
    page.mouse("fig-params", x, -60).perform()
    assert not tip.is_displayed()


def test_a_click_pins_the_candidate_everywhere(page):
    x, y, row = page.point("fig-params", "trained")
    page.mouse("fig-params", x, y).click().perform()
    card, candidate = page.find("#card"), TRIALS[row].candidate
    assert card.is_displayed()
    assert candidate.fingerprint in card.text
    assert len(page.all("#card .blocks i")) == sum(candidate.depths)
    assert len(page.all("#card .blocks i.sdta")) == sum(candidate.sdta_blocks)
    curve = page.run("return document.getElementById('fig-curve').chart.plot.series.at(-1)")
    assert curve["y"] == pytest.approx([100 * score for _, score in TRIALS[row].curve])
    for figure in ("fig-params", "fig-madds", "fig-history"):
        assert page.all(f"#{figure} .pinned")
    page.find("#card .close").click()
    assert not card.is_displayed()
    assert not page.all(".pinned")


def test_keys_go_from_mark_to_mark(page):
    plot = page.find("#fig-madds .plot")
    page.run("arguments[0].focus()", plot)
    plot.send_keys(KEYS["right"], KEYS["right"], KEYS["end"])
    assert page.find("#fig-madds .tip").is_displayed()
    plot.send_keys(KEYS["enter"])
    card = page.find("#card")
    assert card.is_displayed()
    assert page.focused() == card
    page.focused().send_keys(KEYS["escape"])
    assert not card.is_displayed()
    assert page.focused() == plot


def test_escape_closes_the_card_wherever_the_focus_is(page):
    x, y, _ = page.point("fig-params", "trained")
    page.mouse("fig-params", x, y).click().perform()
    card = page.find("#card")
    assert card.is_displayed()
    page.focused().send_keys(KEYS["escape"])
    assert not card.is_displayed()
    page.run("document.querySelector('#trials tbody tr').click()")
    assert card.is_displayed()
    box = page.find("#filter")
    box.send_keys(KEYS["escape"])
    assert not card.is_displayed()
    assert page.focused() == box


def test_dragging_zooms_and_a_button_shows_all_again(page):
    before = page.run("return document.getElementById('fig-params').chart.scale.xRange")
    page.mouse("fig-params", 200, 60).click_and_hold().move_by_offset(150, 120).release().perform()
    low, high = page.run("return document.getElementById('fig-params').chart.scale.xRange")
    assert before[0] < low < high < before[1]
    assert not page.find("#card").is_displayed()
    page.find("#fig-params .tools button").click()
    assert page.run("return document.getElementById('fig-params').chart.scale.xRange") == before


def test_the_legend_hides_a_series(page):
    (button,) = [one for one in page.all("#fig-params .legend button") if one.text.startswith("stopped")]
    assert page.all("#fig-params [data-series^='stopped']")
    page.run("arguments[0].click()", button)
    assert not page.all("#fig-params [data-series^='stopped']")
    assert button.get_attribute("aria-pressed") == "false"


def test_tabs_change_with_clicks_and_keys(page):
    images = page.find("#course-tab-1")
    page.run("arguments[0].click()", images)
    assert page.find("#fig-best-images").is_displayed()
    assert not page.find("#fig-best").is_displayed()
    images.send_keys(KEYS["right"])
    assert page.find("#fig-best").is_displayed()


def test_the_table_sorts_by_a_click(page):
    (head,) = [one for one in page.all("#trials th button") if one.text.startswith("Params")]
    page.run("arguments[0].click()", head)
    order = sorted(range(len(TRIALS)), key=lambda row: (TRIALS[row].cost.params, row))
    assert rows(page) == order[:100]
    page.run("arguments[0].click()", head)
    assert [TRIALS[row].cost.params for row in rows(page)] == sorted((t.cost.params for t in TRIALS), reverse=True)[
        :100
    ]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_scores_that_are_none_sort_last(page):
    (head,) = [one for one in page.all("#trials th button") if one.text.startswith("Top-1")]
    for _ in range(2):
        page.run("arguments[0].click()", head)
        assert TRIALS[rows(page)[0]].score is not None
    page.run("document.querySelectorAll('.pager button')[1].click()")
    assert [TRIALS[row].state for row in rows(page)[-3:]] == ["failed"] * 3


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params<1.26M", lambda t: t.cost.params < 1_260_000),
        ("top1>=68 trial<100", lambda t: t.score is not None and 100 * t.score >= 68 and t.number < 100),
        ("state=failed", lambda t: t.state == "failed"),
        ("exit code", lambda t: t.state == "failed"),
        ("origin=edgenext-xxs", lambda t: t.origin == "edgenext_xx_small"),
        ("no-such-word", lambda _: False),
    ],
)
def test_the_table_filters(page, text, holds):
    search(page, text)
    wanted = [row for row, trial in enumerate(TRIALS) if holds(trial)]
    assert rows(page) == wanted[:100]
    assert page.find(".count").text == f"{len(wanted)} of {len(TRIALS)} trials"


def test_state_and_front_filter_too(page):
    page.run(
        "const box = document.getElementById('state'); box.value = 'pruned'; box.dispatchEvent(new Event('change'))"
    )
    assert {TRIALS[row].state for row in rows(page)} == {"pruned"}
    page.run("const box = document.getElementById('state'); box.value = ''; box.dispatchEvent(new Event('change'))")
    page.run("document.getElementById('front').click()")
    frame = trials_frame(TRIALS)
    assert set(rows(page)) == set(frame.index[frame.on_params_front | frame.on_madds_front])


def test_a_row_pins_its_candidate(page):
    search(page, "state=failed")
    line = page.find("#trials tbody tr")
    page.run("arguments[0].focus()", line)
    line.send_keys(KEYS["enter"])
    assert page.focused() == page.find("#card")
    assert "out of memory" in page.find("#card").text
    assert "no learning curve" in page.find("#card").text


def test_the_theme_is_switched_and_remembered(page, driver):
    def ground():
        return page.run("return getComputedStyle(document.body).backgroundColor")

    button, seen = page.find("#theme"), []
    for theme in ("light", "dark"):
        button.click()
        assert button.text == f"Theme: {theme}"
        seen.append(ground())
    assert seen == ["rgb(251, 250, 248)", "rgb(20, 24, 28)"]
    driver.refresh()
    assert ground() == seen[1]
    page.find("#theme").click()
    assert page.find("#theme").text == "Theme: auto"


def test_the_csv_is_that_of_the_run(page, downloads):
    buttons = {one.text: one for one in page.all(".filters .tools button")}
    frame = read_csv(saved(page, downloads, "trials.csv", buttons["CSV"]))
    assert frame.equals(trials_frame(TRIALS))


def test_json_and_markdown_have_what_the_filter_leaves(page, downloads):
    buttons = {one.text: one for one in page.all(".filters .tools button")}
    search(page, "trial<5")
    found = json.loads(saved(page, downloads, "trials.json", buttons["JSON"]).read_text())
    assert [row["fingerprint"] for row in found] == [trial.candidate.fingerprint for trial in TRIALS[:5]]
    assert found[0]["curve"] == [list(point) for point in TRIALS[0].curve]
    lines = saved(page, downloads, "trials.md", buttons["Markdown"]).read_text().splitlines()
    assert len(lines) == 7
    assert lines[2].count("|") == lines[0].count("|")


def test_figures_are_saved_as_they_look(page, downloads):
    buttons = {one.text: one for one in page.all("#fig-params .tools button")}
    root = ET.parse(saved(page, downloads, "fig-params.svg", buttons["SVG"])).getroot()  # noqa: S314 - our own
    text = "".join(root.itertext())
    assert "Accuracy against parameters" in text
    assert "Pareto front" in text
    assert "var(" not in ET.tostring(root, encoding="unicode")
    image = saved(page, downloads, "fig-params.png", buttons["PNG"]).read_bytes()
    assert image.startswith(b"\x89PNG")
    assert len(image) > 10_000


def test_commands_are_copied(page):
    button = page.find("pre.copy button")
    page.run("arguments[0].click()", button)
    page.wait(lambda: button.text == "Copied")


@pytest.mark.parametrize("width", [390, 800, 900, 1200])
def test_no_page_scrolls_sideways(page, driver, width):
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.wait(lambda: page.run("return innerWidth") == width)
        assert page.run("return document.documentElement.scrollWidth") == width
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_print_shows_all_tabs_on_white_ground(page, driver):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page.find("#fig-best-images").is_displayed()
        assert not page.find("#theme").is_displayed()
        assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_print_has_all_rows_that_the_filter_leaves_and_says_what_it_has_not(page, driver):
    def printed():
        page.run("window.dispatchEvent(new Event('beforeprint'))")
        return rows(page)

    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page.find(".pager").text == "1 to 100 of 120"
        assert printed() == list(range(len(TRIALS)))
        assert not page.find(".pager").is_displayed()
        page.run("window.dispatchEvent(new Event('afterprint'))")
        assert rows(page) == list(range(100))
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    search(page, "trial<5")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert printed() == list(range(5))
        assert page.find(".pager").text == "5 of 120 trials"
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_print_of_very_many_rows_says_how_many_are_left_out(driver, tmp_path):
    trials = [replace(trial, number=number) for number, trial in enumerate(TRIALS * 9)]
    path = tmp_path / "index.html"
    write_report(a_summary(trials), trials, path)
    page = Page(driver, path)
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert len(rows(page)) == 1000
    assert page.run("return document.querySelector('.pager').textContent").find("The first 1000 of 1080 trials") >= 0


def test_a_live_page_loads_itself_again_unless_it_is_in_use(driver, tmp_path):
    trials = some_trials(9)
    path = tmp_path / "index.html"
    write_report(a_summary(trials, status="running"), trials, path)
    source = "window.setInterval = (call) => { window.minute = call; };"
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    choose = "const [box, state] = arguments; box.value = state; box.dispatchEvent(new Event('change'))"

    def stays():
        page.run("window.stayed = true; window.minute()")
        time.sleep(0.5)
        return page.run("return window.stayed === true")

    try:
        page = Page(driver, path)
        search(page, "trial<5")
        assert stays()
        page.find("#filter").clear()
        page.run(choose, page.find("#state"), "complete")
        assert stays()
        page.run(choose, page.find("#state"), "")
        page.run("document.getElementById('front').click()")
        assert stays()
        page.run("document.getElementById('front').click(); document.querySelector('#trials tbody tr').click()")
        assert stays()
        page.run("document.querySelector('#card .close').click()")
        assert not stays()
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script["identifier"]})


def nothing(trials=()):
    gone = {"winner": None, "baseline": None, "finalists": [], "front": [], "gain": None, "model_dir": None}
    return a_summary(trials, status="interrupted", **gone), list(trials)


def three_objectives():
    trials = some_trials(30)
    summary = a_summary(trials)
    return a_summary(trials, objectives=["accuracy", "params", "madds"], front=summary.finalists[:2]), trials


def not_numbers():
    trials = some_trials(20)
    trials[3:8] = [replace(trial, curve=((2, 0.4), (6, float("nan")))) for trial in trials[3:8]]
    summary = a_summary(trials, gain=None)
    score = summary.baseline.score.model_copy(update={"mean": float("nan")})
    return changed(summary, summary.baseline, score=score), trials


def hostile():
    trials = [replace(a_trial(0), origin=f"edgenext_{HOSTILE}"), replace(a_trial(1), state="failed", reason=HOSTILE)]
    return a_summary(trials, study=HOSTILE, run=f"runs/{HOSTILE}", model_dir=f"runs/{HOSTILE}/winners/a"), trials


STATES = {
    "empty": nothing,
    "all failed": lambda: nothing(some_trials(5, failed=5)),
    "one trial": lambda: (a_summary(some_trials(1)), some_trials(1)),
    "one stopped trial": lambda: nothing([a_trial(0, scores=(0.4,))]),
    "one objective": lambda: (a_summary(some_trials(30)), some_trials(30)),
    "three objectives": three_objectives,
    "scores that are no numbers": not_numbers,
    "names with HTML": hostile,
    "interrupted": lambda: (a_summary(some_trials(9), status="interrupted"), some_trials(9)),
    "running": lambda: (a_summary(some_trials(9), status="running"), some_trials(9)),
    "latency": lambda: a_latency(some_trials(30)),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_run_is_shown(driver, tmp_path, state):
    summary, trials = STATES[state]()
    path = tmp_path / "index.html"
    write_report(summary, trials, path)
    page = Page(driver, path)
    assert page.find("h1").text
    assert len(page.all(".plot > svg")) == len(page.all(".plot"))
    assert rows(page) == list(range(len(trials)))[:100]
    if trials:
        page.run("document.querySelector('#trials tbody tr').click()")
        assert trials[0].candidate.fingerprint in page.find("#card").text
    assert page.run("return document.querySelectorAll('img, script[src]').length") == 0
    assert "NaN" not in page.run("return document.querySelector('main').innerHTML")
    assert page.complaints() == []
    assert page.requests_that_leave() == []


def test_the_page_of_several_runs(driver, tmp_path):
    runs = [
        Study(a_summary(trials), trials, name)
        for name, trials in ((HOSTILE, some_trials(20)), ("two", some_trials(30, seed=1)))
    ]
    path = tmp_path / "index.html"
    write_page(comparison_document(runs, compare_runs(runs, [])), path, trials=trials_data(runs))
    page = Page(driver, path)
    assert rows(page) == list(range(50))
    x, y, row = page.point("fig-params", "two")
    page.mouse("fig-params", x, y).click().perform()
    assert row >= 20
    assert runs[1].trials[row - 20].candidate.fingerprint in page.find("#card").text
    assert "two, trial" in page.find("#card").text
    search(page, "run=two")
    assert rows(page) == list(range(20, 50))
    assert page.run("return document.querySelectorAll('img').length") == 0
    assert page.complaints() == []
    assert page.requests_that_leave() == []


@pytest.mark.parametrize(
    ("result", "figure", "series", "says"),
    [
        (a_study(), "fig-params", "median of the shapes", "median of 5 shapes at 40k"),
        (a_comparison(), "fig-edf", "edgenext, n = 5", "have at most"),
    ],
    ids=["study", "comparison"],
)
def test_the_page_of_a_scaling_study(driver, tmp_path, result, figure, series, says):
    write_page(scaling_document(result), tmp_path / "index.html", trials=trials_data())
    page = Page(driver, tmp_path / "index.html")
    x, y, row = page.point(figure, series)
    assert row == -1
    page.mouse(figure, x, y).click().perform()
    assert says in page.find(f"#{figure} .tip").text
    assert page.complaints() == []
    assert page.requests_that_leave() == []


def test_costs_are_spread_by_their_logarithm_and_zoomed_so(driver, tmp_path):
    result = a_study()
    write_page(scaling_document(result), tmp_path / "index.html", trials=trials_data())
    page = Page(driver, tmp_path / "index.html")
    costs = [point.cost for point in result.laws[0].points]
    at = page.run(
        "return document.getElementById('fig-params').chart.points"
        ".filter((point) => point.series.name === 'median of the shapes').map((point) => point.x)"
    )
    share = math.log(costs[1] / costs[0]) / math.log(costs[2] / costs[0])
    assert (at[1] - at[0]) / (at[2] - at[0]) == pytest.approx(share, abs=0.01)
    ticks = "return document.getElementById('fig-params').chart.root.querySelectorAll('text').length"
    assert page.run(ticks) > 8
    low, high = page.run(
        "const { chart } = document.getElementById('fig-params'), [x] = arguments;"
        "chart.zoom([x[0], 20], [x[2], 200]); return chart.view.x",
        at,
    )
    assert (low, high) == (pytest.approx(costs[0] / 1e6, rel=0.01), pytest.approx(costs[2] / 1e6, rel=0.01))
    assert page.run(ticks) > 6
    assert page.complaints() == []
