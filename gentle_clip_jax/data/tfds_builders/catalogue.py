"""Catalogue of the data sets that `gentle-clip data prepare` can build."""

import difflib
import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from gentle_clip_jax.data.tfds_builders.build import Contents
from gentle_clip_jax.data.tfds_builders.image_sets import read_described
from gentle_clip_jax.data.tfds_builders.protein_sets import read_table


class DataSet(NamedTuple):
    """A data set: its field, title, citation, and the reader of its folder.

    trained: whether `gentle-clip train` can use the prepared data set.
    """

    field: str
    title: str
    cite: str
    read: Callable[[pathlib.Path], Contents] = read_described
    trained: bool = True


DATA_SETS = {
    "rsicd": DataSet("remote sensing", "aerial scenes, 5 captions each, labels", "Lu 2018"),
    "ucm-captions": DataSet(
        "remote sensing", "aerial images, 5 captions each, 21 classes", "Yang 2010, Qu 2016"
    ),
    "rsscn7": DataSet("remote sensing", "scenes at four scales, 7 classes", "Zou 2015"),
    "eurosat-rgb-test": DataSet("remote sensing", "Sentinel-2, 10 classes", "Helber 2019"),
    "flickr8k": DataSet("vision-language", "photographs, 5 captions each", "Hodosh 2013"),
    "caltech101-test-subset": DataSet("vision-language", "objects, 100 classes", "Fei-Fei 2004"),
    "cifar10-test-subset": DataSet("vision-language", "32 pixels, 10 classes", "Krizhevsky 2009"),
    "pdb-domains-3d": DataSet(
        "protein",
        "sequences with backbones, SCOPe and CATH labels, text",
        "wwPDB; Fox 2014, Sillitoe 2021",
        functools.partial(
            read_table, table="domains.parquet", id_column="id", split_column="split", backbone=True
        ),
    ),
    "scope-seq-ss": DataSet(
        "protein",
        "sequences with secondary structure, SCOPe names, splits of Hou 2018",
        "Fox 2014, AlQuraishi 2019, Hou 2018",
        functools.partial(
            read_table,
            table="domains.parquet",
            id_column="sid",
            split_column="hou_split",
            backbone=False,
        ),
    ),
    "enzyme-reaction-ec": DataSet(
        "protein",
        "sequences with secondary structure, 384 EC classes",
        "Hermosilla 2021",
        functools.partial(
            read_table,
            table="chains.parquet",
            id_column="chain",
            split_column="split",
            backbone=False,
        ),
    ),
    "uniprot-names": DataSet(
        "protein",
        "sequences with protein name and organism",
        "UniProt Consortium",
        functools.partial(
            read_table,
            table="proteins.parquet",
            id_column="accession",
            split_column=None,
            backbone=False,
        ),
        trained=False,
    ),
    "folder": DataSet("your own", "images, and a metadata.jsonl with captions or labels", "you"),
}


def find(name: str) -> DataSet:
    """Return the data set of that name.

    Raises:
      ValueError: there is no such data set; the message suggests a similar name.
    """
    if name not in DATA_SETS:
        near = difflib.get_close_matches(name, DATA_SETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"There is no data set {name}: {hint}See gentle-clip data list.")
    return DATA_SETS[name]
