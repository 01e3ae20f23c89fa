"""The room of pages: all is escaped, each thing has one colour, and words can be read on it."""

import re

import pytest

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.pages import Step, colours, render, style, write
from gentle_clip_jax.pages.items import Card, items_page
from gentle_clip_jax.pages.plot import PAGE, plot

LIGHT, DARK = style().split("@media screen and (prefers-color-scheme: dark)", 1)
HOSTILE = "<script>alert('1')</script>\"&"


def tokens(text):
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text.partition("\n}")[0]))


SCHEMES = {"light": tokens(LIGHT), "dark": tokens(LIGHT) | tokens(DARK)}


def test_every_value_is_escaped():
    card = Card(HOSTILE, HOSTILE, HOSTILE, b"\xff\xd8\xff")
    page = items_page(HOSTILE, HOSTILE, [HOSTILE, HOSTILE], [card], [Step(HOSTILE, HOSTILE)])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9


def test_a_command_may_name_a_path_that_is_no_text():
    page = items_page("kind", "name", ["lead"], [], [Step("Do it.", "read '\udcff'")])
    assert "\\udcff" in page
    page.encode()


def test_a_missing_value_is_an_error():
    with pytest.raises(Exception, match="is undefined"):
        render("pages/templates/items.html", kind="k", name="n", verdict="v", lead=[], now=[])


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ValueError, match=r"page\.html cannot be written \("):
        write(tmp_path / "page.html", "text")


def test_each_method_has_its_own_look():
    assert {*colours.METHODS} == {*METHODS}
    for alone in (True, False):  # dashed and solid ones may share a look
        looks = [colours.look(name) for name, one in METHODS.items() if one.unmatched != alone]
        assert len({*looks}) == len(looks)
    drawn = colours.look("cca+drawn")
    assert drawn == colours.look("cca")._replace(hollow=True)
    assert drawn.sign != colours.look("cca").sign
    assert colours.look("another").hue == "grey"


def test_pictures_take_their_colours_from_the_stylesheet():
    for name in PAGE:
        assert name in SCHEMES["light"]
        assert colours.light(name) == SCHEMES["light"][name]
    svg = plot("a b", "<label>", lambda axes: axes.plot([1, 2], color=PAGE["teal"]))
    assert "var(--teal)" in svg
    assert "#0102" not in svg
    assert 'aria-label="&lt;label&gt;"' in svg
    assert {*re.findall(r'id="(a-b)-', svg)} == {"a-b"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_of_every_colour_can_be_read(scheme):
    """WCAG 2.1, 1.4.3: 4.5 to 1, on the page and on cards."""
    of = SCHEMES[scheme]
    words = {
        "ink",
        "muted",
        "good",
        *colours.SERIES,
        *(one.hue for one in colours.METHODS.values()),
    }
    for paper in ("paper", "card"):
        for name in words:
            assert contrast(of[name], of[paper]) >= 4.5, f"{name} on {paper}"


def contrast(one, other):
    def luminance(hue):
        parts = [int(hue[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
