"""The fields of use, a module each: what is particular to its data, its towers and its figures.

The trainer calls these functions of a field and knows nothing else of it:

- check(config): raises ValueError where the config contradicts itself.
- load_task(config, workdir) -> pipeline.Task: what to learn from and what to be judged on.
- build_model(config, task) -> TwoTowers, and init_params(config, task, model) -> its params.
- views(key, batch, config) -> (x, y): a random view of a batch as the towers take it, the matched
  rows first.
- objective(x, y, temperature, num_matched, config) -> (total, terms) of embeddings.
- validate(model, params, task) -> {"name": value}; the best checkpoint is that with the highest
  figure of the name HEADLINE.
- evaluate(model, params, task) -> {"name": {"value", "low", "high"}} on the test items.
- embed_test(model, params, task) -> unit rows x and y [n, d] of the test items, and
  pictures(task) -> uint8 [n, height, width] or [n, height, width, 3] of them, for the report.
- search(model, params, task, words) -> similarities [n] of the test items to what a user types.
"""
