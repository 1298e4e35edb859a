"""The page in a browser with the network off: opened from disk, on a desk and a phone, light and dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roadworthy.__main__ import main

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[test]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"there is no Chromium here: none of {', '.join(NAMES)} is on PATH")
    with sync_api.sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the rich records."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    assert main(["report", str(out), "--records", str(delivery), "--profile", "modelzoo-310p"]) == 0
    return out


@pytest.fixture
def opened(browser, report) -> Iterator[Any]:
    """Opens the page as a user does: from disk, offline; what the console says and what is fetched is kept."""
    contexts = []

    def show(size: str = "desktop", scheme: str = "light", *, script: bool = True, own: Path = report) -> Any:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script,
            has_touch=size == "phone", offline=True,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.said, page.fetched = [], []
        page.on("console", lambda message: page.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.said.append(f"error: {error}"))
        page.on("request", lambda request: page.fetched.append(request.url[:60]))
        page.goto(own.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()


def keep(page: Any, folder: Path, name: str) -> Path:
    """Take a picture of the whole page, also into the folder that ROADWORTHY_SCREENSHOTS names."""
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    if named := os.environ.get("ROADWORTHY_SCREENSHOTS"):
        Path(named).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, Path(named) / path.name)
    return path


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_reads_well_on_every_screen(opened, report, tmp_path, size, scheme):
    """No word on the console, nothing fetched, no sideways scrolling, nothing that axe finds wrong."""
    page = opened(size, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    picture = keep(page, tmp_path, f"{size}-{scheme}")

    assert [] == [(rule["id"], [node["target"] for node in rule["nodes"]][:3]) for rule in found]
    assert [] == page.said
    assert [report.as_uri()[:60]] == [url for url in page.fetched if not url.startswith("data:")]
    assert 0 == wide
    assert (scheme == "dark") == (sum(map(int, back[4:-1].split(","))) < 200)
    assert picture.stat().st_size > 50_000


def test_tables_are_readable_on_a_phone(opened):
    """Of classes, all columns are there at once; of others, which are scrolled, no row fills the screen."""
    page = opened("phone")
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    hidden = "boxes => boxes.map((box) => box.scrollWidth - box.clientWidth)"
    high = "rows => Math.max(...rows.map((row) => row.offsetHeight))"

    assert max(page.eval_on_selector_all("[id*='-iou-'] .scroll", hidden)) < 24  # of a last letter in a wide font
    assert [0] == page.eval_on_selector_all("#icnet-training .scroll", hidden)  # its last columns say what failed
    assert page.eval_on_selector_all(".table:not(.stacked) tbody tr", high) < 844 / 6


def column(page: Any, table: str, number: int) -> list[str]:
    """The texts of a column."""
    return page.eval_on_selector_all(
        f"#{table} tbody tr", f"rows => rows.map((row) => row.cells[{number}].textContent.trim())"
    )


def test_a_table_is_sorted_by_keyboard(opened):
    """Enter on a head sorts upwards by value, once more downwards, and says so to a screen reader."""
    page = opened()
    page.locator("#erfnet-ratios thead button").nth(6).focus()
    page.keyboard.press("Enter")
    upwards, told = (
        column(page, "erfnet-ratios", 6),
        page.locator("#erfnet-ratios th").nth(6).get_attribute("aria-sort"),
    )
    page.keyboard.press("Enter")
    downwards, then = (
        column(page, "erfnet-ratios", 6),
        page.locator("#erfnet-ratios th").nth(6).get_attribute("aria-sort"),
    )
    numbers = [float(text.strip("¹²³⁴⁵⁶⁷⁸⁹")) for text in upwards]

    assert sorted(numbers) == numbers
    assert len(set(numbers)) > 2
    assert upwards[::-1] == downwards
    assert ("ascending", "descending") == (told, then)


def test_the_skip_link_comes_first_and_focus_is_seen(opened):
    """The first Tab reaches the skip link, which leads to the verdicts; what has the focus has an outline."""
    page = opened()
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    place = page.evaluate("document.activeElement.id")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    assert "Skip to the verdicts" == first
    assert "verdicts-of-all" == place
    assert "solid" == outline


@pytest.mark.parametrize("clipboard", [True, False])
def test_a_table_is_copied_as_tsv(opened, clipboard):
    """Heads and rows with tabs, numbers with all digits; also where the browser has no clipboard to write to."""
    page = opened()
    page.evaluate(
        """clipboard => {
          const write = async (text) => { if (!clipboard) throw new Error("no"); window.copied = text; };
          Object.defineProperty(navigator, "clipboard", { value: { writeText: write } });
          document.addEventListener("copy", () => { window.copied = document.activeElement.value; });
        }""",
        clipboard,
    )
    page.locator("#erfnet-ratios .copy").click()
    page.wait_for_function("window.copied")
    lines = [line.split("\t") for line in page.evaluate("window.copied").split("\n")]

    assert ["chip", "best batch", "images/s"] == lines[0][:3]
    assert {9} == {len(line) for line in lines}
    assert len(str(float(lines[1][6]))) > len("1.26016")
    assert "Copied" == page.locator("#erfnet-ratios .copy").inner_text().split("\n")[0].split(" the")[0]


def test_a_word_of_a_record_is_copied_as_no_formula(opened, folder, chip, tmp_path):
    """A spreadsheet would compute it; numbers stay numbers, negative ones too."""
    names = ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)"]
    run = folder(*(replace(chip, weights=name, batch=i + 1) for i, name in enumerate(names)))
    main(["report", str(tmp_path / "own.html"), "--records", str(run)])
    page = opened(own=tmp_path / "own.html")
    page.evaluate(
        """() => Object.defineProperty(navigator, "clipboard",
            { value: { writeText: async (text) => { window.copied = text; } } })"""
    )
    page.locator("#erfnet-throughput-history .copy").click()
    page.wait_for_function("window.copied")
    lines = [line.split("\t") for line in page.evaluate("window.copied").split("\n")[1:]]

    assert sorted(f"'{name}" for name in names) == sorted(line[5] for line in lines)
    assert {"300.0"} == {line[3] for line in lines}


def test_verdicts_are_filtered(opened):
    """By outcome and by model, with how many are shown; nothing else remains."""
    page = opened()
    page.get_by_label("passed").uncheck()
    page.get_by_label("unjudged").uncheck()
    outcomes = {text[2:] for text in page.locator("#verdicts tbody tr:visible td:first-child").all_inner_texts()}
    page.get_by_label("passed").check()
    page.get_by_label("Model").select_option("hrnet")
    models = set(page.locator("#verdicts tbody tr:visible td:nth-child(2)").all_inner_texts())

    assert {"failed"} == outcomes
    assert {"hrnet"} == models
    assert "rows shown" in page.locator("#shown").inner_text()


def test_the_toggle_turns_light_into_dark(opened):
    """And back; the button says which it is."""
    page = opened()
    seen = []
    for _ in range(3):
        seen.append(
            (
                page.locator("#theme").get_attribute("aria-pressed"),
                page.evaluate("getComputedStyle(document.body).backgroundColor"),
            )
        )
        page.locator("#theme").click()

    assert seen[0] == seen[2]
    assert ["false", "true"] == [seen[0][0], seen[1][0]]
    assert seen[0][1] != seen[1][1]


def test_it_is_readable_without_scripts(opened):
    """Every verdict is there, and no button that would do nothing."""
    page = opened(script=False)
    rows = page.locator("#verdicts tbody tr")

    assert rows.count() == rows.locator("visible=true").count() > 20
    assert 0 == page.locator("#theme:visible, #filters:visible, thead button").count()


def test_it_prints(opened, tmp_path):
    """As a PDF of several pages, with everything unfolded and no controls."""
    page = opened(scheme="dark")
    page.emulate_media(media="print")
    path = tmp_path / "report.pdf"
    page.pdf(path=path, format="A4")
    unfolded = page.locator("#erfnet-throughput-history table").evaluate(
        "table => table.getBoundingClientRect().height"
    )
    if named := os.environ.get("ROADWORTHY_SCREENSHOTS"):
        shutil.copy(path, named)

    assert path.read_bytes().startswith(b"%PDF")
    assert path.read_bytes().count(b"/Type /Page\n") > 3
    assert 0 == page.locator(".control:visible").count()
    assert unfolded > 100
    assert "contents" == page.locator("#verdicts th button").first.evaluate("b => getComputedStyle(b).display")
