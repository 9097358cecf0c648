"""Reports in a real headless Chromium, that of the system: what they draw, and how they answer."""

import shutil
from itertools import pairwise

import pytest

from sweeper.commands import report
from sweeper.page import seen

from ..searched import meet_test_images, write
from .test_report import named

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

DRAWN = "html[data-drawn]"
MARKUP = "<b>x</b><a href='javascript:alert(1)'>y</a><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a sweep with trials of every kind."""
    import cv2
    import numpy as np

    found = write(tmp_path_factory.mktemp("multirun") / "monday", 40, misses=True, tested=True)
    meet_test_images(seen.look(found).best.folder, cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes())
    return found


@pytest.fixture
def open_report(browser, tmp_path):
    """Makes the report of a folder and opens it. Afterwards: no message of the browser's, no request but the page's."""
    trouble, requests = [], []

    def open_report(folder, *, at="", before="", **options):
        """at: where in the page; before: a script that runs first."""
        path = tmp_path / "report.html"
        path.write_text(report.html(seen.look(folder)), encoding="utf-8")
        page = browser.new_context(**options).new_page()
        page.add_init_script(before)
        page.on("console", lambda message: trouble.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + at)
        page.wait_for_selector(DRAWN, state="attached")
        return page

    yield open_report
    for context in browser.contexts:
        context.close()
    assert trouble == []
    assert [url for url in requests if not url.startswith(("data:", "blob:")) and "report.html" not in url] == []


def column(page, number, table="#leaderboard"):
    """The cells of a column, from 1, of the lines that can be seen."""
    lines = page.locator(f"{table} tbody tr:not([hidden]):not(.more) td:nth-child({number})")
    return [words.strip() for words in lines.all_text_contents()]


def choose_upper_third(page, axis):
    """Of an axis of the parallel coordinates, with the mouse."""
    grip = page.locator("#parallel .grip").nth(axis)
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] / 3, steps=4)
    page.mouse.up()


