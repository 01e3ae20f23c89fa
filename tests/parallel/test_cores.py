"""The limit of one core for LAPACK."""

from threadpoolctl import threadpool_info, threadpool_limits

from gentle_clip_jax.parallel.cores import one_core_for_lapack


def threads() -> set[int]:
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


class Later:
    """As an array of JAX: computed after the function that made it has returned."""

    def __init__(self, seen: list[set[int]]):
        self.seen = seen

    def block_until_ready(self) -> "Later":
        self.seen.append(threads())
        return self


def test_lapack_has_one_core_until_the_result_is_computed():
    seen = []
    with threadpool_limits(limits=2, user_api="blas"):
        one_core_for_lapack(lambda: {"maps": Later(seen)})()
        assert seen == [{1}]
        assert threads() == {2}
