"""Protein sequences and names: UniProt, sequences that are unlike each other, no name twice."""

import numpy as np
from few_pairs.encoded import TEXTS, texts
from few_pairs.protocol import Field
from prediction_sets import counts, unlike


def load(data, cache):
    import pyarrow.parquet as parquet

    columns = ["accession", "sequence", "name"]
    rows = parquet.read_table(data / "uniprot-names" / "proteins.parquet", columns=columns)
    proteins = [*{row["name"]: row for row in reversed(rows.to_pylist())}.values()]
    file = cache / "protein_names.npy"  # comparing all sequences takes a while
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, unlike([row["sequence"] for row in proteins]))
    kept = [proteins[row] for row in np.load(file)]
    return Field(
        np.stack([counts(row["sequence"]) for row in kept]),
        texts(cache, "protein_names", [row["name"] for row in kept]),
        np.array([row["accession"] for row in kept]),
        "protein sequences and names (UniProt)",
        ("roots of the shares of 1, 2 and 3 amino acids, log length", TEXTS),
        "CC BY 4.0",
    )