def test_every_chart_is_drawn_and_every_picture_shown(open_report, folder):
    page = open_report(folder)
    charts = page.locator(".plot").count()
    assert charts >= 8
    assert page.locator(".plot .main-svg").count() >= charts
    assert page.locator("#parallel path").count() == 24
    assert page.locator("#history .scatterlayer .point").count() > 30
    widths = page.locator(".picture img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert widths == [60, 60, 60]


def test_a_click_on_a_column_sorts_numbers_as_numbers_and_empty_cells_last(open_report, folder):
    page = open_report(folder)
    head = page.locator("#leaderboard th", has_text="width")
    place = page.locator("#leaderboard th").all_text_contents().index("width") + 1
    for order, reverse in (("ascending", False), ("descending", True)):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        cells = column(page, place)
        widths = [int(cell) for cell in cells if cell]
        assert widths == sorted(widths, reverse=reverse)
        assert cells == [str(width) for width in widths] + [""] * (len(cells) - len(widths))
        assert len(widths) > 5
    page.locator("#leaderboard th button").first.press("Enter")
    assert column(page, 1)[:3] == ["1", "2", "3"]


def test_the_filter_leaves_the_lines_that_hold_every_word(open_report, folder):
    page = open_report(folder)
    page.fill("#leaderboard input", "pruned CUSTOM")
    states, models = column(page, 3), column(page, 5)
    assert set(states) == {"pruned"}
    assert set(models) == {"custom"}
    assert page.locator("#leaderboard output").text_content() == f"{len(states)} of 40 trials"
    page.click("#leaderboard .clear")
    assert len(column(page, 1)) == 40


def test_a_click_on_a_trial_shows_its_command_and_its_whole_reason(open_report, folder):
    page = open_report(folder)
    row = page.locator("#leaderboard tr[data-trial='9']")
    row.click()
    assert "why trial 1 is diverged\nand more of it" in page.locator("tr.more").text_content()
    assert page.locator("tr.more code").text_content() == "python -m sweeper trial=9"
    button = row.locator("button.details")
    assert button.get_attribute("aria-expanded") == "true"
    button.press("Enter")
    assert page.locator("tr.more").count() == 0


def test_a_command_is_copied(open_report, folder):
    page = open_report(folder, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#reproduce .copy").first.click()
    page.locator("#reproduce .copy", has_text="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m sweeper -m model=custom,alexnet hparams=search"


def test_a_click_on_a_point_opens_its_trial(open_report, folder):
    page = open_report(folder)
    page.evaluate("show(12)")
    assert page.locator("tr[data-trial='12'] + tr.more").count() == 1


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    return write(tmp_path_factory.mktemp("multirun") / "sized", 60, sized=True)


# The first trial of the map, and where on the page its cell is.
ELITE = """() => {
  const plot = document.querySelector("#sizes .plot");
  const { x, y, customdata } = plot._fullData[0];
  const row = customdata.findIndex((numbers) => numbers.some((number) => number !== null));
  const column = customdata[row].findIndex((number) => number !== null);
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return {
    trial: customdata[row][column],
    x: box.x + xaxis._offset + xaxis.l2p((x[column] + x[column + 1]) / 2),
    y: box.y + yaxis._offset + yaxis.l2p((y[row] + y[row + 1]) / 2),
  };
}"""


def test_a_click_on_an_elite_of_the_map_opens_its_trial(open_report, sized):
    page = open_report(sized, at="#sizes")
    page.locator("#sizes .plot").first.scroll_into_view_if_needed()
    elite = page.evaluate(ELITE)
    page.mouse.move(elite["x"] - 3, elite["y"] - 3)
    page.mouse.move(elite["x"], elite["y"])
    page.locator("#sizes .hoverlayer", has_text=f"trial {elite['trial']}: ").wait_for()
    page.mouse.click(elite["x"], elite["y"])
    page.locator(f"#leaderboard tr[data-trial='{elite['trial']}'] + tr.more").wait_for()


def test_a_phone_shows_both_maps_with_the_numbers_of_their_trials(open_report, sized):
    page = open_report(sized, at="#sizes", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    boxes = page.locator("#sizes .plot").evaluate_all("all => all.map((plot) => plot.getBoundingClientRect().toJSON())")
    assert len(boxes) == 2
    assert boxes[1]["top"] >= boxes[0]["bottom"]
    page.locator("#sizes .plot").first.locator(".heatmap-label").first.wait_for()
    numbers = page.evaluate(
        "document.querySelector('#sizes .plot')._fullData[0].customdata.flat().filter(Number.isInteger)"
    )
    shown = page.locator("#sizes .plot").first.locator(".heatmap-label text").all_text_contents()
    assert sorted(map(int, shown)) == sorted(numbers)
    assert page.locator("#sizes .plot").nth(1).locator(".heatmap-label").count() == 0


def test_a_map_has_the_colours_of_the_theme_and_is_printed(open_report, sized):
    page = open_report(sized, at="#sizes", color_scheme="light")
    drawn = "[...document.querySelectorAll('#sizes .hm image')].map((image) => image.href.baseVal)"
    light = page.evaluate(drawn)
    page.click("#theme")
    page.wait_for_function(f"{drawn}[0] !== {light[0]!r}")
    assert len(page.evaluate(drawn)) == 2
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#sizes .hm image").evaluate_all("all => all.every((image) => image.checkVisibility())")


def test_a_range_of_an_axis_chooses_the_trials_of_the_leaderboard(open_report, folder):
    page = open_report(folder)
    choose_upper_third(page, 1)  # the learning rate
    rates = [float(cell) for cell in column(page, page.locator("#leaderboard th").all_text_contents().index("lr") + 1)]
    assert 0 < len(rates) < 24
    assert min(rates) > 1e-3
    page.click("#leaderboard .clear")
    assert len(column(page, 1)) == 40
    assert page.locator("#parallel path.off").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_and_charts_are_light_or_dark_as_the_system_is_until_the_reader_chooses(open_report, folder, scheme):
    page = open_report(folder, color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    words = "getComputedStyle(document.querySelector('#history .xtitle')).fill"
    before = page.evaluate(ground), page.evaluate(words)
    assert (before[0] == "rgb(20, 23, 26)") == (scheme == "dark")
    page.click("#theme")
    page.wait_for_timeout(500)  # Plotly draws a moment later
    assert page.evaluate(words) != before[1]
    assert (page.evaluate(ground) == "rgb(20, 23, 26)") == (scheme == "light")


def test_a_phone_scrolls_tables_but_not_the_page_sideways(open_report, folder):
    page = open_report(folder, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.locator("#leaderboard tbody tr").first.click()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == 360
    assert page.locator("#leaderboard .scroll").evaluate("box => box.scrollWidth > box.clientWidth")


def test_a_phone_shows_pictures_as_large_as_they_can_be_read(open_report, folder):
    page = open_report(folder, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    picture = page.locator(".picture").first
    assert picture.locator("img").evaluate("image => image.clientWidth") == 44 * 15  # rem of 15 pixels
    assert picture.evaluate("box => box.scrollWidth > box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_parallel_coordinates_follow_the_window_and_keep_the_chosen_range(open_report, folder):
    page = open_report(folder, viewport={"width": 1280, "height": 900})
    choose_upper_third(page, 1)
    chosen, off = column(page, 2), page.locator("#parallel path.off").count()
    assert off > 0
    for width in (900, 1500):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            "() => { const box = document.querySelector('.parallel');"
            " return box.firstChild.clientWidth === Math.max(box.clientWidth, 2 * 62 + 4 * 104); }"
        )
        assert page.locator("#parallel path.off").count() == off
        assert page.locator("#parallel .range").nth(1).evaluate("range => Number(range.getAttribute('height'))") > 50
        assert column(page, 2) == chosen
    page.click("#leaderboard .clear")
    assert page.locator("#parallel path.off").count() == 0


def test_numbers_at_the_axes_are_of_one_size(open_report, folder):
    page = open_report(folder)
    sizes = page.locator(".xtick text, .ytick text").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).fontSize)"
    )
    assert set(sizes) == {"12px"}


def test_printing_opens_what_is_folded(open_report, tmp_path):
    directions = ("maximize", "minimize")
    page = open_report(write(tmp_path / "both", 30, directions=directions, metric="val_accuracy,mflops"))
    assert page.locator(".plot:not([data-drawn])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".plot:not([data-drawn])").count() == 0
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count()


def test_a_folded_panel_is_drawn_when_it_opens(open_report, tmp_path):
    directions = ("maximize", "minimize")
    page = open_report(write(tmp_path / "both", 30, directions=directions, metric="val_accuracy,mflops"))
    page.locator("#slices summary").nth(1).click()
    page.locator("#slices details").nth(1).locator(".point").nth(20).wait_for()


def test_markup_of_a_stranger_is_shown_as_text(open_report, tmp_path):
    page = open_report(named(tmp_path / "bad", MARKUP))
    page.locator("#leaderboard tbody tr").first.click()
    assert page.locator("b, img, a[href^=javascript]").count() == 0
    assert page.locator(".plot a, .plot [style*='font-weight:bold']").count() == 0
    shown = page.locator("#slices .xtitle").all_text_contents()
    assert any("<b>x</b>" in words for words in shown)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    return write(tmp_path_factory.mktemp("multirun") / "many", 1000)


@pytest.mark.slow
def test_of_a_thousand_trials_the_first_are_laid_out_until_the_reader_asks_for_all(open_report, thousand):
    page = open_report(thousand)
    assert page.locator("#parallel path").count() > 500
    assert page.locator(".plot:not([data-drawn])").count() == 0
    assert column(page, 1) == [str(rank) for rank in range(1, 101)]
    page.get_by_role("button", name="Show all 1,000").click()
    assert len(column(page, 1)) == 1000
    assert not page.locator("#leaderboard .rest").is_visible()


def test_sorting_and_filtering_are_over_all_trials(open_report, thousand):
    page = open_report(thousand)
    page.locator("#leaderboard th button").nth(1).click()
    assert column(page, 2) == [str(trial) for trial in range(100)]
    page.locator("#leaderboard th button").nth(1).click()
    assert column(page, 2) == [str(trial) for trial in range(999, 899, -1)]
    page.fill("#leaderboard input", "diverged")
    assert page.locator("#leaderboard output").text_content() == "100 of 1,000 trials"
    assert column(page, 2) == [str(trial) for trial in range(999, 0, -10)]
    page.fill("#leaderboard input", "finished")
    assert column(page, 2)[:2] == ["995", "994"]
    page.get_by_role("button", name="Show all 600").click()
    assert len(column(page, 2)) == 600


@pytest.mark.slow
@pytest.mark.parametrize(
    "act",
    [
        lambda page: page.keyboard.press("Control+f"),
        lambda page: page.evaluate("dispatchEvent(new Event('blur'))"),
        lambda page: page.evaluate("dispatchEvent(new Event('beforeprint'))"),
    ],
    ids=["search by a key", "search by the menu", "print"],
)
def test_the_browsers_own_search_and_its_printer_see_all_trials(open_report, thousand, act):
    page = open_report(thousand)
    act(page)
    assert len(column(page, 1)) == 1000


def test_a_click_on_a_point_opens_its_trial_also_where_it_was_not_laid_out(open_report, thousand):
    page = open_report(thousand)
    assert page.locator("tr[data-trial='999']").is_hidden()
    page.evaluate("show(999)")
    assert page.locator("tr[data-trial='999']").is_visible()
    assert page.locator("tr[data-trial='999'] + tr.more").is_visible()


def test_without_scripts_every_trial_is_in_the_leaderboard(browser, thousand, tmp_path):
    (tmp_path / "report.html").write_text(report.html(seen.look(thousand)), encoding="utf-8")
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("#leaderboard tbody tr").last.is_visible()
    assert not page.locator("#leaderboard .rest").is_visible()
    page.context.close()


def test_what_the_reader_sees_is_drawn_first(open_report, folder):
    watch = """
        window.order = [];
        new MutationObserver((changes) => order.push(...changes.map(({ target }) => target.closest("section")?.id)))
            .observe(document, { subtree: true, attributes: true, attributeFilter: ["data-drawn"] });
    """
    drawn = open_report(folder, at="#curves", before=watch).evaluate("order")
    assert drawn[0] == "curves"
    assert {"history", "importance", "slices"} <= set(drawn)


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_overlap_nothing_and_leave_room_for_what_they_name(open_report, tmp_path, width):
    page = open_report(
        named(tmp_path / "long", "a_name_that_goes_on_and_on_for_ever"), viewport={"width": width, "height": 900}
    )
    titles = page.locator("#parallel .title").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().toJSON())"
    )
    picture = page.locator("#parallel svg").bounding_box()
    assert picture["x"] <= titles[0]["left"]
    assert titles[-1]["right"] <= picture["x"] + picture["width"]
    assert all(one["right"] < other["left"] for one, other in pairwise(titles))
    for chart in page.locator("#importance .plot, #slices .plot").all():
        plot = chart.locator(".plotclip rect").first
        assert all(int(plot.get_attribute(side)) > 80 for side in ("width", "height"))
        box = chart.bounding_box()
        for title in chart.locator(".xtitle, .ytitle").all():
            inside = title.bounding_box()
            assert box["y"] <= inside["y"]
            assert inside["y"] + inside["height"] <= box["y"] + box["height"]
