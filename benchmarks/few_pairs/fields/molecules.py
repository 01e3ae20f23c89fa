"""Molecules and their descriptions: ChEBI-20, validation and test part, split by scaffold."""

import numpy as np
from few_pairs.encoded import TEXTS, texts
from few_pairs.protocol import Field


def load(data, cache):
    import pyarrow.parquet as parquet
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.Chem.Scaffolds import MurckoScaffold

    RDLogger.DisableLog("rdApp.*")
    rows = parquet.read_table(data / "chebi-20-part" / "molecules.parquet").to_pylist()
    of_text = {row["description"]: row for row in rows}
    found = [(row, Chem.MolFromSmiles(row["smiles"])) for row in of_text.values()]
    rows = [row for row, molecule in found if molecule is not None]
    molecules = [molecule for _, molecule in found if molecule is not None]
    made = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = np.stack([made.GetCountFingerprintAsNumPy(molecule) for molecule in molecules])
    scaffolds = [MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) for molecule in molecules]
    return Field(
        np.log1p(prints).astype(np.float32),
        texts(cache, "molecules", [row["description"] for row in rows]),
        np.array([row["cid"] for row in rows]),
        "molecules and their descriptions (ChEBI-20, validation and test part)",
        ("Morgan fingerprints, counts (RDKit)", TEXTS),
        "CC BY 4.0",
        groups=np.array([name or row["cid"] for name, row in zip(scaffolds, rows)]),
    )
