"""Every page that is a file, in a real browser."""

import numpy as np
import page_examples
import pytest
from page_check import check
from synthetic_run import write_run

from gentle_clip_jax.asking import ask
from gentle_clip_jax.comparing import Comparison
from gentle_clip_jax.diagnosing import Diagnosis
from gentle_clip_jax.pages.items import Card
from gentle_clip_jax.report import write_report
from gentle_clip_jax.searching.hits import Hits
from gentle_clip_jax.searching.search import Hit

pytestmark = pytest.mark.slow
LONG = "a-name-without-any-place-to-break-it-" * 4


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("pages")
    strange = page_examples.Items("x")
    strange.previews = lambda ids: {"<b>": Card("<b>", text=LONG)}
    Diagnosis(page_examples.diagnosis(), strange).save(tmp_path / "diagnosis")
    Comparison(page_examples.comparison()).save(tmp_path / "comparison")
    hits = [Hit(LONG, "", 0.5, "two boats " * 40), Hit("b", "", 0.25, "<b>waves</b>")]
    Hits(hits, f"boats {LONG}").save_html(tmp_path / "hits.html")
    (tmp_path / "matches.html").write_text(page_examples.page_of(page_examples.matches()))
    items = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    texts = np.array([f"<b>{LONG}"] * 40)
    np.savez(tmp_path / "x.npz", features=items, ids=np.arange(40).astype(str), texts=texts)
    ask(tmp_path / "x.npz").save(tmp_path / "ask")
    other = write_run(tmp_path / "other", quality=0.8)
    return [
        write_report(write_run(tmp_path / "run"), [other]),
        tmp_path / "diagnosis" / "diagnosis.html",
        tmp_path / "comparison/comparison.html",
        tmp_path / "hits.html",
        tmp_path / "matches.html",
        tmp_path / "ask" / "ask.html",
    ]


def test_pages_fit_their_window_and_say_what_to_do_next(pages, browser):
    for page in pages:
        check(browser, page.as_uri())
        end = browser.find_elements("css selector", "main > *")[-1]
        assert end.find_element("css selector", "h2").text == "What now"
        assert end.find_element("css selector", "pre").text.startswith("gentle-clip ")


def test_plots_stand_beside_the_text_where_there_is_room(pages, browser):
    size = {"height": 900, "deviceScaleFactor": 1, "mobile": False}
    for width, beside in ((1400, True), (400, False)):
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": width})
        browser.get(pages[1].as_uri())
        first = browser.find_element("css selector", ".part")
        text, plot = (first.find_element("css selector", one) for one in (".intro", "svg"))
        assert (plot.rect["x"] > text.rect["x"] + text.rect["width"]) == beside
        assert plot.rect["width"] > 300


def test_pages_are_printed_on_white_without_cutting_figures(pages, browser):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.get(pages[0].as_uri())
    look = "const of = getComputedStyle(document.querySelector(arguments[0])); return of"
    assert browser.execute_script(f"{look}.backgroundColor", "html") == "rgb(255, 255, 255)"
    assert browser.execute_script(f"{look}.breakInside", ".plot") == "avoid"
