"""Install commands for the optional packages that some commands need."""


def install(extra: str) -> str:
    """Return the command that installs an extra, from a wheel or from a clone.

    >>> install("images")
    'pip install "gentle-clip-jax[images]"'
    """
    return f'pip install "gentle-clip-jax[{extra}]"'
