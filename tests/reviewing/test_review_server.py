"""Who may ask the page what."""

import contextlib
import dataclasses
import io
import json
import socket
import threading
import time

import numpy as np
import pytest
from review_items import HOSTILE, NUMBER, answered, finder, session, sides, write_pairs

pytest.importorskip("starlette")
pytest.importorskip("httpx")
from PIL import Image
from starlette.testclient import TestClient

from gentle_clip_jax.reviewing.opening import open_review
from gentle_clip_jax.reviewing.pictures import Pictures, pictures_of
from gentle_clip_jax.reviewing.server import application
from gentle_clip_jax.reviewing.show import Show

TOKEN = "a-token-of-the-test"
HERE = "http://127.0.0.1:8000"


def save_picture(path, color=(10, 120, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), color).save(path)


@pytest.fixture
def review(tmp_path):
    for number in range(20):
        save_picture(tmp_path / "pictures" / f"x{number}.png")
    made = session(write_pairs(tmp_path / "pairs"))
    yield made
    made.close()


@pytest.fixture
def stranger(review, tmp_path):
    show = Show(review, {"x": Pictures(tmp_path / "pictures")}, finder(review))
    app = application(show, token=TOKEN)
    return TestClient(app, base_url=HERE, follow_redirects=False)


@pytest.fixture
def client(stranger):
    assert stranger.get(f"/?token={TOKEN}").status_code == 303
    return stranger


def test_the_token_opens_the_page_once_and_is_then_a_cookie(stranger):
    inside = ("/state", "/thumb/x/3", "/assets/review.js", "/search", "/map", "/find?words=text")
    for path in ("/", "/?token=wrong", "/?token=%ff", *inside):
        assert stranger.get(path).status_code == 403, path
    for path in ("/answer", f"/?token={TOKEN}"):
        assert stranger.post(path, json={}).status_code == 403
    assert stranger.get(f"/state?token={TOKEN}").status_code == 403
    entered = stranger.get(f"/?token={TOKEN}")
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    for path in ("/", "/progress", *inside):
        assert stranger.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::2]:8000"]
)
def test_foreign_hosts_are_refused(client, host):
    assert client.get("/state", headers={"host": host}).status_code == 403
    assert client.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_this_machine_has_several_names(stranger, host):
    assert stranger.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 303


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9", ""])
def test_foreign_origins_are_refused(client, review, origin):
    screen = {"screen": review.question().screen, "kind": "none"}
    headers = {"origin": origin}
    assert client.post("/answer", json=screen, headers=headers).status_code == 403
    assert client.get("/state", headers=headers).status_code == 403
    sent = {"sec-fetch-site": "cross-site"}
    assert client.post("/answer", json=screen, headers=sent).status_code == 403
    assert not review.answers()
    assert client.post("/answer", json=screen, headers={"origin": HERE}).status_code == 200


def test_only_post_changes_and_only_as_json(client, review):
    screen = {"screen": review.question().screen, "kind": "none"}
    assert client.get("/answer", params=screen).status_code == 405
    assert client.get("/undo").status_code == 405
    assert client.post("/answer", data=screen).status_code == 400
    text = {"content-type": "text/plain"}
    assert client.post("/answer", content=json.dumps(screen), headers=text).status_code == 400
    assert not review.answers()


def test_requests_are_limited(client, review):
    json_type = {"content-type": "application/json"}
    bodies = [b"[]", b"{", b"[" * 9000, b'{"screen": 1, "kind": "none"' + b" " * 17000 + b"}"]
    for body in bodies:
        assert client.post("/answer", content=body, headers=json_type).status_code == 400
    wrong = [{"screen": True, "kind": "none"}, {"screen": 1, "kind": "no"}, {"x": [1]}, {}]
    wrong += [{"screen": 1, "kind": "match", "x": "../../etc/passwd"}, {"screen": 1, "kind": []}]
    for body in wrong:
        found = client.post("/answer", json=body)
        assert (found.status_code, list(found.json())) == (409, ["error"])
    assert client.post("/undo", json={"number": 10**30}).status_code == 409
    assert not review.answers()


def test_answers_and_undo_go_through(client, review):
    question = client.get("/state").json()["question"]
    chosen = question["choices"][2]["number"]
    body = {"screen": question["screen"], "kind": "match", "x": chosen}
    state = client.post("/answer", json=body).json()
    assert state["counts"]["match"] == 1
    assert state["answers"][0]["rank"] == 3
    assert client.post("/answer", json=body).status_code == 409
    assert client.post("/undo", json={"number": True}).status_code == 409
    again = client.post("/undo", json={}).json()
    assert again["question"]["item"] == question["item"]
    assert not review.answers()


