"""How fast the report of a large study loads and answers in a browser, and how large it is.

The study is made up: random candidates of the space, projected into the budget, with scores of two rungs; half of them
stop at the first. The page is loaded in a headless Chromium (chromedriver, selenium) from a file. ``load_seconds`` is
from the start of the navigation to the last figure and the table drawn; the others are from the event to the next frame
that is painted after it: a hover over a mark, pinning its candidate, sorting and filtering the table, the next page of
it, hiding a series, the theme. Medians over repetitions; ``slowest_answer_seconds`` is the slowest of all single ones.
``load_cpu_seconds`` is what the page's main thread computed for a load, which other work on the machine does not touch.
There is no baseline: the promise is 2 seconds and 8 MB for 5,000 trials.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path

from common import conditions, emit, median, parser, significant

from edgenext_search.arch.budget import Budget
from edgenext_search.arch.cost import Deployment, cost
from edgenext_search.arch.projection import Projection
from edgenext_search.arch.spaces.space import Space
from edgenext_search.report.render.html import write_page
from edgenext_search.report.run.document import run_document
from edgenext_search.report.trials.page_data import trials_data
from edgenext_search.report.trials.study import Study
from edgenext_search.search.results import RunSummary
from edgenext_search.search.store.records import TrialRecord
from edgenext_search.search.study.finalists import as_finalist

RUNGS = (3, 10)
TWO_FRAMES = "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));"
ANSWERS = {
    "hover": "hover(chart.points[Math.floor(Math.random() * chart.points.length)], 'pointermove')",
    "pin": "hover(chart.points[Math.floor(Math.random() * chart.points.length)], 'click')",
    "sort": "heads[Math.floor(Math.random() * heads.length)].click()",
    "filter": "box.value = ['params<1.29M', 'top1>60', 'search', '3-5'][Math.floor(Math.random() * 4)]; "
    "box.dispatchEvent(new Event('input'))",
    "next_page": "document.querySelectorAll('.pager button')[1].click()",
    "hide_series": "document.querySelector('#fig-params .legend button').click()",
    "theme": "document.getElementById('theme').click()",
}
SETTING = """
const done = arguments[0], chart = document.getElementById('fig-params').chart;
const heads = [...document.querySelectorAll('#trials th button')], box = document.getElementById('filter');
const hover = (point, type) => {
  const area = chart.host.getBoundingClientRect();
  const at = { clientX: area.left + point.x, clientY: area.top + point.y, bubbles: true };
  chart.host.dispatchEvent(new PointerEvent(type, at));
};
const began = performance.now();
"""


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--trials", type=int, default=5000)
    arguments.add_argument("--repetitions", type=int, default=9)
    options = arguments.parse_args()
    trials, repetitions = (500, 2) if options.quick else (options.trials, options.repetitions)
    records = a_study(trials, options.seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "index.html"
        began = time.perf_counter()
        summary = a_summary(records)
        write_page(run_document(summary, records), path, trials=trials_data([Study(summary, records)]))
        figures = {
            "write_seconds": significant(time.perf_counter() - began, 3),
            "megabytes": significant(path.stat().st_size / 1e6, 3),
        }
        loads, cpu, answers = in_browser(path, repetitions)
    figures["load_seconds"] = significant(median(loads), 3)
    figures["load_cpu_seconds"] = significant(median(cpu), 3)
    figures["slowest_load_seconds"] = significant(max(loads), 3)
    figures |= {f"{name}_seconds": significant(median(times), 3) for name, times in answers.items()}
    figures["slowest_answer_seconds"] = significant(max(max(times) for times in answers.values()), 3)
    emit(
        "report",
        figures,
        conditions(
            "selenium",
            n=repetitions,
            trials=trials,
            seed=options.seed,
            budget="params=1.3M",
            deployment=str(Deployment()),
        ),
    )


def in_browser(path: Path, repetitions: int) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Seconds of each load, of the page's thread in it, and of each answer by name."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
    )
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--window-size=1400,1000"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    loads: list[float] = []
    cpu: list[float] = []
    answers: dict[str, list[float]] = {name: [] for name in ANSWERS}
    try:
        for _ in range(repetitions):
            driver.get(path.as_uri())
            drawn = "const done = arguments[0], began = 0; " + TWO_FRAMES
            loads.append(driver.execute_async_script(drawn) / 1000)  # performance.now() counts from the navigation
            metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
            cpu.append(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))
            assert driver.execute_script("return document.documentElement.dataset.ready") == "yes"
            for name, action in ANSWERS.items():
                answers[name].append(driver.execute_async_script(f"{SETTING}{action};{TWO_FRAMES}") / 1000)
    finally:
        driver.quit()
    return loads, cpu, answers


def a_study(count: int, seed: int) -> list[TrialRecord]:
    """Trials of random candidates, the baseline first."""
    rng = random.Random(seed)
    space, deployment = Space.load("edgenext"), Deployment()
    projection = Projection(space, Budget.parse("1.3M"), deployment)
    found = []
    for number in range(count):
        baseline = projection.published(projection.nearest_published()[0])
        candidate = projection.candidate(space.draw(rng)) if number else baseline
        first = rng.gauss(0.4, 0.05)
        scores = (first, first + rng.gauss(0.2, 0.03))[: 1 if number and rng.random() < 0.5 else 2]
        found.append(
            TrialRecord(
                number=number,
                state="complete" if len(scores) == len(RUNGS) else "pruned",
                cohort=number // 16,
                origin="sampler" if number else "edgenext_xx_small",
                candidate=candidate,
                cost=cost(candidate, deployment),
                curve=tuple(zip(RUNGS, scores, strict=False)),
                seconds=rng.uniform(20, 60),
                seed=seed,
            )
        )
    return found


def a_summary(trials: list[TrialRecord]) -> RunSummary:
    """What the page needs of a summary."""
    best = max((trial for trial in trials if trial.state == "complete"), key=lambda trial: trial.score or 0.0)
    winner, baseline = (as_finalist(trial, [(trial.score or 0.0) - 0.02]) for trial in (best, trials[0]))
    values = {
        "run": "runs/made-up",
        "report": "runs/made-up/report/index.html",
        "space": "edgenext",
        "seed": 0,
        "status": "complete",
        "study": "made up",
        "budget": {"params": 1_300_000},
        "deployment": {"num_classes": 1000, "img_size": 256},
        "data": {"name": "none", "classes": 16, "train_images": 8000, "val_images": 2000},
        "fidelity": {
            "img_size": 64,
            "epochs": RUNGS[-1],
            "rungs": list(RUNGS),
            "train_images": 8000,
            "val_images": 2000,
        },
        "trials": {"complete": sum(trial.state == "complete" for trial in trials)},
        "winner": winner,
        "baseline": baseline,
        "finalists": [winner, baseline],
        "model_dir": f"runs/made-up/winners/{winner.fingerprint}",
    }
    return RunSummary.model_validate(values)


if __name__ == "__main__":
    main()
