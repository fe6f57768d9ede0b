"""Settings of data preparation and augmentation."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from bessemer.config import NO_EFFECT, Config

Modality = Literal["image", "text", "audio"]
BUILT_IN = {"digits": "scikit-learn", "stdlib": "Python"}  # sources that come with a package
MODALITY_OF: dict[str, Modality] = {
    "digits": "image",
    "idx": "image",
    "image_folder": "image",
    "text_folder": "text",
    "stdlib": "text",
    "audio_folder": "audio",
}


def modality_of(data: Any) -> Modality | None:
    """The kind of data of settings that are not validated yet; None where they do not say."""
    if isinstance(data, SourceConfig):
        return data.modality
    if not isinstance(data, dict):
        return None
    columns = data.get("columns")
    named = [kind for kind in get_args(Modality) if isinstance(columns, dict) and columns.get(kind)]
    return named[0] if named else MODALITY_OF.get(str(data.get("source")))


class ColumnsConfig(Config):
    """Which columns of a table hold what; exactly one of text, image and audio."""

    text: str | list[str] | None = Field(
        None, description="column of the text; several are joined by a line break"
    )
    image: str | None = Field(
        None, description="column of image files (paths from the table's folder) or of their bytes"
    )
    audio: str | None = Field(
        None, description="column of sound files (paths from the table's folder) or of their bytes"
    )
    label: str | None = Field("label", description="column of the class; not read for task: language")
    split: str | None = Field(None, description="column that says train, validation or test")

    @property
    def modality(self) -> Modality | None:
        """The kind of data, from the column that is named."""
        named: list[Modality] = [kind for kind in ("text", "image", "audio") if getattr(self, kind)]
        return named[0] if len(named) == 1 else None

    @model_validator(mode="after")
    def _one_value(self) -> ColumnsConfig:
        if self.modality is None:
            raise ValueError("name exactly one of columns.text, columns.image and columns.audio")
        return self


class SourceConfig(Config):
    """One place that data comes from."""

    source: Literal[
        "digits", "idx", "image_folder", "text_folder", "audio_folder", "table", "dataset", "stdlib"
    ] = Field(
        description="digits, idx (MNIST's files), a folder per class (also inside a zip or tar file), "
        "a table (CSV, TSV, JSONL, Parquet), a data set that Hugging Face datasets saved to disk, or stdlib, the "
        "source files of the running Python; for task: language, text_folder is any folder or file of text"
    )
    path: str | None = Field(
        None, description="folder or file of the data; relative to the recipe", json_schema_extra=NO_EFFECT
    )
    columns: ColumnsConfig | None = Field(None, description="of a table or data set")
    unit: Literal["file", "piece", "paragraph", "line"] = Field(
        "file", description="what is one sample of a text folder; piece cuts long files at line ends"
    )
    weight: float = Field(1.0, gt=0, le=1000, description="times that its training samples are seen in an epoch")

    @property
    def modality(self) -> Modality:
        """The kind of data."""
        named = self.columns.modality if self.columns else None
        return named or MODALITY_OF[self.source]

    @model_validator(mode="after")
    def _path_fits_source(self) -> SourceConfig:
        if self.source in BUILT_IN and self.path is not None:
            raise ValueError(
                f"source {self.source} comes with {BUILT_IN[self.source]} and takes no path; remove data.path"
            )
        if self.source not in BUILT_IN and self.path is None:
            raise ValueError(f"source {self.source} needs data.path, the folder or file of the data")
        tabular = self.source in ("table", "dataset")
        if tabular and self.columns is None:
            raise ValueError(f"source {self.source} needs data.columns, for example {{text: body, label: topic}}")
        if not tabular and self.columns is not None:
            raise ValueError(f"source {self.source} has no columns; remove data.columns")
        return self


class SplitConfig(Config):
    """Shares of the samples kept apart; a source that brings its own split is used as it is."""

    test: float = Field(0.2, gt=0, lt=1, description="share for the final test")
    validation: float = Field(0.1, gt=0, lt=1, description="share of the rest, for choosing between candidates")

    @model_validator(mode="after")
    def _leave_some(self) -> SplitConfig:
        if self.test + self.validation >= 0.9:
            raise ValueError("test and validation together leave under 10% to train on; lower one of them")
        return self


class TokenizerConfig(Config):
    """How text becomes numbers."""

    kind: Literal["bpe", "wordpiece"] = Field("bpe", description="byte-level BPE, or WordPiece")
    vocabulary: int | None = Field(
        8000,
        ge=300,
        le=65_000,
        description="size of a vocabulary that is trained here; null, for language, goes by the size of the text",
    )
    lowercase: bool = False
    path: str | None = Field(None, description="a tokenizer.json to use in place of a trained one")


class TextConfig(Config):
    """Cleaning of text; bessemer.data.text.quality names the sources of its thresholds."""

    html: Literal["auto", "keep"] = Field(
        "auto", description="auto takes the text out of HTML; keep leaves markup"
    )
    white_space: Literal["normalize", "keep"] = Field(
        "normalize", description="keep leaves every space and line end as it is, as task: language does"
    )
    min_characters: int = Field(20, ge=1, description="shorter documents are set aside")
    piece_characters: int = Field(1000, ge=100, description="about so many characters make a piece")
    max_characters: int = Field(1_000_000, ge=1, description="longer documents are set aside")
    quality: bool = Field(True, description="set aside what repeats itself or is mostly symbols")
    boilerplate: float = Field(
        0.2, ge=0, le=1, description="drop lines that stand in at least this share of documents; 0 is off"
    )
    languages: list[str] | None = Field(
        None, description="ISO 639-1 codes to keep, for example [en, de]; null keeps all"
    )
    max_tokens: int = Field(2048, ge=8, le=8192, description="longer documents are cut here")
    tokenizer: TokenizerConfig = TokenizerConfig()


class AudioConfig(Config):
    """Cleaning of sound."""

    rate: int = Field(16_000, ge=4000, le=48_000, description="samples a second; others are resampled")
    seconds: float | None = Field(
        None, ge=0.1, le=60, description="length of a clip; null takes what nine of ten files need"
    )
    windows: bool = Field(False, description="cut longer recordings into clips, all with the same label")
    silence_db: float = Field(-60.0, lt=0, description="quieter recordings are set aside; decibels of full scale")
    mels: int = Field(64, ge=8, le=256, description="bands of the log-mel spectrogram that the model computes")
    max_clipped: float = Field(
        0.01, ge=0, le=1, description="share of samples at full scale that is still accepted"
    )


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


class DataConfig(SourceConfig):
    """Where the data is and how it is prepared."""

    also: list[SourceConfig] = Field([], description="further sources of the same kind, mixed in by their weights")
    size: list[int] | None = Field(
        None, min_length=2, max_length=2, description="height and width in pixels; null takes the commonest"
    )
    color: Literal["auto", "gray", "rgb"] = Field("auto", description="auto is gray where every image is")
    text: TextConfig = TextConfig()
    audio: AudioConfig = AudioConfig()
    dedup: DedupConfig = DedupConfig()
    label_check: LabelCheckConfig = LabelCheckConfig()
    min_class: int = Field(
        1, ge=1, description="classes with fewer usable samples are set aside; parts of one file count as one"
    )
    split: SplitConfig = SplitConfig()
    limit: int | None = Field(None, ge=10, description="use at most this many samples, for quick trials")
    max_quarantined: float = Field(0.1, ge=0, le=1, description="stop when a larger share is broken")
    shard_mib: float = Field(64.0, gt=0, description="size of a shard of prepared samples")

    @property
    def sources(self) -> list[SourceConfig]:
        """All sources, the main one first."""
        return [self, *self.also]

    @model_validator(mode="after")
    def _sides_and_kinds(self) -> DataConfig:
        if self.size is not None and not all(4 <= side <= 4096 for side in self.size):
            raise ValueError("data.size must be between 4 and 4096 pixels a side")
        kinds = {source.modality for source in self.sources}
        if len(kinds) > 1:
            raise ValueError(f"data.also mixes {' and '.join(sorted(kinds))}; all sources must be of one kind")
        return self


class AugmentConfig(Config):
    """Random changes of training samples. Those of images are composed into one warp and one color map.

    `preset` fills what is not written; keys that are written win.
    """

    preset: Literal["none", "light", "standard", "strong"] = "none"
    # images: geometry
    crop: float = Field(
        0,
        ge=0,
        le=256,
        description="shift by up to this many pixels each way; below 1, by this share of the smaller side",
    )
    resized_crop: list[float] = Field(
        [1.0, 1.0],
        min_length=2,
        max_length=2,
        description="smallest and largest share of the area that is cut out and resized",
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotate: float = Field(0.0, ge=0, le=180, description="turn by up to this many degrees each way")
    scale: list[float] = Field([1.0, 1.0], min_length=2, max_length=2, description="smallest and largest zoom")
    shear: float = Field(0.0, ge=0, le=45, description="slant by up to this many degrees each way")
    border: Literal["zero", "edge", "reflect"] = Field("zero", description="what fills the parts from outside")
    # images: values
    brightness: float = Field(0.0, ge=0, le=1, description="change by up to this share of the full range")
    contrast: float = Field(0.0, ge=0, lt=1, description="stretch by a factor within 1 ± this")
    saturation: float = Field(0.0, ge=0, le=1, description="of color images: a factor within 1 ± this")
    noise: float = Field(0.0, ge=0, le=128, description="standard deviation of added noise, in gray levels of 255")
    blur: float = Field(0.0, ge=0, le=10, description="Gaussian blur with a sigma of up to this many pixels")
    erase: float = Field(0.0, ge=0, lt=1, description="chance that a rectangle is overwritten with gray")
    # text
    token_mask: float = Field(0.0, ge=0, lt=1, description="share of tokens replaced by [MASK]")
    token_delete: float = Field(0.0, ge=0, lt=1, description="share of tokens left out")
    token_swap: float = Field(0.0, ge=0, lt=1, description="share of tokens exchanged with their neighbor")
    span_corrupt: float = Field(
        0.0, ge=0, lt=1, description="share of tokens in spans, each span replaced by one [MASK]"
    )
    # audio
    time_shift: float = Field(0.0, ge=0, le=1, description="shift by up to this share of the clip each way")
    gain_db: float = Field(0.0, ge=0, le=40, description="louder or quieter by up to this many decibels")
    noise_db: float | None = Field(
        None, ge=0, le=100, description="least signal-to-noise ratio of added noise, in decibels; null adds none"
    )
    time_mask: float = Field(0.0, ge=0, lt=1, description="silence a stretch of up to this share of the clip")
    frequency_mask: float = Field(
        0.0, ge=0, lt=1, description="filter out a band of up to this share of the spectrum"
    )

    @model_validator(mode="after")
    def _ranges(self) -> AugmentConfig:
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            raise ValueError("augment.scale must be [smallest, largest] within 0.1 to 10")
        low, high = self.resized_crop
        if not 0.01 <= low <= high <= 1:
            raise ValueError("augment.resized_crop must be [smallest, largest] within 0.01 to 1")
        return self
