"""Cells measured twice, RNA and chromatin: SNARE-seq, four cell lines."""

import numpy as np
from few_pairs.protocol import Field


def load(data, cache):
    import pyarrow.parquet as parquet

    folder = data / "snare-seq"
    cells = parquet.read_table(folder / "cells.parquet").to_pydict()
    features = np.load(folder / "features.npz")
    return Field(
        features["rna"].astype(np.float32),
        features["atac"].astype(np.float32),
        np.array(cells["barcode"]),
        "cells, RNA and chromatin (SNARE-seq)",
        ("principal components of RNA", "topics of ATAC"),
        "MIT (SCOT)",
        labels=np.array(cells["cell_type"]),
    )
