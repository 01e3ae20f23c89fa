"""Pages in a real browser: wide and narrow, light and dark, with what to do next at their ends."""

import pytest
from synthetic_run import write_run
from test_comparison import results, write  # noqa: F401
from test_diagnosis import diagnosis  # noqa: F401

from gentle_clip_jax.report import show_comparison, show_diagnosis, write_report
from gentle_clip_jax.searching.search import Hit
from gentle_clip_jax.searching.shown import write_hits

pytestmark = pytest.mark.slow
LONG = "a-name-without-any-place-to-break-it-" * 4


@pytest.fixture
def pages(tmp_path, diagnosis, results):  # noqa: F811
    show_diagnosis(diagnosis, tmp_path / "diagnosis")
    write(tmp_path, results)
    show_comparison(tmp_path)
    hits = [Hit(LONG, "", 0.5, "two boats " * 40), Hit("b", "", 0.25, "<b>waves</b>")]
    write_hits(tmp_path / "hits.html", f"boats {LONG}", hits, None)
    return [
        write_report(write_run(tmp_path / "run")),
        tmp_path / "diagnosis" / "diagnosis.html",
        tmp_path / "comparison.html",
        tmp_path / "hits.html",
    ]


def test_pages_fit_their_window_log_nothing_and_say_what_to_do_next(pages, browser):
    for page in pages:
        papers = set()
        for width in (1400, 400):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark"):
                media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
                browser.get(f"file://{page}")
                wide = browser.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{page.name}: {wide} of {width} pixels, {scheme}"
                papers.add(
                    browser.execute_script("return getComputedStyle(document.body).backgroundColor")
                )
        assert len(papers) == 2, page.name
        assert browser.get_log("browser") == [], page.name
        end = browser.find_elements("css selector", "main > *")[-1]
        assert end.find_element("css selector", "h2").text == "What now"
        assert end.find_element("css selector", "pre").text.startswith("gentle-clip ")
