"""Raw data to a prepared data set."""

from __future__ import annotations

import numpy as np

from bessemer.data.dataset import Dataset
from bessemer.data.prepare import prepare as prepare_data
from bessemer.data.split import take_count
from bessemer.stages.context import Context, data_uri

SHOWN_SAMPLES = 24


def prepare(context: Context) -> None:
    """Prepare the data and show a few samples of it."""
    about = prepare_data(context.recipe.data, context.recipe.seed, context.out, context.progress)
    train = Dataset(context.out).split("train")
    shown = take_count(train.labels, train.ids, SHOWN_SAMPLES, context.recipe.seed)
    shown = shown[np.argsort(train.labels[shown], kind="stable")]
    classes = about["classes"]
    samples = [{"image": data_uri(train.inputs[i]), "label": classes[int(train.labels[i])]} for i in shown]
    context.write_facts({"data": {**about, "samples": samples}})
