"""Renders the pages of docs/results from the JSON beside them.

    python benchmarks/pages.py [NAME ...]

Nothing is measured here. docs/results/README.md has its tables from readme_tables.py, mutants.md
its text from mutants.py. speed.md and closed.md stay as they are: their scripts left the tree.
"""

import argparse
import functools
from collections.abc import Callable

import few_pairs.page
import page_comparisons
import page_diagnose
import page_few_pairs
import page_minutes
import page_towers
from published import RESULTS

PAGES: dict[str, Callable[[], str]] = {
    "icons": page_towers.icons,
    "remote_sensing": functools.partial(
        page_towers.images,
        "remote_sensing",
        "Aerial images: towers trained on a tenth of the pairs",
    ),
    "remote_sensing_frozen": functools.partial(
        page_comparisons.frozen, "remote_sensing", "Aerial images: aligners on frozen features"
    ),
    "vision_language": functools.partial(
        page_towers.images, "vision_language", "Photographs: towers trained on a third of the pairs"
    ),
    "vision_language_frozen": functools.partial(
        page_comparisons.frozen, "vision_language", "Photographs: aligners on frozen features"
    ),
    "variants": page_comparisons.variants,
    "protein": page_towers.proteins,
    "protein_names": page_comparisons.protein_names,
    "few_pairs": page_few_pairs.page,
    "few_pairs_benchmark": few_pairs.page.page,
    "minutes": page_minutes.page,
    "diagnose": page_diagnose.page,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *PAGES], help="pages (default: all)")
    for name in parser.parse_args().names or PAGES:
        (RESULTS / f"{name}.md").write_text(PAGES[name]())


if __name__ == "__main__":
    main()
