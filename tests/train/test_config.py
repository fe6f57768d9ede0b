"""Settings of training that do not fit together are refused, and say what to change."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bessemer.errors import UsageError
from bessemer.train.config import OptimizerConfig, TrainConfig, check_shares


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "ghost", "world"),
    [(64, 1, 32, 2), (64, 2, 32, 1), (64, 2, 16, 2), (20, 1, 32, 1), (8, 1, 32, 1), (6, 1, 1, 3)],
)
def test_shares_of_whole_groups_are_accepted(batch_size: int, accumulate: int, ghost: int, world: int) -> None:
    check_shares(batch_size, accumulate, ghost, world)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "ghost", "world", "remedy"),
    [
        (64, 1, 32, 3, "a multiple of 96"),  # no equal shares
        (64, 1, 64, 2, "a multiple of 128"),  # half a group each
        (64, 4, 32, 1, "a multiple of 128"),
        (96, 2, 32, 2, "a multiple of 128"),  # 24 each
        (32, 1, 32, 64, "a multiple of 2048"),  # fewer samples than processes
    ],
)
def test_shares_with_broken_groups_are_refused(
    batch_size: int, accumulate: int, ghost: int, world: int, remedy: str
) -> None:
    with pytest.raises(UsageError, match=f"a batch of {batch_size} does not give {world} process") as caught:
        check_shares(batch_size, accumulate, ghost, world)
    assert remedy in caught.value.remedy
    check_shares(int(remedy.split()[-1]), accumulate, ghost, world)


def test_the_group_of_keys_is_named() -> None:
    with pytest.raises(UsageError, match=r"^compress\.train: a batch of 32") as caught:
        check_shares(32, 1, 32, 2, "compress.train")
    assert "compress.train.batch_size" in caught.value.remedy


def test_micro_batches_need_whole_groups() -> None:
    with pytest.raises(ValidationError, match="must be a multiple of accumulate"):
        TrainConfig(batch_size=64, accumulate=4, ghost_batch=32)
    TrainConfig(batch_size=128, accumulate=4, ghost_batch=32)


def test_betas_are_decays() -> None:
    with pytest.raises(ValidationError, match="betas are decays"):
        OptimizerConfig(betas=[1.5, 0.9])
