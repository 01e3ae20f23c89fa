"""Folders of structures and FASTA files, as odd as they come."""

import gzip
import pathlib

import numpy as np
import pytest

from gentle_clip_jax.tasks.proteins import data, domains, own, structures

pytest.importorskip("biotite")
WORDS = "ALA CYS ASP GLU PHE GLY HIS ILE LYS LEU MET ASN PRO GLN ARG SER THR VAL TRP TYR"
NAMES = dict(zip("ACDEFGHIKLMNPQRSTVWY", WORDS.split()))


def line(atom, residue, number, place, *, chain="A", code=" ", alternative=" ", occupancy=1.0):
    """A line of an atom in the PDB format."""
    x, y, z = place
    return (
        f"ATOM  {number:5d}  {atom:<3s}{alternative}{residue:3s} {chain}{number:4d}{code}   "
        f"{x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f}{0:6.2f}          {atom[0]:>2s}"
    )


def pdb(letters: str, *, chain: str = "A", shift: float = 0.0) -> list[str]:
    return [
        line(atom, NAMES[letter], k + 1, (3.8 * k + 1.4 * i + shift, i, 0), chain=chain)
        for k, letter in enumerate(letters)
        for i, atom in enumerate(("N", "CA", "C"))
    ]


def write(path: pathlib.Path, lines: list[str]) -> pathlib.Path:
    path.write_text("\n".join([*lines, "END", ""]))
    return path


def only(path: pathlib.Path) -> structures.Chain:
    (chain,) = structures.read_chains(path).values()
    return chain


def test_a_plain_chain(tmp_path):
    chain = only(write(tmp_path / "a.pdb", pdb("ACD")))
    assert chain.letters == "ACD"
    np.testing.assert_allclose(chain.backbone[1, 1], [5.2, 1, 0], atol=1e-5)


def test_missing_atoms_are_unknown(tmp_path):
    lines = [one for one in pdb("ACD") if not ("CYS" in one and " N " in one)]
    chain = only(write(tmp_path / "a.pdb", lines))
    assert chain.letters == "ACD"
    assert np.isnan(chain.backbone[1, 0]).all()
    assert np.isfinite(chain.backbone[1, 1:]).all()


def test_insertion_codes_tell_residues_apart(tmp_path):
    lines = [
        line("CA", residue, 52, (3.8 * k, 0, 0), code=code)
        for k, (residue, code) in enumerate([("ALA", " "), ("CYS", "A"), ("ASP", "B")])
    ]
    assert only(write(tmp_path / "a.pdb", lines)).letters == "ACD"


def test_the_first_model_counts(tmp_path):
    first, second = pdb("ACD"), pdb("ACD", shift=50)
    lines = ["MODEL        1", *first, "ENDMDL", "MODEL        2", *second, "ENDMDL"]
    chain = only(write(tmp_path / "a.pdb", lines))
    assert chain.letters == "ACD"
    assert np.nanmax(chain.backbone) < 20


def test_the_alternative_of_most_occupancy_counts(tmp_path):
    lines = [
        line("CA", "ALA", 1, (0, 0, 0), alternative="A", occupancy=0.3),
        line("CA", "ALA", 1, (9, 0, 0), alternative="B", occupancy=0.7),
        line("CA", "CYS", 2, (4, 0, 0)),
    ]
    chain = only(write(tmp_path / "a.pdb", lines))
    assert chain.letters == "AC"
    assert chain.backbone[0, 1, 0] == 9


def test_modified_and_unknown_residues_have_a_letter_and_water_is_none(tmp_path):
    lines = [
        line("CA", residue, k + 1, (3.8 * k, 0, 0))
        for k, residue in enumerate(["ALA", "MSE", "UNK"])
    ]
    lines.append(line("O", "HOH", 9, (0, 9, 0)))
    assert only(write(tmp_path / "a.pdb", lines)).letters == "AMX"


def test_several_chains_have_their_names_in_the_id(tmp_path):
    write(tmp_path / "one.pdb", pdb("ACD"))
    write(tmp_path / "two.ent", pdb("ACD") + pdb("EFG", chain="B", shift=30))
    (tmp_path / "notes.txt").write_text("no structure")
    found = structures.read_folder(tmp_path)
    assert {name: chain.letters for name, chain in found.items()} == {
        "one": "ACD",
        "two_A": "ACD",
        "two_B": "EFG",
    }


def test_mmcif_and_compressed_files_say_the_same(tmp_path):
    from biotite.structure.io import pdb as formats
    from biotite.structure.io import pdbx

    path = write(tmp_path / "a.pdb", pdb("ACDEF"))
    file = pdbx.CIFFile()
    pdbx.set_structure(file, formats.PDBFile.read(str(path)).get_structure(model=1))
    file.write(str(tmp_path / "b.cif"))
    (tmp_path / "c.pdb.gz").write_bytes(gzip.compress(path.read_bytes()))
    found = structures.read_folder(tmp_path)
    assert list(found) == ["a", "b", "c"]
    for chain in found.values():
        assert chain.letters == "ACDEF"
        np.testing.assert_allclose(chain.backbone, found["a"].backbone, atol=1e-3)


@pytest.mark.parametrize("content", ["", "not a structure", "data_x\nloop_\n_atom_site.id\n1 2 3"])
@pytest.mark.parametrize("name", ["bad.pdb", "bad.cif"])
def test_what_is_no_structure_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=name):
        structures.read_folder(tmp_path)


def test_an_empty_folder_and_none_are_named(tmp_path):
    with pytest.raises(ValueError, match="has no structures"):
        structures.read_folder(tmp_path)
    with pytest.raises(ValueError, match="There is no folder"):
        structures.read_folder(tmp_path / "nothing")


