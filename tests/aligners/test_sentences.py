"""What a person reads of a fitted aligner."""

from gentle_clip_jax.aligners.sentences import of_unmatched, sentences


def test_the_words():
    unmatched = {"value": 0.05, "low": -0.1, "high": 0.2, "against": "cca"}
    metadata = {
        "method": "gentle_transport",
        "fitted_on": {"pairs": 12},
        "modalities": ["photo", "word"],
        "to_match": {"among": [5000, 3000], "first": None},
        "expected": {
            "recall": {
                "value": 0.18,
                "low": 0.07,
                "high": 0.31,
                "at": {"1": 0.1, "5": 0.2, "10": 0.312},
            },
            "among": 1003,
            "splits": 20,
            "chance": 0.005,
            "unmatched": {**unmatched, "verdict": "too early", "pairs_needed": 110},
        },
    }
    assert sentences(metadata) == [
        "Of items that it has not seen, 31 % have their partner among the first ten of 1,003 (by "
        "chance 1.0 %), 10 % first (by chance 0.1 %).",
        "match chooses among more, 5,000 items of photo and 3,000 of word: expect fewer partners "
        "to be first there.",
        "Method gentle_transport, 12 pairs; recall (mean of R@1, 5 and 10, both ways) 18 %, "
        "between 7.0 and 31 % (95 %, 20 splits); by chance 0.5 %.",
        "Whether unmatched items help is not clear yet: +5 points against cca, the best pairs-only "
        "method, between -10 and +20 (99 %); about 110 pairs would decide it.",
    ]
    fallen = sentences(metadata | {"held_out": {"chosen": "cca"}})[2]
    assert "gentle_transport (held-out pairs turned its plan down: cca), 12 pairs" in fallen
    metadata["to_match"] = {"among": [5000, 3000], "first": 0.04}
    assert sentences(metadata)[1] == (
        "Among all that match chooses from, 5,000 items of photo and 3,000 of word, 4.0 % have "
        "their partner first."
    )
    metadata["to_match"] = {"among": [900, 1003], "first": None}
    assert len(sentences(metadata)) == 3  # no more than were held out
    tiny = {**unmatched, "verdict": "too early", "pairs_needed": None}
    assert of_unmatched(tiny).plain == (
        "Whether unmatched items help is not clear yet; with so small a difference it takes more "
        "than 5,000 pairs to tell."
    )


def test_an_aligner_no_better_than_chance_begins_with_a_warning():
    recall = {"value": 0.01, "low": 0.0, "high": 0.02, "at": {"1": 0.0, "10": 0.02}}
    expected = {"recall": recall, "among": 900, "splits": 10, "chance": 0.01, "unmatched": None}
    metadata = {"method": "cca", "fitted_on": {"pairs": 200}, "expected": expected}
    assert len(sentences(metadata)) == 3
    for told, words in (("no", "Stop: this cannot work"), ("not yet", "Nothing is found yet")):
        first, *rest = sentences(metadata | {"expected": expected | {"above_chance": told}})
        assert first.startswith(words)
        assert "(200 pairs)" in first
        assert rest == sentences(metadata)
    assert sentences(metadata | {"expected": expected | {"above_chance": "yes"}}) == sentences(
        metadata
    )
