"""A trial's trained network in MLflow, where `mlflow.pyfunc.load_model` and `mlflow models serve` find it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from sweeper import card, formats, plain, record


def prepare() -> None:
    """Imports what a sweep's end needs, where TensorFlow is loaded, while other trials run: it takes seconds."""
    if "keras" in sys.modules:
        importlib.import_module("matplotlib.pyplot")
        importlib.import_module("mlflow.keras")


def log_best(run_id: str, uri: str, folder: Path) -> str:
    """Logs `folder/model.keras` to the trial's run, whose status stays as it is; `folder/model.yaml` is its metadata.

    For a process that has TensorFlow loaded. Returns the model's URI, for instance models:/m-1f0e…
    """
    import keras
    import mlflow
    import numpy as np
    import tensorflow as tf
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    network = formats.load_keras(folder / record.MODEL)
    batches = [
        Schema([TensorSpec(np.dtype(np.float32), (-1, *shape[1:]))])
        for shape in (network.input_shape, network.output_shape)
    ]
    mlflow.set_tracking_uri(uri)  # Model.log takes it from there only, and the experiment too
    mlflow.set_experiment(experiment_id=mlflow.get_run(run_id).info.experiment_id)
    logged = Model.log(
        flavor=mlflow.keras,
        artifact_path=None,  # its old name
        name="model",
        run_id=run_id,  # mlflow.keras.log_model would start the run again and end it now
        model=network,
        signature=ModelSignature(*batches),
        pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],  # to infer them takes 11 s
        metadata=plain.read(folder / card.NAME, "Train it again."),
    )
    return logged.model_uri
