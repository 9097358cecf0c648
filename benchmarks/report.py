"""The report of a sweep: how long it takes to write, and in a headless Chromium from the navigation to its last chart.

python benchmarks/report.py

The sweeps are written as a coordinator leaves them, not run: four hyperparameters, ten epochs a trial. Needs Chromium
and `pip install playwright`. Medians of pages that are opened in turns. At `what is seen` the charts in the window and
up to a window's height below it are drawn, at the `last chart` those further down too. `a sort` is a click on a column
of the leaderboard, to the next frame.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import large
import table
from light import TOP

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SORT = """() => new Promise((resolve) => {
  const began = performance.now();
  document.querySelectorAll("#leaderboard th button")[3].click();
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
})"""
SEEN, LAST = (f"performance.getEntriesByName('{mark}')[0].startTime" for mark in ("seen", "last"))
# Playwright listens to exceptions, and at the first one V8 would parse all of Plotly again to tell where it was thrown,
# which takes half a second and happens in nobody's browser whose developer tools are closed.
FLAGS = ["--js-flags=--no-enable-lazy-source-positions"]


def written(name: str) -> float:
    """Seconds of the whole command."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sweeper", "report", "--sweep", name], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def opened(browser, path: Path) -> tuple[float, float, float]:
    """Milliseconds since the navigation until what is seen and until all is drawn, and of a sort."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")
    times = page.evaluate(SEEN), page.evaluate(LAST), page.evaluate(SORT)
    page.close()
    return times


def row(trials: int, writing: list[float], path: Path, openings: list[tuple[float, float, float]]) -> tuple[str, ...]:
    seen, last, sort = map(median, zip(*openings, strict=True))
    size = path.stat().st_size / 1e6
    return (
        f"{trials:,} trials",
        f"{median(writing):.1f} s",
        f"{size:.1f} MB",
        f"{seen / 1e3:.2f} s",
        f"{last / 1e3:.2f} s",
        f"{sort:.0f} ms",
    )


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="*", default=[20, 100, 1000, 5000])
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        os.chdir(folder)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        names = {trials: f"trials-{trials}" for trials in args.trials}
        for trials, name in names.items():
            large.write(name, trials)
        writing = {trials: [written(name) for _ in range(args.times)] for trials, name in names.items()}
        paths = {trials: (TOP / name / "report.html").absolute() for trials, name in names.items()}
        turns = [[opened(browser, paths[trials]) for trials in names] for _ in range(args.times)]
        browser.close()
        openings = zip(*turns, strict=True)
        rows = [
            row(trials, writing[trials], paths[trials], list(own)) for trials, own in zip(names, openings, strict=True)
        ]
        os.chdir("/")
    table.show("a report", ("written", "size", "what is seen", "last chart", "a sort"), rows)


if __name__ == "__main__":
    main()
