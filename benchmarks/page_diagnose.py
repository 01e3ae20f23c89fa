"""Page of the diagnoses, and of alignment without pairs."""

import statistics

from published import LEFT, commits_of, groups, machine_of, read, spread, table

# Null cases: the column of the p-value, and the false claim of a p-value below 5 %.
ALARMS = {
    "disjoint": {
        "p_excess": "unmatched sets are further from each other than pairs are",
        "p_distribution": "unmatched sets of the two modalities differ in distribution at all",
        "p_shift_x": "matched images are unlike unmatched ones (MMD)",
        "p_shift_y": "matched captions are unlike unmatched ones (MMD)",
    },
    "random_pairs": {
        "p_pairs": "wrong pairs: held-out pairs are recognised",
    },
}
_CASE = "unmatched items | pairs | AUC | wrong | suspects | excess, p | shift x | shift y | verdict"


def page() -> str:
    content = read("diagnose")
    labels = content["labels"]
    cases = [row for row in content["rows"] if row["seed"] == 0]
    nulls = [row for row in content["rows"] if row["seed"]]
    seconds = [row["seconds"] for row in cases]
    return f"""# Diagnoses, and alignment without pairs

## Constructed failures

Images and captions of the training split of RSICD (features of EfficientNet-Lite0 and MiniLM). Some
are matched pairs; the unmatched items depend on the case.
[choose_a_method.md](../choose_a_method.md#the-figures) explains each figure. *AUC*: probability
that a held-out pair looks better matched than a mismatched one, with its 95 % interval. *Wrong*:
estimated share of wrong pairs. *Suspects*: number of listed suspects that are wrong by
construction. *Excess*: distance between the unmatched sets beyond that between held-out pairs, as a
share of the distance between opposite halves of a set, with its
p-value. *Shift*: AUC of matched against unmatched items.

{table(_CASE, [_case(row, labels) for row in cases])}
## False alarms

Random splits of RSICD into 100 pairs and two disjoint unmatched sets without any fault, and
as many with all pairs wrong. A test at the 5 % level raises a false alarm in one of twenty splits.

{table(["alarm", "splits"], _alarms(nulls))}
Measured by `{content["command"]}` on {machine_of(content)}, jax {content["jax"]}; figures first
stored at commit {commits_of(content)}. A diagnosis took {min(seconds):.0f} to {max(seconds):.0f} s.

{without_pairs()}"""


def _case(row: dict, labels: dict[str, str]) -> list[str]:
    return [
        labels[row["case"]],
        str(row["pairs"]),
        f"{row['auc']:.2f} ({row['low']:.2f} to {row['high']:.2f})",
        "-" if row["wrong"] is None else f"{row['wrong']:.0%}",
        f"{row['wrong_suspects']} of {row['suspects']}",
        f"{row['excess']:+.1%}, {row['p_excess']:.3f}",
        f"{row['shift_x']:.2f}",
        f"{row['shift_y']:.2f}",
        row["verdict"],
    ]


def _alarms(nulls: list[dict]) -> list[list[str]]:
    """Return how often each test rejects although there is nothing to find."""
    rows, of_case = [], groups(nulls, "case")
    for case, tests in ALARMS.items():
        here = of_case[(case,)]
        rows += [
            [label, f"{sum(one[name] < 0.05 for one in here)} of {len(here)}"]
            for name, label in tests.items()
        ]
    good, wrong = ([one["verdict"] for one in of_case[(case,)]] for case in ALARMS)
    shares = [one["wrong"] or 0 for one in of_case[(next(iter(ALARMS)),)]]
    rows.append(
        [
            "more than 10 % of the pairs said to be wrong",
            f"{sum(s > 0.1 for s in shares)} of {len(shares)}",
        ]
    )
    rows.append(["verdict other than likely", f"{sum(v != 'likely' for v in good)} of {len(good)}"])
    rows.append(["wrong pairs: verdict likely", f"{wrong.count('likely')} of {len(wrong)}"])
    return rows


def without_pairs() -> str:
    """Return the section on alignment without pairs."""
    content = read("zero_pairs")
    parts = []
    for (field,), rows in groups(content["rows"], "field").items():
        cells = []
        for (start,), several in groups(rows, "start").items():
            chosen = [max(range(len(r["scores"])), key=r["scores"].__getitem__) for r in several]
            best = [max(r["after"], key=lambda one: sum(filter(None, one))) for r in several]
            cells.append(
                [
                    start,
                    _three([[statistics.mean(c) for c in zip(*r["before"])] for r in several]),
                    _three([r["after"][i] for r, i in zip(several, chosen)]),
                    _three([r["drawn"][i] for r, i in zip(several, chosen)]),
                    _three(best),
                ]
            )
        heads = ["start", "before the rounds", "chosen", "chosen, smoothed gallery", "best"]
        parts.append(f"**{field.capitalize()}**\n\n{table(heads, cells)}")
    return f"""## Alignment without a single pair

Test items, seeds {", ".join(map(str, content["seeds"]))}, fitted to unmatched items only; zero-shot
/ image to text / text to image, per cent, mean ± sample standard deviation over the seeds. Each
start is tried three times (class names once). *Chosen*: the try whose plan joins the most similar
items after six rounds of transport; this criterion needs no pair. *Best*: the try with the highest
sum of figures, which nobody can know without pairs. The class names are those of ImageNet, on which
the image encoder was trained; several classes of the zero-shot sets of photographs are among them.

{chr(10).join(parts)}
Measured by `zero_pairs.py --features=...` (script at commit {LEFT}) on {machine_of(content)};
figures first stored at commits {commits_of(content)}.
"""


def _three(rows: list[list[float]]) -> str:
    return " / ".join(spread(column) for column in zip(*rows) if None not in column)
