import copy
import math
import re

import pytest

from edgenext_search.arch.cost import Deployment
from edgenext_search.arch.scaling import parse_budgets
from edgenext_search.arch.space import Space
from edgenext_search.report.scale_page import write_scale_report
from edgenext_search.report.scale_words import cap_texts, law_rows, range_text, scaling_sentences, size_rows
from edgenext_search.scaling.plan import Plan, entries
from edgenext_search.scaling.records import ScalingResult
from edgenext_search.scaling.summary import _comparison, _study
from edgenext_search.search.resolver import load_study

from .browser import Page, start_browser

SPACE = Space.load("edgenext").to_dict()
PAPER = Space.load("paper").to_dict()
RECIPE = load_study("scaling", flags={"budget": "120k"})
COMMON = {
    "run": "runs/x", "report": "runs/x/report/index.html", "status": "complete", "study": "scaling", "seed": 0,
    "asked": {"shapes": 5, "seeds": 2}, "open": 0, "failed": [],
    "deployment": {"num_classes": 10, "img_size": 64},
    "data": {"name": "fashion", "classes": 10, "train_images": 4000, "val_images": 2000},
    "fidelity": {"img_size": 32, "epochs": 4, "train_images": 4000, "val_images": 2000},
    "seconds": 61.0,
    "conditions": {"device": "cpu", "parallel": 1, "threads": 1, "host_cores": 2, "versions": {"torch": "2"}},
}  # fmt: skip


def summary_of(plan, function, missing=()):
    wanted = entries(plan, Deployment(num_classes=10, img_size=64), seed=0)
    scores = [
        [float("nan")] * 2 if n in missing else [0.7 + 0.05 * e.budget + 0.01 * e.shape + 0.001 * s for s in range(2)]
        for n, e in enumerate(wanted)
    ]
    values = {
        **COMMON,
        "kind": plan.kind,
        "spaces": [space["name"] for space in plan.spaces],
        "budgets": [budget.to_dict() for budget in plan.budgets],
        **function(plan, wanted, scores, RECIPE),
    }
    return ScalingResult.model_validate(values).to_dict()


@pytest.fixture(scope="module")
def study():
    plan = Plan(kind="study", budgets=tuple(parse_budgets("40k,60k,120k")), shapes=5, seeds=2, spaces=(SPACE,))
    return summary_of(plan, _study)


@pytest.fixture(scope="module")
def comparison():
    plan = Plan(kind="compare", budgets=tuple(parse_budgets("60k")), shapes=5, seeds=2, spaces=(SPACE, PAPER))
    return summary_of(plan, _comparison)


def page_of(summary, tmp_path):
    write_scale_report(summary, tmp_path / "index.html")
    return (tmp_path / "index.html").read_text()


def test_the_page_of_a_study_needs_nothing_beside_itself(study, tmp_path):
    page = page_of(study, tmp_path)
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    assert "default-src 'none'" in page
    assert re.search(r"<h1>The next size, [\d.]+k parameters, is expected to err [\d.]+ \(", page)
    for heading in ("The same shapes at each size", "What the next size gives", "Do shapes rank alike?", "Conditions"):
        assert heading in page
    assert page.count('class="plot"') == 3
    assert page.count('role="tab"') == 3
    assert "Enter pins" not in page
    for name in ("sizes", "laws", "ranks", "candidates", "conditions"):
        assert f'href="#{name}"' in page
    assert "the order of 5 shapes says too little to tell whether they rank alike" in page


def test_the_page_of_a_comparison(comparison, tmp_path):
    page = page_of(comparison, tmp_path)
    assert "Which space is better is not established." in page
    assert page.count('class="plot"') == 1
    assert "edgenext" in page
    assert "paper" in page


def test_names_are_escaped(comparison, study, tmp_path):
    odd = copy.deepcopy(comparison)
    odd["study"] = "<script>alert(1)</script>"
    for space in odd["comparison"]["spaces"]:
        space["name"] = "<img src=x>"
    odd["failed"] = [{"space": "<b>", "shape": 1, "budget": {"params": 1}, "seed": 2, "reason": "<i>why"}]
    page = page_of(odd, tmp_path)
    assert "<img src=x>" not in page
    assert "<script>alert" not in page
    assert "<i>why" not in page
    assert "&lt;i&gt;why" in page


