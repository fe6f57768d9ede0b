"""Settings of data preparation and augmentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from bessemer.config import NO_EFFECT, Config, refused_as_value
from bessemer.data.audio.config import AudioAugment, AudioConfig
from bessemer.data.image.config import ImageAugment, ImageConfig
from bessemer.data.kinds import KINDS, find_kind
from bessemer.data.text.config import TextAugment, TextConfig

BUILT_IN = {"digits": "scikit-learn", "stdlib": "Python"}  # sources that come with a package
MODALITY_OF = {source: name for name, kind in KINDS.items() for source in kind.sources}
TABULAR = ("table", "dataset")
EVERY = "*"


def modality_of(data: Any) -> str | None:
    """The kind of data of settings that are not validated yet; None where they do not say."""
    if isinstance(data, SourceConfig):
        return data.modality
    if not isinstance(data, dict):
        return None
    columns = data.get("columns")
    named = [kind for kind in KINDS if isinstance(columns, dict) and columns.get(kind)]
    found = named[0] if named else data.get("kind") or MODALITY_OF.get(str(data.get("source")))
    return found if isinstance(found, str) else None


class ColumnsConfig(Config):
    """Which columns of a table hold what; exactly one of text, image, audio and value."""

    text: str | list[str] | None = Field(
        None, description="column of the text; several are joined by a line break"
    )
    image: str | None = Field(
        None, description="column of image files (paths from the table's folder) or of their bytes"
    )
    audio: str | None = Field(
        None, description="column of sound files (paths from the table's folder) or of their bytes"
    )
    value: str | list[str] | None = Field(
        None, description="column or columns of what data.kind reads; '*' is all but label and split"
    )
    label: str | list[str] | None = Field(
        "label",
        description="column of the class or number, or several columns of numbers; not read for task: language",
    )
    decimal: Literal[".", ","] | None = Field(
        None,
        description="decimal mark of numbers in label columns, where cells such as 1,234 can be read in two ways",
    )
    one_of: list[str] = Field(
        [],
        description="in place of label: columns of 0 and 1, one for each class; the class is the name of the one "
        "that holds 1",
    )
    files: str | list[str] = Field(
        [],
        description="where the file stands that a cell names in part, from the table's folder, {} being the cell: "
        "images/{}.jpg; several are tried in turn",
    )
    split: str | None = Field(None, description="column that says train, validation or test")

    @property
    def file_forms(self) -> list[str]:
        """What a cell is put into to give a path; a cell that is a path itself needs none."""
        return [self.files] if isinstance(self.files, str) else self.files or ["{}"]

    @property
    def labels(self) -> list[str]:
        """The columns of the label; none where no label is read."""
        if self.one_of:
            return list(self.one_of)
        return [self.label] if isinstance(self.label, str) else list(self.label or [])

    @property
    def class_label(self) -> str | None:
        """The one column of the label; None where there are none or several."""
        return self.labels[0] if len(self.labels) == 1 else None

    @property
    def modality(self) -> str | None:
        """The kind of data, from the column that is named; None where `value` is."""
        return next((kind for kind in kinds_with_column() if getattr(self, kind)), None)

    @property
    def values(self) -> list[str]:
        """The columns that hold a sample, where they are named one by one."""
        named = getattr(self, self.modality) if self.modality else self.value
        return [] if named == EVERY else [named] if isinstance(named, str) else list(named or [])

    @property
    def takes_every(self) -> bool:
        """Whether a sample is all of a row but its label and split."""
        return self.value == EVERY

    def others(self, there: Iterable[str]) -> list[str]:
        """The columns of `there` but label and split."""
        return [name for name in there if name not in (*self.labels, self.split)]

    @model_validator(mode="after")
    def _one_value(self) -> ColumnsConfig:
        kinds = kinds_with_column()
        if sum(bool(getattr(self, name)) for name in (*kinds, "value")) != 1:
            named = ", ".join(f"columns.{name}" for name in kinds)
            raise ValueError(f"name exactly one of {named}, or columns.value with data.kind")
        return self

    @model_validator(mode="after")
    def _files_hold_the_cell(self) -> ColumnsConfig:
        if self.files and not (self.image or self.audio):
            raise ValueError("columns.files goes with columns.image and columns.audio alone; remove it")
        if odd := [form for form in self.file_forms if "{}" not in form]:
            raise ValueError(f"columns.files: {odd[0]!r} has no {{}}, which the cell takes the place of")
        return self

    @model_validator(mode="after")
    def _labels_are_no_inputs(self) -> ColumnsConfig:
        if self.label == [] or len(set(self.labels)) < len(self.labels):
            raise ValueError("columns.label names each column once, and at least one")
        if len(self.one_of) == 1:
            raise ValueError("columns.one_of names a column for each class, at least two; or use columns.label")
        known = sorted(set(self.labels) & set(self.values))
        if known:
            raise ValueError(
                f"columns.label names {known[0]!r}, which is an input too; remove it from one of them"
            )
        return self


def kinds_with_column() -> list[str]:
    """The kinds of data that `columns` has a key for; others are read through columns.value."""
    return [kind for kind in KINDS if kind in ColumnsConfig.model_fields]


class SourceConfig(Config):
    """One place that data comes from."""

    source: Literal[
        "digits", "idx", "image_folder", "text_folder", "audio_folder", "folder", "table", "dataset", "stdlib"
    ] = Field(
        description="digits, idx (MNIST's files), a folder per class (also inside a zip or tar file), "
        "a table (CSV, TSV, JSON, JSONL, Parquet, lines of fastText; also packed), a data set that Hugging Face "
        "datasets saved to disk, or stdlib, the "
        "source files of the running Python; for task: language, text_folder is any folder or file of text; "
        "folder holds files of data.kind"
    )
    kind: str | None = Field(
        None, description="table, or the dotted path of a kind of your own, for source folder and columns.value"
    )
    path: str | None = Field(
        None, description="folder or file of the data; relative to the recipe", json_schema_extra=NO_EFFECT
    )
    columns: ColumnsConfig | None = Field(None, description="of a table or data set")
    unit: Literal["file", "piece", "paragraph", "line"] = Field(
        "file", description="what is one sample of a text folder; piece cuts long files at line ends"
    )
    links: Literal["inside", "follow"] = Field(
        "inside", description="of a folder: follow also reads what links out of it lead to"
    )
    weight: float = Field(1.0, gt=0, le=1000, description="times that its training samples are seen in an epoch")

    @property
    def modality(self) -> str:
        """The name of the kind of data, or its dotted path."""
        named = self.columns.modality if self.columns else None
        return named or self.kind or MODALITY_OF[self.source]

    @model_validator(mode="after")
    def _path_fits_source(self) -> SourceConfig:
        if self.source in BUILT_IN and self.path is not None:
            raise ValueError(
                f"source {self.source} comes with {BUILT_IN[self.source]} and takes no path; remove data.path"
            )
        if self.source not in BUILT_IN and self.path is None:
            raise ValueError(f"source {self.source} needs data.path, the folder or file of the data")
        tabular = self.source in TABULAR
        if tabular and self.columns is None:
            raise ValueError(f"source {self.source} needs data.columns, for example {{text: body, label: topic}}")
        if not tabular and self.columns is not None:
            raise ValueError(f"source {self.source} has no columns; remove data.columns")
        return self

    @model_validator(mode="after")
    def _kind_is_known(self) -> SourceConfig:
        open_to_all = self.source == "folder" or (self.columns is not None and self.columns.value is not None)
        if open_to_all and self.kind is None:
            raise ValueError("data.kind is needed here: table, or the dotted path of a kind of data of your own")
        if not open_to_all and self.kind is not None:
            raise ValueError(f"source {self.source} says itself that it holds {self.modality}; remove data.kind")
        with refused_as_value():
            kind = find_kind(self.modality)
        if self.columns is not None and self.columns.takes_every and not kind.whole_rows:
            raise ValueError("data.columns.value '*' is for kinds that take whole rows; name the columns")
        return self


def folder_sources() -> dict[str, str]:
    """The source of a folder per class, of each kind of data that has one."""
    known = get_args(SourceConfig.model_fields["source"].annotation)
    return {kind: source for kind in KINDS if (source := f"{kind}_folder") in known}


class SplitConfig(Config):
    """Shares of the samples kept apart; a source that brings its own split is used as it is."""

    test: float = Field(0.2, gt=0, lt=1, description="share for the final test")
    validation: float = Field(0.1, gt=0, lt=1, description="share of the rest, for choosing between candidates")
    together: bool = Field(
        True,
        description="keep parts of one scene, recording or work on one side, found by names of files, shared "
        "passages of texts, and near copies that are not dropped",
    )

    @model_validator(mode="after")
    def _leave_some(self) -> SplitConfig:
        if self.test + self.validation >= 0.9:
            raise ValueError("test and validation together leave under 10% to train on; lower one of them")
        return self


class DedupConfig(Config):
    """What counts as a copy.

    The survivor: test before validation before training, then the commonest label, then the longer or larger one,
    then the first row.
    """

    near: bool = Field(True, description="also near copies, of text and images")
    text_similarity: float = Field(0.8, gt=0, le=1, description="least Jaccard similarity of word 5-grams")
    image_distance: int = Field(4, ge=0, le=16, description="most differing bits of 64 in the perceptual hash")


class LabelCheckConfig(Config):
    """Search for probable label errors; they are listed for review, never dropped."""

    folds: int = Field(5, ge=0, le=20, description="of the cross-validation; 0 is off")
    sample: int = Field(5000, ge=100, description="at most this many training samples are looked at")


class DataConfig(ImageConfig, SourceConfig):
    """Where the data is and how it is prepared."""

    settings: dict[str, Any] = Field({}, description="of a kind of data of your own, checked by its class")
    also: list[SourceConfig] = Field([], description="further sources of the same kind, mixed in by their weights")
    text: TextConfig = TextConfig()
    audio: AudioConfig = AudioConfig()
    dedup: DedupConfig = DedupConfig()
    label_check: LabelCheckConfig = LabelCheckConfig()
    min_class: int = Field(
        1, ge=1, description="classes with fewer usable samples are set aside; parts of one file count as one"
    )
    split: SplitConfig = SplitConfig()
    merge_alike: bool = Field(
        False, description="labels that differ in case or blanks alone are one class, called as most of them are"
    )
    limit: int | None = Field(None, ge=10, description="use at most this many samples, for quick trials")
    max_quarantined: float = Field(0.1, ge=0, le=1, description="stop when a larger share is broken")
    shard_mib: float = Field(64.0, gt=0, description="size of a shard of prepared samples")

    @property
    def sources(self) -> list[SourceConfig]:
        """All sources, the main one first."""
        return [self, *self.also]

    @model_validator(mode="after")
    def _one_kind(self) -> DataConfig:
        kinds = {source.modality for source in self.sources}
        if len(kinds) > 1:
            raise ValueError(f"data.also mixes {' and '.join(sorted(kinds))}; all sources must be of one kind")
        counts = [max(1, len(source.columns.labels)) if source.columns else 1 for source in self.sources]
        if len(set(counts)) > 1:
            told = " and ".join(map(str, counts))
            raise ValueError(f"data.also: sources have {told} label columns; name as many in each source")
        try:
            checked = find_kind(self.modality).Settings.model_validate(self.settings)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, ("data", "settings", *first["loc"])))
            problem = (
                "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
            )
            raise ValueError(f"{key}: {problem}") from error
        object.__setattr__(self, "settings", checked.model_dump(mode="json"))
        return self


class AugmentConfig(AudioAugment, TextAugment, ImageAugment):
    """Random changes of training samples, each kind of data its own.

    `preset` fills what is not written; keys that are written win.
    """

    preset: Literal["none", "light", "standard", "strong"] = "none"
