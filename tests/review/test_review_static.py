"""The same as one file, whose answers come back."""

import base64
import hashlib
import json
import re

import pytest
from review_items import HOSTILE, session, write_pairs

pytest.importorskip("starlette")
from gentle_clip_jax.review import static_page
from gentle_clip_jax.review.show import Show


def page(tmp_path, **settings):
    review = session(write_pairs(tmp_path))
    count = static_page.write(Show(review), tmp_path / "review.html", **settings)
    review.close()
    text = (tmp_path / "review.html").read_text("utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return count, text, json.loads(data.group(1))


def test_the_page_is_whole_and_runs_its_own_script_alone(tmp_path):
    count, text, data = page(tmp_path, screens=12)
    assert count == len(data["screens"]) == 12
    assert [screen["drawn"] for screen in data["screens"]][4::5] == ["random"] * 2
    assert HOSTILE in data["screens"][0]["item"]["texts"][0]
    assert HOSTILE not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    for kind in ("script", "style"):
        content = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(content[-1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in text.replace("&#39;", "'")
        assert len(content) == 1


def test_its_answers_come_back(tmp_path):
    _, _, data = page(tmp_path)
    x_of = {number: choice["id"] for number, choice in data["choices"].items()}
    lines = []
    for number, screen in enumerate(data["screens"][:6], 1):
        shown = [x_of[str(x)] for x in screen["x"]]
        line = {"number": number, "y": screen["y"], "shown": shown, "drawn": screen["drawn"]}
        partner = screen["y"].replace("y", "x")
        found = partner in shown
        line |= {"kind": "match" if found else "none", "x": partner if found else None}
        lines.append(line)
    lines.append({"undo": 2, "time": "now"})
    saved = tmp_path / "saved.jsonl"
    saved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    review = session(tmp_path / "pairs.csv")
    assert static_page.take(review, saved) == 5
    assert static_page.take(review, saved) == 0
    assert len(review.answers()) == 5
    saved.write_text(json.dumps({"number": 1, "y": "else", "kind": "none"}) + "\n")
    with pytest.raises(ValueError, match="of other items"):
        static_page.take(review, saved)
    saved.write_text("[]\n")
    with pytest.raises(ValueError, match="line 1 is no answer"):
        static_page.take(review, saved)
    review.close()