def test_figures_are_hidden_until_answered(client):
    shown = json.dumps(client.get("/state").json()["question"])
    assert "cosine" not in shown
    assert "chance" not in shown


def test_thumbnails_are_small_and_by_number(client):
    found = client.get("/thumb/x/3")
    assert found.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(found.content)).size == (256, 256)
    for path in (
        "x/70",
        "x/999",
        "x/-1",
        "y/3",
        "z/1",
        "x/x3.png",
        "x/..%2f..%2fpairs",
        "x/%2e",
        "x/" + "9" * 5000,
    ):
        assert client.get(f"/thumb/{path}").status_code == 404, path
    for path in ("../server.py", "%2e%2e/server.py", "..%2fserver.py", "/etc/passwd"):
        assert client.get(f"/assets/{path}").status_code == 404, path


def test_links_out_of_the_folder_are_refused(tmp_path):
    save_picture(tmp_path / "secret" / "outside.png")
    save_picture(tmp_path / "pictures" / "inside.png")
    (tmp_path / "pictures" / "x1.png").symlink_to(tmp_path / "secret" / "outside.png")
    (tmp_path / "pictures" / "x2.png").symlink_to(tmp_path / "pictures" / "inside.png")
    pictures = Pictures(tmp_path / "pictures")
    assert "x1" not in pictures
    assert pictures.thumbnail("x2")
    (tmp_path / "pictures" / "inside.png").unlink()
    (tmp_path / "pictures" / "inside.png").symlink_to(tmp_path / "secret" / "outside.png")
    with pytest.raises(KeyError):
        pictures.thumbnail("inside")
    (tmp_path / "pictures" / "more.zip").symlink_to(tmp_path / "secret" / "more.zip")
    with pytest.raises(ValueError, match="is a link that leaves"):
        Pictures(tmp_path / "pictures")


def test_encoded_pictures_are_shown_as_long_as_they_are_there(tmp_path):
    folder = tmp_path / "pictures"
    save_picture(folder / "x1.png")
    x, y = (
        dataclasses.replace(of, manifest={"arguments": {"data": str(folder)}}) for of in sides()
    )
    with open_review(None, x, y, tmp_path / "pairs.csv") as review:
        assert review.show.item("x", 1) == {"picture": "/thumb/x/1", "name": "x1"}
        assert review.show.picture("x", 1)
        assert "texts" in review.show.item("y", 1)
        assert review.show.items("x") == "pictures"
    folder.rename(tmp_path / "moved")
    assert pictures_of(x) is None
    save_picture(folder / "of another set.png")
    assert pictures_of(x) is None