def test_a_structure_is_laid_on_its_whole_sequence():
    letters = "MKTAYIAKQRQISFVKSHFSRQ"
    backbone = np.arange(len(letters) * 9, dtype=np.float32).reshape(-1, 3, 3)
    seen = np.r_[3:9, 13:20]
    chain = structures.Chain("".join(letters[i] for i in seen), backbone[seen])
    laid = structures.aligned(letters, chain)
    known = np.flatnonzero(np.isfinite(laid[:, 1, 0]))
    # Where a gap begins is a matter of taste among equal letters; most residues are in place.
    assert len(known) == len(seen)
    assert np.isin(known, seen).mean() > 0.8


def test_some_ids_are_shared_and_others_are_not(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "structures"
    folder.mkdir()
    texts = {f"p{k}": "".join(rng.choice(list(NAMES), size=30)) for k in range(12)}
    for name in list(texts)[:10]:
        write(folder / f"{name}.pdb", pdb(texts[name]))
    write(folder / "alone.pdb", pdb("ACDEF"))
    texts["p0"] = texts["p0"].lower()
    texts |= {"odd": "XBZJ", "one": "M", "giant": "M" + "ACDEF" * 1000}
    (tmp_path / "all.fasta").write_text("".join(f">{n}\n{t}\n" for n, t in texts.items()))
    known = structures.read(tmp_path / "all.fasta", folder, seed=0)
    counts = {split: int(np.sum(known.split == split)) for split in set(known.split)}
    assert counts == {"train": 6, "valid": 2, "test": 2, "sequence": 5, "structure": 1}
    lengths = dict(zip(known.ids, known.lengths))
    assert (lengths["one"], lengths["giant"], lengths["alone"]) == (1, 5001, 5)
    odd = known.offsets[list(known.ids).index("odd")]
    assert (known.sequence[odd : odd + 4] == domains.UNKNOWN).all()
    dataset = data.load_data(
        known,
        seed=0,
        matched_fraction=0.5,
        unmatched="shuffled",
        window=32,
        crop=16,
        stride=16,
        most_neighbours=8,
        cutoff=12.0,
    )
    assert len(dataset.matched) == 3
    assert len(dataset.unmatched_x) > 300
    assert not np.isin(domains.PADDING, dataset.test.x)


def test_ids_that_match_nothing_are_shown(tmp_path):
    folder = tmp_path / "structures"
    folder.mkdir()
    write(folder / "mine.pdb", pdb("ACD"))
    (tmp_path / "all.fasta").write_text(">yours\nACD\n")
    with pytest.raises(ValueError, match=r"share 0 ids \(such as yours and mine\)"):
        structures.read(tmp_path / "all.fasta", folder, seed=0)


def test_a_file_says_which_belong_together(tmp_path):
    """With the same pairs under other names all is the same; and then no equal ids are needed."""
    rng = np.random.default_rng(0)
    texts = {f"p{k:02}": "".join(rng.choice(list(NAMES), size=30)) for k in range(12)}
    (tmp_path / "all.fasta").write_text("".join(f">{n}\n{t}\n" for n, t in texts.items()))
    for folder, prefix in (("same", ""), ("other", "s_")):
        (tmp_path / folder).mkdir()
        for name in list(texts)[:10]:
            write(tmp_path / folder / f"{prefix}{name}.pdb", pdb(texts[name]))
        write(tmp_path / folder / "alone.pdb", pdb("ACDEF"))
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("".join(f"{name},s_{name}\n" for name in list(texts)[9::-1]))
    by_ids = structures.read(tmp_path / "all.fasta", tmp_path / "same", seed=0)
    by_pairs = structures.read(tmp_path / "all.fasta", tmp_path / "other", str(pairs), seed=0)
    for name in ("ids", "offsets", "sequence", "structure", "split"):
        np.testing.assert_array_equal(getattr(by_ids, name), getattr(by_pairs, name))
    pairs.write_text("".join(f"{name},s_{name}\n" for name in list(texts)[:3]))
    with pytest.raises(ValueError, match=r"share 3 pairs \(such as p00, p01 and"):
        structures.read(tmp_path / "all.fasta", tmp_path / "other", str(pairs), seed=0)
    pairs.write_text("p00,s_p00\np00,s_p01\n")
    with pytest.raises(ValueError, match="already has a partner"):
        structures.read(tmp_path / "all.fasta", tmp_path / "other", str(pairs), seed=0)


def test_own_sequences_structures_and_states_are_taken_in_the_middle(tmp_path):
    write(tmp_path / "short.pdb", pdb("ACD"))
    write(tmp_path / "long.pdb", pdb("ACDEFGHI"))
    near = {"most": 2, "cutoff": 12.0}
    raw = own.read(tmp_path, "y", near, 4)
    assert [row["id"] for row in raw.rows] == ["long", "short"]
    assert len({raw.digest(chain) for chain in raw.inputs}) == 2
    items = raw.load(raw.inputs)
    np.testing.assert_array_equal(items["backbone"][0], raw.inputs[0].backbone[2:6])
    assert np.isnan(items["backbone"][1, 3]).all()
    assert items["neighbours"].shape == (2, 4, 2)
    (tmp_path / "s.fasta").write_text(">a\nACDEFGHI\n>b\nHG\n")
    raw = own.read(tmp_path / "s.fasta", "x", near, 4)
    letters = np.frombuffer(b"DEFGHG", np.uint8)
    padding = [domains.PADDING] * 2
    expected = [*domains.tokens(letters), *padding]
    assert raw.load(raw.inputs).ravel().tolist() == expected
    raw = own.read(tmp_path / "s.fasta", "y", None, 4)
    assert raw.load(raw.inputs)[1].tolist() == [
        *domains.tokens(letters[4:], domains.STATES),
        *padding,
    ]
