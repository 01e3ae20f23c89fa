"""Data sets that TensorFlow Datasets prepared elsewhere, by name and by folder."""

import io
import pathlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.data import images, tfds_source
from gentle_clip_jax.data.texts import list_classes, list_texts

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (3, 4), "red").save(file, "PNG")
    return file.getvalue()


def catalogue_set(folder: pathlib.Path, version="1.1.0", file_format="array_record") -> Any:
    """A little coco_captions, with the columns that TensorFlow Datasets gives it."""

    class Builder(tfds.core.ShardBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="2014", version=version),)
        name = "coco_captions"
        code_path = None

        def _info(self):
            features: Any = {
                "captions": tfds.features.Sequence({"id": np.int64, "text": tfds.features.Text()}),
                "image": tfds.features.Image(shape=(None, None, 3)),
                "image/id": np.int64,
                "objects": tfds.features.Sequence(
                    {
                        "bbox": tfds.features.BBoxFeature(),
                        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                    }
                ),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _shard_iterators_per_split(self, dl_manager):
            def rows():
                for i in range(3):
                    box = tfds.features.BBox(0.0, 0.0, 1.0, 1.0)
                    yield (
                        i,
                        {
                            "captions": [{"id": j, "text": f"{i} {j}"} for j in range(2)],
                            "image": png(),
                            "image/id": i,
                            "objects": [{"bbox": box, "label": "dog"}] * i,
                        },
                    )

            return {"train": [rows]}

    builder = Builder(data_dir=folder)
    builder.download_and_prepare(file_format=file_format)
    return builder


def test_a_set_of_the_catalogue(tmp_path, monkeypatch):
    catalogue_set(tmp_path)
    source = tfds_source.open_source(tmp_path / "coco_captions" / "2014", "train")
    row = source[2]
    assert row["image"] == png()
    assert row["captions"]["text"] == ["2 0", "2 1"]
    assert row["objects"]["label"] == ["dog", "dog"]
    assert row["image/id"] == 2
    some = tfds_source.open_source(tmp_path / "coco_captions" / "2014", "train", ["image", "id"])
    assert some[2] == {"image": png()}  # there is no column id
    assert [image.id for image in images.list_images(tmp_path / "coco_captions" / "2014")] == [
        "train-0", "train-1", "train-2"
    ]  # fmt: skip
    assert len(list_texts(tmp_path / "coco_captions" / "2014")) == 6
    with pytest.raises(ValueError, match="has no labels for the prompt"):
        list_classes(tmp_path / "coco_captions" / "2014", "a {label}")

    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    assert len(tfds_source.open_source("coco_captions", "train")) == 3
    assert tfds_source.splits("coco_captions") == ["train"]


def test_rows_can_be_taken_by_grain(tmp_path):
    grain = pytest.importorskip("grain")
    catalogue_set(tmp_path)
    source = tfds_source.open_source(tmp_path / "coco_captions" / "2014", "train")
    taken = grain.MapDataset.source(source).seed(0).shuffle()
    assert {taken[i]["image/id"] for i in range(3)} == {0, 1, 2}


def test_of_several_versions_the_newest(tmp_path):
    for version in ("1.9.0", "1.10.0"):
        catalogue_set(tmp_path, version)
    folder = tfds_source._version_folder(tmp_path / "coco_captions" / "2014")
    assert folder is not None
    assert folder.name == "1.10.0"


def test_sets_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="There is no folder uc_merced, and no data set of that"):
        tfds_source.open_source("uc_merced", "train")
    with pytest.raises(ValueError, match=r"is not a prepared data set: neither .* dataset_info"):
        tfds_source.open_source(tmp_path, "train")
    catalogue_set(tmp_path)
    with pytest.raises(ValueError, match="has no split val, only train"):
        tfds_source.open_source("coco_captions", "val")
    info = tmp_path / "coco_captions" / "2014" / "1.1.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(ValueError, match="which has no random access: prepare it again"):
        tfds_source.open_source("coco_captions", "train")
