"""The page in a real browser, by keyboard alone: Debian's chromium, driven by selenium."""

import threading
import time

import pytest
from page_check import check
from review_items import HOSTILE, answered, finder, session, write_pairs

pytest.importorskip("selenium")
pytest.importorskip("uvicorn")
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.progress import Point
from gentle_clip_jax.reviewing.server import application
from gentle_clip_jax.reviewing.show import Show

pytestmark = pytest.mark.slow


@pytest.fixture
def review(tmp_path):
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for number in range(80):
        Image.new("RGB", (64, 64), (3 * number, 90, 120)).save(
            tmp_path / "pictures" / f"x{number}.png"
        )
    made = session(write_pairs(tmp_path / "pairs"))
    yield made
    made.close()


@pytest.fixture
def address(review, tmp_path):
    class Curve:
        def points(self):
            return [Point(12, 0.2, 0.1, 0.35), Point(36, 0.42, 0.3, 0.55)]

    show = Show(review, {"x": Pictures(tmp_path / "pictures")}, finder(review))
    app = application(show, Curve(), token="token")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def press(browser, *keys):
    for key in keys:
        webdriver.ActionChains(browser).send_keys(key).perform()


def text(browser, name):
    return browser.find_element("id", name).text


def test_the_keyboard_alone_suffices(browser, address, review):
    browser.get(f"{address}/?token=token")
    wait(lambda: "0 confirmed" in text(browser, "counts"))
    assert browser.current_url == f"{address}/"
    assert len(browser.find_elements("css selector", "#grid button img")) == 48
    assert HOSTILE in text(browser, "item")
    question = review.question()
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    names = browser.find_elements("css selector", "#grid .name")
    assert [name.text for name in names if name.is_displayed()] == [f"x{question.x[1]}"]
    press(browser, Keys.ENTER)
    wait(lambda: "1 confirmed" in text(browser, "counts"))
    assert review.answers()[0].x == f"x{question.x[1]}"
    press(browser, "0")
    wait(lambda: "1 none" in text(browser, "counts"))
    press(browser, "u")
    wait(lambda: "1 unsure" in text(browser, "counts"))
    assert len(browser.find_elements("css selector", "#answers li")) == 3
    press(browser, Keys.BACKSPACE)
    wait(lambda: "0 unsure" in text(browser, "counts"))
    assert [answer.kind for answer in review.answers()] == ["none", "match"]
    press(browser, "h")
    assert browser.find_element("id", "keys").is_displayed()
    press(browser, "0", Keys.ESCAPE)
    assert not browser.find_element("id", "keys").is_displayed()
    assert len(review.answers()) == 2
    wrong = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert not wrong


def test_an_answer_of_the_list_is_changed_and_the_end_is_told(browser, address, review):
    for _ in range(77):
        review.answer(review.question().screen, "unsure")
    browser.get(f"{address}/?token=token")
    wait(lambda: "77 unsure" in text(browser, "counts"))
    change = browser.find_elements("css selector", "#answers button")[4]
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", change)
    change.click()
    wait(lambda: "76 unsure" in text(browser, "counts"))
    press(browser, "u")
    wait(lambda: "77 unsure" in text(browser, "counts"))
    press(browser, "u")
    wait(lambda: "answered every screen" in text(browser, "message"))
    browser.get(f"{address}/progress")
    assert "78" in browser.find_element("css selector", ".figures").text


def test_the_closest_of_ten_by_the_keyboard(browser, address, review):
    browser.get(f"{address}/?token=token")
    wait(lambda: "0 confirmed" in text(browser, "counts"))
    press(browser, "t")
    wait(lambda: len(browser.find_elements("css selector", "#grid.ten button")) == 10)
    assert "different" in text(browser, "ask")
    question = review.question()
    press(browser, Keys.ARROW_DOWN, Keys.ENTER)
    wait(lambda: "1 closest" in text(browser, "counts"))
    given = review.answers()[0]
    assert (given.kind, given.x) == ("near", f"x{question.x[5]}")
    assert "Closest of ten" in text(browser, "said")
    press(browser, "t")
    wait(lambda: len(browser.find_elements("css selector", "#grid button")) == 48)


def test_words_of_ones_own_find_the_partner(browser, address, review):
    browser.get(f"{address}/?token=token")
    wait(lambda: "0 confirmed" in text(browser, "counts"))
    outside = next(n for n in range(20, 80) if n not in review.question().x)
    press(browser, "/", *f"x{outside}0u", Keys.ENTER)
    wait(lambda: "No text and no name" in text(browser, "error"))
    press(browser, Keys.BACKSPACE, Keys.BACKSPACE, Keys.ENTER)
    wait(lambda: len(browser.find_elements("css selector", "#grid button")) == 1)
    press(browser, Keys.ESCAPE)
    wait(lambda: len(browser.find_elements("css selector", "#grid button")) == 48)
    assert not review.answers()
    press(browser, "/", *f"x{outside}", Keys.ENTER)
    wait(lambda: len(browser.find_elements("css selector", "#grid button")) == 1)
    press(browser, Keys.ARROW_DOWN, Keys.ENTER)
    wait(lambda: "1 confirmed" in text(browser, "counts"))
    assert review.answers()[0].x == f"x{outside}"
    assert "By words" in text(browser, "said")


def test_search_and_map_lead_to_each_other(browser, address):
    browser.get(f"{address}/?token=token")
    browser.get(f"{address}/search")
    press(browser, *"x7", Keys.ENTER)
    wait(lambda: browser.find_elements("css selector", ".hits img"))
    assert browser.current_url == f"{address}/search?words=x7"
    browser.get(f"{address}/map")
    pictures = browser.find_elements("css selector", "svg.map image")
    assert pictures
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", pictures[-1])
    browser.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('click', { bubbles: true }))", pictures[-1]
    )
    wait(lambda: "/search?like=x-" in browser.current_url)
    wrong = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert not wrong


def test_every_page_looks_right_and_ends_in_what_to_do_next(browser, address, review):
    for _ in range(12):
        answered(review)
    browser.get(f"{address}/?token=token")
    for page in ("/", "/search?words=text", "/search?like=x-3", "/map", "/progress"):
        check(browser, address + page)
        end = browser.find_elements("css selector", ".now pre")[-1]
        assert end.get_attribute("textContent").startswith("gentle-clip match ")
        assert end.is_displayed() == (page != "/")  # there it waits until all is answered