def test_headers_forbid_what_is_not_needed(client):
    for path in ("/", "/state", "/search?words=text", "/map", "/thumb/x/3", "/none"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_data_never_becomes_html(client, review):
    for _ in range(6):
        answered(review)
    for path in ("/", "/progress"):
        assert "alert(" not in client.get(path).text
    for path in ("/map", "/search?words=text+3", "/search?like=y-3", f"/search?words={HOSTILE}"):
        page = client.get(path).text
        assert "&lt;script&gt;alert(" in page
        assert "<script" not in page
    assert HOSTILE in client.get("/state").json()["question"]["item"]["texts"][0]
    assert client.get("/state").headers["content-type"] == "application/json"


def test_items_without_texts_are_told_by_their_neighbours(tmp_path):
    from review_items import latent, sides

    from gentle_clip_jax.reviewing.journal import Journal
    from gentle_clip_jax.reviewing.session import Session

    x, y = sides(texts=False)
    review = Session(
        x, y, latent(), Journal(write_pairs(tmp_path), x.items, y.items), background=False
    )
    question = Show(review).state()["question"]
    near = question["item"]["near"]
    assert set(near) == {"y0 belongs to x0", "y1 belongs to x1"}
    assert np.all([choice["name"].startswith("x") for choice in question["choices"]])
    review.close()


def test_words_find_items_of_x_that_are_free(client, review):
    found = client.get("/find", params={"words": "X7 x12"}).json()["choices"]
    assert {choice["number"] for choice in found} == {7, 12, *range(70, NUMBER)}
    assert found[0]["picture"] == "/thumb/x/7"
    assert client.get("/find", params={"words": "x1"}).json()["choices"][0]["number"] != 1
    for words in ("", "  ", "a" * 301, "nothing-like-it"):
        answer = client.get("/find", params={"words": words})
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
    screen = review.question().screen
    assert not set(review.question().x) >= {choice["number"] for choice in found}
    left_out = next(n for n in range(2, NUMBER) if n not in review.question().x)
    body = {"screen": screen, "kind": "match", "x": left_out}
    told = client.post("/answer", json=body).json()["answers"][0]
    assert (told["kind"], told["rank"]) == ("match", None)


def test_a_search_shows_both_sides(client):
    page = client.get("/search", params={"words": "text 3"}).text
    assert "text 3 &lt;script" in page
    page = client.get("/search", params={"like": "x-3"}).text
    assert page.index("/thumb/x/3") < page.index("Nearest pictures") < page.index("Nearest texts")
    assert 'like=x-3"' not in page
    assert 'like=y-3"' in page
    for like in (
        "x-80",
        "z-1",
        "x-",
        "x--1",
        "x-1.5",
        "x-" + "9" * 40,
        "-",
        "x-\u00b2",
        "x-" + "9" * 5000,
    ):
        answer = client.get("/search", params={"like": like})
        assert (answer.status_code, "There is no such item." in answer.text) == (400, True), like
    too_long = client.get("/search", params={"words": "a" * 301})
    assert (too_long.status_code, "300 characters at most" in too_long.text) == (400, True)


def test_the_map_shows_all_items_and_pairs(client):
    page = client.get("/map").text
    circles, pictures = page.count("<circle"), page.count("<image")
    assert circles == 2 * NUMBER
    assert 3 < pictures <= 20
    assert page.count("<path") == 2


def test_the_mode_is_switched(client, review):
    state = client.post("/mode", json={"mode": "ten"}).json()
    assert state["mode"] == "ten"
    assert state["question"]["ten"]
    assert len(state["question"]["choices"]) == 10
    assert "different" in state["ask"]
    body = {"screen": state["question"]["screen"], "kind": "near"}
    chosen = state["question"]["choices"][4]["number"]
    state = client.post("/answer", json=body | {"x": chosen}).json()
    assert state["counts"]["near"] == 1
    assert state["answers"][0]["kind"] == "near"
    assert client.post("/mode", json={"mode": True}).status_code == 409
    assert not client.post("/mode", json={"mode": "grid"}).json()["question"]["ten"]
    assert review.pairs()[0].tolist() == [0, 1]


def test_half_open_connections_end(review, monkeypatch):
    """More than the server takes at once, none of which sends all of its headers."""
    from gentle_clip_jax.reviewing import server, timed

    monkeypatch.setattr(timed, "SECONDS", 1)
    address, sockets, over = [], [], threading.Event()

    def wait(thread):
        over.wait(100)
        raise SystemExit

    def run():
        with pytest.raises(SystemExit):
            server.serve(Show(review), None, 0, lambda said: address.append(said.split()[1]))

    def connect():
        for _ in range(600):  # the server may only begin to listen
            with contextlib.suppress(ConnectionRefusedError, IndexError):
                port = int(address[0].split(":")[2].split("/")[0])
                sockets.append(socket.create_connection(("127.0.0.1", port), timeout=30))
                return sockets[-1]
            time.sleep(0.1)
        raise AssertionError("the server does not listen")

    monkeypatch.setattr(server, "_wait", wait)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        for number in range(300):
            connect().sendall(b"GET / HTTP/1.1\r\nHost: 127" if number % 2 else b"")
        for one in sockets:
            assert one.recv(4096) == b""  # closed by the server
        whole = connect()
        whole.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert whole.recv(64).startswith(b"HTTP/1.1 403")
    finally:
        over.set()
        thread.join()
        for one in sockets:
            one.close()


def test_a_connection_waits_for_its_latest_request_alone():
    from gentle_clip_jax.reviewing.timed import SECONDS, Timed

    calls, cancelled = [], []

    class Loop:
        def call_later(self, *call):
            calls.append(call)
            return self

        def cancel(self):
            cancelled.append(len(calls))

    connection = Timed.__new__(Timed)
    connection.loop = Loop()
    connection._wait()
    connection._wait()
    assert [seconds for seconds, _ in calls] == [SECONDS] * 2
    assert cancelled == [1]
