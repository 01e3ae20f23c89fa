"""`python -m gentle_clip_jax` is `gentle-clip`."""

import sys

from gentle_clip_jax.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
