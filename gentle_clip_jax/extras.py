"""Install commands for the optional packages that some commands need."""


def install(extra: str) -> str:
    """The command that installs what an extra brings, for those with a wheel and with a clone.

    >>> install("images")
    'pip install "gentle-clip-jax[images]"'
    """
    return f'pip install "gentle-clip-jax[{extra}]"'
