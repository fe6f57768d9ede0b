"""Settings of the memory that activations take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class MemoryConfig(Config):
    """How activations are kept from the forward to the backward pass, and how much memory a step may take."""

    checkpoint_every: int = Field(
        0, ge=0, description="compute one of so many blocks again in the backward pass: 1 is all, 0 none"
    )
    saved: Literal["exact", "int8", "offload"] = Field(
        "exact",
        description="int8 rounds what is kept; offload puts it on a disk, from a GPU into the host's memory",
    )
    folder: str | None = Field(
        None, description="of offload, on a disk; unset takes the system's temporary folder"
    )
    pool_channels: int = Field(
        0, ge=0, description="linear layers keep means over so many channels for their weights' gradient; 0 is off"
    )
    limit_gib: float | Literal["auto"] | None = Field(
        None, description="take more micro-batches until a step fits; auto is 80% of the memory; null is off"
    )

    @model_validator(mode="after")
    def _settings_fit(self) -> MemoryConfig:
        if self.pool_channels == 1:
            raise ValueError("pool_channels 1 pools nothing; set it to 0, or to 2 or more")
        if self.folder is not None and self.saved != "offload":
            raise ValueError(f"folder is for saved: offload, and saved is {self.saved}; remove folder")
        if isinstance(self.limit_gib, float) and self.limit_gib <= 0:
            raise ValueError(f"limit_gib must be above 0, got {self.limit_gib:g}; set it to auto or null")
        return self

    @property
    def changes_layers(self) -> bool:
        """Whether activations are kept in another way than PyTorch's own."""
        return self.checkpoint_every > 0 or self.saved != "exact" or self.pool_channels > 0
