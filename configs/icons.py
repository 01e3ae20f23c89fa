"""Icon search from 10 % matched pairs: the quickstart."""


def get_config(base):
    """The defaults are the quickstart."""
    return base("icons")
