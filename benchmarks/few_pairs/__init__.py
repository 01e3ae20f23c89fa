"""Benchmark of methods that align two modalities from few pairs and many unmatched items.

A field is a file of fields/, a method a file of methods/; run.py measures, page.py writes the page.
docs/results/few_pairs_benchmark.md has the protocol and says how to add either.
"""
