"""Keys of published towers of which a part is trained."""

import re

import ml_collections


def check_trained(tower: ml_collections.ConfigDict, where: str) -> None:
    """Refuse a published tower without an encoder, or low-rank updates without a valid pattern.

    Raises:
      ValueError: names the key.
    """
    if not tower.encoder:
        raise ValueError(f"{where}.encoder is empty: name an encoder, or give its folder.")
    try:
        re.compile(tower.lora_kernels)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{where}.lora_kernels={tower.lora_kernels[:60]!r} is no regular expression ({error})."
        ) from error