def test_a_study_with_nothing_to_say(tmp_path):
    plan = Plan(kind="study", budgets=tuple(parse_budgets("40k,60k")), shapes=5, seeds=2, spaces=(SPACE,))
    empty = {**summary_of(plan, _study, missing=range(10)), "open": 20, "status": "interrupted"}
    page = page_of(empty, tmp_path)
    assert "No shape has been trained at every size yet." in page
    assert "edgenext-search scale resume" in page
    assert 'class="plot"' not in page
    few = summary_of(plan, _study, missing=(0, 2, 4))
    assert "too little" in scaling_sentences(few)[2]
    page_of(few, tmp_path)
    spaces = Plan(kind="compare", budgets=tuple(parse_budgets("60k")), shapes=5, seeds=2, spaces=(SPACE, PAPER))
    none = summary_of(spaces, _comparison, missing=range(0, 10, 2))
    assert "edgenext has 0 scored candidates and paper 5: too few" in scaling_sentences(none)[0]
    assert 'class="plot"' not in page_of(none, tmp_path)


@pytest.mark.parametrize(
    ("n", "lows", "says"),
    [
        (5, [0.6, 0.6, 0.6], "the order of 5 shapes says too little"),
        (8, [0.6, 0.1, 0.6], "the orders agree better than chance at each pair of sizes."),
        (8, [0.6, -0.1, 0.6], "is not established."),
        (8, [0.6, None, 0.6], "is not established."),
        (8, [0.6, "no tau", 0.6], "is not established."),
        (8, [0.6, "one", 0.6], "the orders agree better than chance at each pair of sizes."),
    ],
)
def test_shapes_rank_alike_where_that_is_shown_of_each_pair_of_sizes(study, n, lows, says):
    special = {"no tau": None, "one": {"value": 1.0, "low": None, "high": None}}
    pairs = [
        {**pair, "n": n, "tau": special.get(low, {"value": 0.8, "low": low, "high": 0.9})}
        for pair, low in zip(study["ranks"]["pairs"], lows, strict=True)
    ]
    *_, last = scaling_sentences({**study, "n": n, "ranks": {**study["ranks"], "pairs": pairs}})
    assert says in last
    assert last.count("0.80") == len([low for low in lows if low not in special])


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("downloads"))
    yield driver
    driver.quit()


def test_both_pages_in_a_browser(study, comparison, driver, tmp_path):
    for summary, figure, series, said in (
        (study, "fig-params", "median of the shapes", "median of 5 shapes at 40k"),
        (comparison, "fig-edf", "edgenext, n = 5", "have at most"),
    ):
        write_scale_report(summary, tmp_path / "index.html")
        page = Page(driver, tmp_path / "index.html")
        x, y, row = page.point(figure, series)
        assert row == -1
        page.mouse(figure, x, y).click().perform()
        assert said in page.find(f"#{figure} .tip").text
        assert page.complaints() == []
        assert page.requests_that_leave() == []


def test_costs_are_spread_by_their_logarithm_and_zoomed_so(study, driver, tmp_path):
    write_scale_report(study, tmp_path / "index.html")
    page = Page(driver, tmp_path / "index.html")
    costs = [point["cost"] for point in study["laws"][0]["points"]]
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


def test_rows_and_numbers(study):
    heads, rows = size_rows(study)
    assert len(heads) == len(rows[0])
    assert [row[0] for row in rows] == ["40k", "60k", "120k"]
    assert rows[0][2] == "28.0"
    assert rows[0][4] == "4"
    heads, rows = law_rows(study)
    assert [row[0] for row in rows] == ["params", "MAdds", "acts"]
    assert range_text({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.50 (0.25 to 0.75)"
    assert range_text({"value": 0.5, "low": None, "high": None}) == "0.50"
    assert range_text(None) == "–"  # noqa: RUF001
    assert cap_texts({"params": 1_300_000}) == "1.3M"
    assert cap_texts({"params": 1_300_000, "madds": 3 * 10**8}) == "params 1.3M, madds 300M"
