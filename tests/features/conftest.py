"""The packaged encoders are tiny ones in these tests."""

import pytest
import tiny_encoders


@pytest.fixture(autouse=True)
def weights(tmp_path_factory, monkeypatch):
    """The folder of their weights and tokenizer."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_encoders.install(folder, monkeypatch)
    return folder


@pytest.fixture
def pictures(tmp_path):
    return tiny_encoders.paint(tmp_path / "pictures")


@pytest.fixture
def texts(tmp_path):
    """Six, of which two are equal, and one is empty."""
    rows = ["id,text", "0,boat pier", "1,", "2,pier", "3,other boat pier boat", "4,pier", "5,boat"]
    (tmp_path / "texts.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "texts.csv"
