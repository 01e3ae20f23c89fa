"""What every page must be in a real browser: wide and narrow, light and dark."""

import importlib.resources

import pytest

SIZES = ((1400, 900), (400, 800))
RULES = ["wcag2a", "wcag2aa"]
# On a busy machine a page may be asked before its stylesheets have come.
LOADED = """
const done = arguments[0];
if (document.readyState === "complete") done();
else addEventListener("load", () => done());
"""


def check(browser, address):
    """It fits, is dark where dark is wanted, logs no error, and axe-core finds nothing wrong."""
    pytest.importorskip("axe_core_python", reason="it is in the extra dev")
    axe = importlib.resources.files("axe_core_python") / "axe.min.js"
    papers = set()
    for width, height in SIZES:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for scheme in ("light", "dark"):
            where = f"{address}, {width} pixels, {scheme}"
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            browser.get(address)
            browser.execute_async_script(LOADED)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{where}: {wide} pixels wide; {browser.get_log('browser')}"
            papers.add(
                browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            )
            browser.execute_script(axe.read_text())
            wrong = browser.execute_async_script(
                "axe.run(document, { runOnly: arguments[0] }).then((found) => arguments[1]("
                "found.violations.flatMap((rule) => rule.nodes.map((node) =>"
                " `${rule.id}: ${node.html} ${node.failureSummary}`))))",
                RULES,
            )
            assert not wrong, f"{where}: " + "\n".join(wrong[:5])
    assert len(papers) == 2, address
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
