"""Page of what a person does with few pairs: choosing them, matching, reviewing."""

import statistics

import page_expected
import page_lists
import page_matching
import page_origins
import page_sets
from published import LEFT, commits_of, groups, machine_of, means, read, spread, table

FIELDS = {"remote_sensing": "aerial images", "vision_language": "photographs"}
MODES = {
    "ten": "closest of ten",
    "group": "closest of ten, then ten similar ones",
    "grid": "partner among 48",
}
WAITS = {
    "answer_ms": "saving an answer and loading the next screen",
    "pictures_ms": "loading the 48 pictures of a screen one after the other",
    "pictures_again_ms": "loading the same 48 pictures again",
}
_GRID = (
    "pairs | wrong clicks | confirmed after 100 | confirmed after 250 | recall by align "
    "| after 100 | after 250 | gain | smallest gain | gain of the other items "
    "| screens with the partner, % | of random screens, %"
)
_EMOJI = (
    "draw | pairs | recall at ten of tested, % | gain on partners in no pair (99 %) | verdict "
    "| gain on held-out pairs | queries of 20"
)
_SETS = (
    "set | items of the half | recall at ten, % | after the last answer | ratio "
    "| gain of unmatched items | after the last answer"
)
VERDICTS = {"helped": "helps", "hurt": "hurts", "alike": "alike", "too early": "too early to tell"}
_TENS = "features | question | questions | figures | mean | clicked | confirmed"


def page() -> str:
    return f"""# Few pairs in practice

{asked_pairs()}
{page_matching.section()}{page_expected.section()}{page_lists.section()}{page_origins.section()}{page_sets.section()}
{queries()}{nested_folds()}
{reviews()}{emoji()}"""


def asked_pairs() -> str:
    """Return the section on pairs that `ask` chooses."""
    content = read("asking")
    methods = {"cca": "shrinkage CCA", "gentle_transport": "gentle transport"}
    rows = [
        [
            f"{FIELDS[field]}, {methods[method]}",
            f"{pairs:,}",
            means(row["random"] for row in here),
            means(row["chosen"] for row in here),
            _gain(here, "chosen"),
        ]
        for (field, method, pairs), here in groups(
            content["first"], "field", "method", "pairs"
        ).items()
    ]
    ways = {
        "random": "at random",
        "chosen": "`ask --pairs`",
        "joint": "`ask --pairs` in the space of an aligner of the first 30",
    }
    again = [
        [FIELDS[field], str(pairs), label, means(r[way] for r in here), _gain(here, way)]
        for (field, pairs), here in groups(content["again"], "field", "pairs").items()
        for way, label in ways.items()
    ]
    heads = ["field, method", "pairs", "at random", "chosen by `ask`", "gain"]
    return f"""## Which pairs to ask a person for

Test items, seeds {", ".join(map(str, content["seeds"]))}; zero-shot / image to text / text to
image, per cent. The *gain* of images chosen by `gentle-clip ask` over equally many random ones is
in points of the mean of the three figures, with its standard deviation over the seeds.

{table(heads, rows)}
More pairs after 30 chosen by `ask`, shrinkage CCA; the gain is over random additional pairs:

{table(["field", "more pairs", "chosen", "figures", "gain"], again)}
Measured by `asking.py --features=...` (script at commit {LEFT}) on {machine_of(content)}; figures
first stored at commits {commits_of(content)}.
"""


def _gain(rows: list[dict], way: str) -> str:
    if way == "random":
        return ""
    return spread([statistics.mean(r[way]) - statistics.mean(r["random"]) for r in rows], sign="+")


def queries() -> str:
    """Return the section on query smoothing, if it was measured."""
    if not (content := read("query_smoothing")):
        return ""
    kinds, rows = ("words", "classes", "captions"), []
    for (field, pairs, method), here in groups(content["rows"], "field", "pairs", "method").items():
        line = [f"{field}, {method.replace('_', ' ')}", str(pairs)]
        for kind in kinds:
            if here[0].get(f"{kind}_plain") is None:
                line += ["", ""]
                continue
            name = "classes_list" if kind == "classes" else f"{kind}_smoothed"
            line += [
                spread([row[f"{kind}_plain"] for row in here]),
                spread([row[name] - row[f"{kind}_plain"] for row in here], sign="+"),
            ]
        rows.append(line)
    heads = ["field, method", "pairs"]
    for kind in kinds:
        heads += [kind, "gain"]
    return f"""## Query smoothing

{len(content["seeds"])} draws of pairs, test items, per cent; the *gain* is that of
[query smoothing](../choose_a_method.md#query-smoothing), in points, with its standard deviation.
*Words*: mean average precision of the 60 most frequent words of the captions but for stop words;
relevant is an image with the word in one of its captions. *Classes*: zero-shot accuracy, mean over
RSICD and UCM, smoothed as a list. *Captions*: mean of R@1, R@5 and R@10 of one whole caption of
each image. 2,000 items of the train split are fitted to, with five captions each; the gallery is
smoothed as each aligner says. The number of neighbours and the weights were chosen on validation
items.

{table(heads, rows)}
Measured by `{content["command"]}` at {content["commit"][:7]} on {machine_of(content)}; every run:
[query_smoothing.json](query_smoothing.json).

"""


