"""Loss engine measured: time and memory of value and gradient against its products and its rivals.

    python benchmarks/losses.py [--quick] [--seconds 200] [--only REGEX] [--out docs/results]

Every row is a process of its own, and is kept in a cache (.cache/losses.jsonl), so the command can
be stopped and run again: it goes on with what is missing, and always writes losses.md, losses.json
and losses.svg from what there is.
"""

import argparse
import itertools
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
FORMS = {
    "ours": "ours",
    "dense": "ours, block_size=0",
    "jnp": "plain jnp",
    "optax": "optax ntxent",
    "torch": "PyTorch",
}
CASES = ("clip", "sigmoid", "nt_xent", "mmd", "sdd", "objective")
SIZES = (256, 1024, 4096, 16384, 65536)
TARGETS = {
    ("objective", 4096): 1.5,
    ("clip", 4096): 1.15,
    ("objective", 16384): 1.5,
    ("clip", 16384): 1.15,
}


def rows(quick: bool) -> list[dict]:
    """What to measure: the published grid, dense forms as far as 24 GiB and patience carry."""
    sizes = (256, 1024) if quick else SIZES
    grid = []
    for n, case, form in itertools.product(sizes, CASES, FORMS):
        if form == "optax" and (case != "nt_xent" or n > 256):  # n x n x d floats: 8.6 GB at 1024
            continue
        if form != "ours" and n > 4096:
            continue
        if n > 16384 and case not in ("clip", "objective"):
            continue
        grid.append({"case": case, "form": form, "n": n, "d": 256 if n > 16384 else 512})
    if not quick:
        shapes = ((1024, 256), (1024, 1024), (4096, 256), (4096, 1024), (16384, 256))
        others = itertools.product(shapes, ("clip", "objective"))
        grid += [{"case": case, "form": "ours", "n": n, "d": d} for (n, d), case in others]
        grid += [{"case": case, "form": "ours", "n": 4096, "d": 256} for case in CASES[2:5]]
    grid += [{"case": "sharded", "form": "ours", "n": 4096, "d": 256, "k": k} for k in (1, 2, 4, 8)]
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="n up to 1024")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no row after")
    parser.add_argument("--only", default="", help="rows whose JSON matches")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / ".cache" / "losses.jsonl")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        import losses_forms

        print(json.dumps(losses_forms.measure(args.row)))
        return
    args.cache.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in args.cache.open()] if args.cache.exists() else []
    known = [row["row"] for row in done]
    start = time.monotonic()
    for row in rows(args.quick):
        if row in known or not re.search(args.only, json.dumps(row)):
            continue
        if time.monotonic() - start > args.seconds:
            break
        print(json.dumps(row), flush=True)
        command = [sys.executable, __file__, "--row", json.dumps(row)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        result = json.loads(run.stdout) if run.returncode == 0 else {"failed": run.returncode}
        done.append({"row": row} | result)
        with args.cache.open("a") as cache:
            cache.write(json.dumps(done[-1]) + "\n")
    publish([one for one in done if "failed" not in one], args.out)


def publish(results: list[dict], out: pathlib.Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "losses.json").write_text(json.dumps(results, indent=1) + "\n")
    timed = [one for one in results if one["row"]["case"] != "sharded"]
    sharded = [one for one in results if one["row"]["case"] == "sharded"]
    lines = ["# The losses, measured", "", *_conditions(results), "", *_times(timed), ""]
    lines += [*_growth(timed), ""]
    if sharded:
        lines += _devices(sharded, out)
    (out / "losses.md").write_text("\n".join(lines).rstrip() + "\n")


def _conditions(results: list[dict]) -> list[str]:
    from gentle_clip_jax.runs.log import processor  # rows of PyTorch load no JAX

    versions = sorted({one["versions"] for one in results})
    return [
        "Value and gradient in both sets of rows, float32, unit rows; by benchmarks/losses.py.",
        "Times are the best of interleaved repetitions. *Products*: the time of the bare n x n x d",
        "matrix products that value and gradient cannot avoid, in the same process (CLIP: one",
        "forward, two backward; objective: x y^T and half of the symmetric x x^T and y y^T, four",
        "backward), and *ratio* the loss's time over theirs. The engine keeps the products of",
        "4,096 x 4,096 rows at most, and computes those of more again. Memory is the peak above",
        "the inputs, gradients included.",
        "*Objective*: CLIP of all rows as pairs, MMD and SDD; without views. NT-Xent has 2n rows.",
        "Rows are kept from run to run: products say how fast the machine was that day.",
        "",
        f"Machine: {processor()}. Versions: {'; '.join(versions)}.",
    ]


def _times(timed: list[dict]) -> list[str]:
    head = "| loss | n | d | form | ms | products, ms | ratio | target | peak memory, MiB |"
    lines = [head, "|---|--:|--:|---|--:|--:|--:|--:|--:|"]

    def order(one: dict) -> tuple:
        row = one["row"]
        return CASES.index(row["case"]), row["n"], row["d"], list(FORMS).index(row["form"])

    for one in sorted(timed, key=order):
        row, ratio = one["row"], one["ms"] / one["floor_ms"]
        goal = TARGETS.get((row["case"], row["n"])) if row["form"] == "ours" else None
        goal = f"{goal}" if goal and row["d"] == 512 else ""
        lines.append(
            f"| {row['case']} | {row['n']} | {row['d']} | {FORMS[row['form']]} | {one['ms']:.1f} "
            f"| {one['floor_ms']:.1f} | {ratio:.2f} | {goal} | {one['peak_mib']:.0f} |"
        )
    return lines


def _growth(timed: list[dict]) -> list[str]:
    sizes = SIZES[2:]
    lines = ["Growth, ns per pair of rows (those of the products, of the same day), d = 256:", ""]
    lines += ["| loss | " + " | ".join(map(str, sizes)) + " |", "|---|" + "--:|" * len(sizes)]
    for case in ("clip", "objective"):
        cells = []
        for n in sizes:
            row = {"case": case, "form": "ours", "n": n, "d": 256}
            found = [one for one in timed if one["row"] == row]
            cells += [
                f"{1e6 * one['ms'] / n**2:.1f} ({1e6 * one['floor_ms'] / n**2:.1f})"
                for one in found
            ] or [""]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return lines


def _devices(sharded: list[dict], out: pathlib.Path) -> list[str]:
    import matplotlib.pyplot as plt

    sharded = sorted(sharded, key=lambda one: one["row"]["k"])
    lines = [
        "Objective, n = 4096, d = 256, rows spread over k virtual CPU devices, in tiles; from the",
        "compiled program: temporary memory of a device, and bytes it sends in collectives.",
        "",
        "| devices | memory, MiB | all pairs would need, MiB | sent, MiB |",
        "|--:|--:|--:|--:|",
    ]
    for one in sharded:
        k, n = one["row"]["k"], one["row"]["n"]
        pairs = n * n * 4 / k / 2**20
        lines.append(f"| {k} | {one['memory_mib']:.1f} | {pairs:.0f} | {one['sent_mib']:.1f} |")
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for key, label in (("memory_mib", "temporary memory"), ("sent_mib", "sent in collectives")):
        axes.plot([o["row"]["k"] for o in sharded], [o[key] for o in sharded], "o-", label=label)
    axes.set(xscale="log", xlabel="devices", ylabel="MiB per device", ylim=(0, None))
    axes.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"], minor=False)
    axes.minorticks_off()
    axes.legend(frameon=False)
    figure.savefig(out / "losses.svg")
    return [*lines, "", "![Memory and traffic per device](losses.svg)"]


if __name__ == "__main__":
    main()
