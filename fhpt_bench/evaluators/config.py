"""What an evaluator's config.toml holds: one table a configuration, as a baseline's does, and the hashes that ship."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fhpt_bench import train_config
from fhpt_bench.evaluators import folder


class Task(BaseModel):
    """Table ``task``: what is learnt, and on what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["classify", "retrieve"]
    """Label groups, each softmax'ed within; or an embedding in which photographs of one item are near."""
    positive: str = ""
    """``classify`` with two values of one group: the one whose probability is the single output."""
    trunk: Literal["vgg16", "resnet50", "none"]
    """The frozen network whose layers are read; ``none``: a small network of its own, trained from pixels."""


class Head(BaseModel):
    """One of ``network.heads``: what it tells, and from what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[str, ...] = Field(min_length=1)
    """Labels of a photograph that it learns (``Photo.labels``). ``retrieve`` has one: the item."""
    layers: tuple[int, ...] = ()
    """Which of the trunk's layers it reads, from 1, the finest; empty: all. Colours are plainest in the finest, and
    what a head does not see it cannot learn by heart."""
    width: int = Field(gt=0)
    """Channels that the layers are reduced to; of a network of its own, those of its first stage."""
    parts: int = Field(gt=0)
    """Attention maps: places of the body that are pooled apart."""


class Shape(BaseModel):
    """Table ``network``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heads: tuple[Head, ...] = Field(min_length=1)
    """Their groups, in this order, are the columns. ``retrieve`` and a network of its own have one."""
    embedding: int = Field(default=128, gt=0)
    """Length of the embedding (``retrieve``)."""


class Recipe(BaseModel):
    """Table ``training``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(ge=0)
    """Augmented copies of each photograph beside itself."""
    store: bool = True
    """Keep what the trunk gives for every photograph and copy on disk: right for small data sets and slow machines."""
    epochs: int = Field(gt=0)
    batch: int = Field(gt=1)
    lr: float = Field(gt=0)
    """Of AdamW; rises over the first steps, then falls as a half cosine to 0."""
    weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Of the labels, in the cross entropy."""
    balanced: bool = False
    """Draw each value of the (first) group equally often."""
    scale: float = Field(default=16.0, gt=0)
    """``retrieve``: cosines to the items' proxies are multiplied by this before the softmax."""


class Config(BaseModel):
    """A whole configuration of one evaluator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    network: Shape
    training: Recipe

    @property
    def groups(self) -> tuple[str, ...]:
        """Every label group, in the order of the columns."""
        return tuple(group for head in self.network.heads for group in head.groups)


def read(name: str, config: str) -> Config:
    """Configuration ``config`` (``small``, ``paper``, ``tiny``) of an evaluator; BenchError for a wrong one."""
    tables = train_config.read(folder(name), config)
    return Config(
        task=train_config.parse(Task, tables, "task"),
        network=train_config.parse(Shape, tables, "network"),
        training=train_config.parse(Recipe, tables, "training"),
    )