def nested_folds() -> str:
    """Return the section on the optimism of choosing and judging a method by the same folds."""
    content = read("nested_folds")
    names = {"aerial": FIELDS["remote_sensing"], "photographs": FIELDS["vision_language"]}
    rows = [
        [
            names.get(field, "proteins and names"),
            str(pairs),
            spread(row["recall"] for row in here),
            spread(row["nested_recall"] for row in here),
            spread([row["recall"] - row["nested_recall"] for row in here], sign="+"),
            f"{statistics.mean(row['standard_error'] for row in here):.1f}",
        ]
        for (field, pairs), here in groups(content["rows"], "set", "pairs").items()
    ]
    heads = "field | pairs | same folds | nested folds | optimism | standard error"
    return f"""## Does choosing a method by the reported folds flatter its figure?

`align` reports the recall of the method that it chose by the same held-out pairs. *Same folds*:
that recall (mean of R@1, 5 and 10, per cent). *Nested folds*: each fold is judged by the method
that is chosen without its pairs, by candidates fitted anew. *Optimism*: the difference. *Standard
error*: of the recall of one draw, over its pairs, which the printed interval covers. Mean and
sample standard deviation over three draws of random pairs.

{table(heads, rows)}
The optimism is below the standard error in all rows but one: proteins with 300 pairs, where seven
candidates are nearly level. Nested folds take six times as long, so `align` does not nest them.

Measured by `{content["command"]}`, a script that stands at commit bb1d44c, with the package of
commit {content["commit"]}, on {machine_of(content)}.
"""


def reviews() -> str:
    """Return the section on what a review brings."""
    content = read("review")
    (speed,) = content["speed"]
    first, *later = speed["refit_seconds"]
    grids = [_grid(*one) for one in groups(content["grid"], "pairs", "wrong").items()]
    waits = []
    for name, label in WAITS.items():
        of_all = statistics.quantiles(speed[name], n=20, method="inclusive")
        at = [statistics.median(speed[name]), of_all[-1], max(speed[name])]
        waits.append([label, *(f"{value:.0f}" for value in at)])
    return f"""## What a review brings

Test items, seeds {", ".join(map(str, content["seeds"]))}, on {machine_of(content)}. A program
that knows the partners plays the annotator. Means ± sample standard deviation over the seeds.
Measured by `python benchmarks/review.py --features=... --images=...`; figures first stored at
commits {commits_of(content)}, before the
[order of the screens](closed.md#order-of-the-screens-of-a-review) changed.

**Partner among 48.** RSICD and UCM-Captions, 1,303 images and their captions. `align` fits to
random pairs; then the annotator clicks the right one of 48 images, "none of these" if it is not
shown, or a wrong image in a share of the screens. *Recall*: mean of R@1, 5 and 10 both ways, per
cent, of all items without a pair at the start. *Gain of the other items*: of those never confirmed.

{table(_GRID, grids)}
**Closest of ten.** RSICD: a review of the 8,734 images of the train split, starting from 12 pairs
chosen by `ask`. The annotator clicks one of ten images: of those with the class of the partner, the
one with the most similar captions. Zero-shot / image to text / text to image on test items, and
their mean, per cent.

{table(_TENS, _tens(content["ten"]), left=2)}
**Time.** For 1,500 images and 1,500 texts the preparation took {speed["prepare_seconds"]:.1f} s,
the first refit {first:.1f} s, later refits at most {max(later):.1f} s, with one thread for linear
algebra. Requests to the server, 1,093 images, with refits in the background, milliseconds:

{table(["", "median", "95 %", "most"], waits)}"""


def _grid(setting: tuple, rows: list[dict]) -> list[str]:
    count, wrong = setting
    gains = [row["after"] - row["before"] for row in rows]
    return [
        str(count),
        f"{100 * wrong:.0f} %",
        *(spread([row[f"confirmed_{n}"] for row in rows], 0) for n in (100, 250)),
        *(spread([row[name] for row in rows]) for name in ("before", "recall_100", "after")),
        spread(gains),
        f"{min(gains):.1f}",
        spread([row["after_unseen"] - row["before_unseen"] for row in rows]),
        *(spread([100 * row[f"held_{name}"] for row in rows], 0) for name in ("chance", "random")),
    ]


