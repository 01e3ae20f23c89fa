"""The Python of docs/compare.md runs as it stands, and gives what the page says."""

import pathlib
import re

import numpy as np
import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "compare.md"


@pytest.mark.slow
def test_the_recipes_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = {
        "x": rng.normal(size=(12, 6)),
        "y": rng.normal(size=(12, 5, 4)),
        "unmatched_x": rng.normal(size=(30, 6)),
        "unmatched_y": rng.normal(size=(40, 5, 4)),
        "new_x": rng.normal(size=(7, 6)),
        "new_y": rng.normal(size=(9, 4)),
        "classifier": rng.normal(size=(8, 6)),
        "names": rng.normal(size=(8, 4)),
    }
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    fit, save, no_pairs = blocks
    exec(fit, names)
    fitted = names["similarity"]
    assert fitted.shape == (7, 9)
    exec(save, names)
    np.testing.assert_allclose(names["similarity"], fitted, atol=1e-6)
    assert names["again"].about["encoders"]["x"] == "efficientnet_lite0"
    exec(no_pairs, names)
    assert names["aligner"].embed_x(names["new_x"]).shape[0] == 7
