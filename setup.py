"""What pyproject.toml cannot say: the folder configs is the package gentle_clip_jax.configs."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gentle_clip_jax*"]), "gentle_clip_jax.configs"],
    package_dir={"gentle_clip_jax.configs": "configs"},
)
