"""What is run in a thread of its own leaves nothing in memory, not even when it fails."""

from __future__ import annotations

import contextlib
import gc
import weakref

import anyio
import pytest

from daemons import until
from pprofwatch.collect.aside import run_aside

pytestmark = pytest.mark.anyio


class Body:
    """Stands for the megabytes that a function is given."""


async def fail(body: Body) -> None:
    def check() -> None:
        raise ValueError(f"damaged: {body}")

    with contextlib.suppress(ValueError):
        await run_aside("check", check)


async def test_what_a_function_that_failed_was_given_is_not_kept_until_garbage_is_collected() -> None:
    gc.disable()
    try:
        with anyio.fail_after(5):
            body = Body()
            gone = weakref.ref(body)
            await fail(body)
            del body
            await until(lambda: gone() is None)  # the thread ends by itself
    finally:
        gc.enable()