def _tens(rows: list[dict]) -> list[list[str]]:
    lines = []
    for (features, mode), here in groups(rows, "features", "mode").items():
        for points in zip(*(row["points"] for row in here)):
            figures = [one["figures"] for one in points]
            line = [features, MODES[mode], str(points[0]["questions"]), means(figures)]
            line.append(spread([statistics.mean(one) for one in figures]))
            line += [spread([one[kind] for one in points], 0) for kind in ("near", "match")]
            lines.append(line)
    return lines


def emoji() -> str:
    """Return the section on emoji and their names, if they were measured."""
    if not (content := read("emoji")):
        return ""
    every = [row for row in content["rows"] if row["half"] == "reporting"]
    rows = [row for row in every if row["set"] == "emoji"]
    curves = []
    for row in rows:
        for name in ("first", "last"):
            at, unseen = row[name], row[name]["unseen"]
            interval = "{:+.1f} ({:+.1f} to {:+.1f})".format(
                *(100 * unseen[key] for key in ("value", "low", "high"))
            )
            held = at["held_out"]
            curves.append(
                [
                    str(row["seed"]),
                    str(at["pairs"]),
                    f"{at['recall_10']:.1f}",
                    interval,
                    VERDICTS[unseen["verdict"]],
                    f"{100 * held['value']:+.1f} ({VERDICTS[held['verdict']]})",
                    str(at["queries"]["fitting"]),
                ]
            )
    first, last = ([row[name]["recall_10"] for row in rows] for name in ("first", "last"))
    helped = [
        sum(row[name]["unseen"]["verdict"] == "helped" for row in rows)
        for name in ("first", "last")
    ]
    found = [row["last"]["queries"]["fitting"] for row in rows]
    return f"""
## Emoji and their names

The aims were that recall at ten doubles, that unmatched items help in every draw, and that 15 of 20
queries are answered. The first two are not reached, the third is.

Settings were chosen on one half of the emoji; the figures below are of the other, measured once,
with the first as unmatched items and in every gallery. The simulated annotator looks up partners
that are not among the 48 shown; this, and which items count as unseen, was decided after trial runs
on both halves ([emoji_names.py](../../benchmarks/emoji_names.py)).

`{rows[0]["command"]}` at {rows[0]["commit"][:7]} on {machine_of(rows[0])}: {len(rows)} draws of the
reporting half, {rows[0]["items"]} emoji, {rows[0]["tested"]} of them tested. Mean recall at ten of
tested partners among all emoji: {spread(first)} with 60 pairs chosen by `ask`, {spread(last)} after
the last answer. Unmatched items help in {helped[0]} of {len(rows)} draws with the 60 pairs and in
{helped[1]} after the last answer, by the 99 % interval over all partners in no pair. Of 20 queries
{min(found)} to {max(found)} then have a fitting picture, in no pair, among the first five.

The last layer, plain names and 450 answers were chosen on two draws of the choosing half: there
recall rose from 12.4 to 21.4 and from 11.9 to 32.3, and 18 and 16 queries had a fitting
picture. Rich layers with mirrored views, and keywords beside the names, were tried on the same
draws with 360 random pairs: unmatched items gain up to two points more, but with keywords
recall rises 1.7 times instead of 2.0. No setting let them help by held-out pairs, whose
intervals are wider than the gains.

{table(_EMOJI, curves)}
{_claims(every)}What to do with few pairs: [review and match](../review_and_match.md).
"""


def _claims(rows: list[dict]) -> str:
    """Return the two claims on the sets that were tried in place of emoji."""
    lines = []
    for (name,), here in groups(rows, "set").items():
        first, last = ([row[of]["recall_10"] for row in here] for of in ("first", "last"))
        line = [name, str(here[0]["items"]), spread(first), spread(last)]
        line.append(f"{statistics.mean(last) / statistics.mean(first):.1f}")
        for of in ("first", "last"):
            gains = [100 * row[of]["unseen"]["value"] for row in here]
            helped = sum(row[of]["unseen"]["verdict"] == "helped" for row in here)
            line.append(f"{spread(gains)} ({helped} of {len(here)})")
        lines.append(line)
    others = next((row for row in rows if row["set"] != "emoji"), None)
    if others is None:
        return ""
    return f"""**Other sets.** The two aims that emoji miss were measured on 1,500 images and their
captions too, by the same script with the same settings ({others["commit"][:7]},
{machine_of(others)}); nothing was chosen there. Means ± sample standard deviation with 60 pairs and
after 450 answers. Gains are in points, on partners in no pair; in brackets the draws in which
unmatched items help by the 99 % interval. The quickstart stays with emoji: no package that it could
install has captioned images.

{table(_SETS, lines)}
"""
