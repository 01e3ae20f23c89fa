"""Settings of the training of heads."""

from typing import NamedTuple


class Settings(NamedTuple):
    """Settings of training, besides data and objective.

    dim: of the embeddings, unless a warm start sets it.
    steps: at most; a multiple of evaluate_every, or it is rounded down to one.
    evaluate_every: steps from one evaluation on the validation pairs to the next.
    patience: evaluations without a better score after which training ends.
    wrong_answers: unmatched items of each modality that an evaluation adds to the held-out pairs;
      among a few pairs almost anything ranks first.
    matched, unmatched: rows of a batch, unmatched of each modality; fewer where there are fewer.
    learning_rate: the peak, of AdamW; warm_learning_rate: the same after a warm start.
    dropout: of the heads; view_dropout: of the features for a second view.
    """

    dim: int = 256
    steps: int = 500
    evaluate_every: int = 25
    patience: int = 8
    wrong_answers: int = 1000
    matched: int = 128
    unmatched: int = 256
    learning_rate: float = 1e-3
    warm_learning_rate: float = 1e-4
    weight_decay: float = 0.1
    dropout: float = 0.1
    view_dropout: float = 0.3
