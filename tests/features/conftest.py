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
