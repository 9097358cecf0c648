"""`python -m sweeper export`: a trial's network as a file for others, given out only if it computes the same."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from sweeper import allowed, card, formats, journal, sweeps, text
from sweeper.card import Card
from sweeper.errors import ConfigError, DataError
from sweeper.formats import Format
from sweeper.instances import dataset
from sweeper.predict import preprocess
from sweeper.record import Trial
from sweeper.trial import config

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4  # of a probability; what formats differ by in float32 is below 1e-5
SAMPLES = 64  # validation images that a file is checked with


@dataclass(frozen=True)
class Exported:
    file: Path
    size: int  # bytes
    difference: float  # largest one of a probability, between the file and the network it was made from
    samples: int  # images it was measured on


def add_arguments(parser: ArgumentParser) -> None:
    names = [format.name for format in formats.FORMATS]
    parser.description = (
        "Writes a trained network and its model.yaml (classes, shape and scale of its input), after loading the file "
        f"again and comparing its answers on up to {SAMPLES} validation images with those of the original."
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        default="best",
        help="best (default), SWEEP/NUMBER or 6+ characters of an MLflow run ID",
    )
    parser.add_argument("--sweep", metavar="ID", help="its folder's name or path (default: the latest)")
    parser.add_argument("--format", choices=names, default=formats.KERAS.name, help="default: %(default)s")
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: exports/SWEEP-NUMBER")
    parser.add_argument(
        "--allow",
        metavar="NAME",
        action="append",
        default=[],
        help="a loader of your own, or a prefix such as my_project., that the trial's config.yaml may call",
    )


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the trial cannot be exported, or its file computes something else."""
    trial = sweeps.find_trial(args.run, args.sweep)
    name = _name(trial)
    out = args.out or Path("exports") / name.replace("/", "-")
    (format,) = (format for format in formats.FORMATS if format.name == args.format)
    exported = export(trial, name, format, out, allowed.entries(args.allow))
    print(
        f"Trial {name} -> {exported.file}, {exported.size / 1e6:.2f} MB.\n"
        f"Largest difference of a probability from the original on {exported.samples} validation images: "
        f"{exported.difference:.1g}\n"
        f"Next: python -m sweeper predict {out} IMAGE"
    )
    return 0


def export(trial: Trial, name: str, format: Format, out: Path, allow: Sequence[str] = ()) -> Exported:
    """Writes the network of `trial`, called `name`, into the folder `out`, which appears only if the file is right.

    allow: loaders that the trial's config.yaml may call beside those of sweeper.allowed.
    Other formats of the same trial in `out` stay; an export of another one is replaced.
    Raises: ConfigError if `out` holds something else, the network was not kept, a package is missing, or the format
    cannot express the network; DataError if the network or the trial's data set cannot be loaded any more.
    """
    _check_free(out)
    formats.require(format, *format.converter)
    _check_kept(trial)
    described = replace(card.read(trial.folder), run_id=trial.run_id, trial=name)
    images = preprocess(_samples(trial, described, allow), described)
    network = formats.in_float32(_original(trial.model))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}. Give a folder that you may write to.") from None
    with scratch:
        new = Path(scratch.name) / "new"
        new.mkdir()
        difference = _write_checked(network, format, new / format.file, images)
        described.write(new)
        size = _size(new / format.file)
        _move(new, out, format)
    return Exported(out / format.file, size, difference, len(images))


def _name(trial: Trial) -> str:
    """SWEEP/NUMBER. The sweep is the nearest folder above the trial's that holds a journal."""
    sweep = next(folder for folder in (trial.folder, *trial.folder.parents) if (folder / journal.NAME).is_file())
    return f"{sweep.absolute().name}/{trial.number}"


def _check_free(out: Path) -> None:
    if not out.exists():
        return
    names = {file.name for file in out.iterdir()} if out.is_dir() else {out.name}
    earlier = {card.NAME, *(format.file for format in formats.FORMATS)}
    if out.is_file() or names - earlier or (names and card.NAME not in names):
        raise ConfigError(f"--out {out} holds something else than an earlier export. Give a new or an empty folder.")


def _check_kept(trial: Trial) -> None:
    if trial.duplicate_of is not None:
        raise ConfigError(
            f"Trial {trial.number} was not trained: it has the parameters of trial {trial.duplicate_of}, whose "
            "network it would have. Export that one."
        )
    for file in (trial.model, trial.folder / card.NAME):
        if not file.is_file():
            raise ConfigError(
                f"{file} was not kept: a sweep keeps the networks of its best trials only. Train this one again: "
                f"{trial.command}\nor keep more of them in the next sweep: hydra.sweeper.keep_models=N"
            )


def _samples(trial: Trial, described: Card, allow: Sequence[str]) -> np.ndarray:
    """Validation images of the trial's own data set, evenly spread: (N, height, width, channels) uint8."""
    try:
        images = dataset(config(trial.folder), allow).validation.images
    except (ConfigError, DataError, OSError) as error:
        raise DataError(
            f"An export is checked on the validation images that the trial was judged by, and they cannot be loaded: "
            f"{error}\nPut them back where {trial.folder / 'config.yaml'} expects them, or correct that file."
        ) from error
    if images.shape[1:] != described.input_shape:
        raise DataError(
            f"The data set has changed: its images are {images.shape[1:]}, the network takes {described.input_shape}. "
            f"Put those back that {trial.folder} was trained with."
        )
    return images[np.unique(np.linspace(0, len(images) - 1, SAMPLES).astype(int))]


def _original(path: Path) -> keras.Model:
    try:
        return formats.load_keras(path)
    except Exception as error:  # zip, HDF5 and Keras each have their own
        raise DataError(f"{path} cannot be loaded: {text.first_line(str(error))}\nTrain it again.") from error


def _write_checked(network: keras.Model, format: Format, path: Path, images: np.ndarray) -> float:
    """The largest difference of a probability that the written file makes.

    Raises: ConfigError if it is above TOLERANCE, or the format or its runtime cannot do what the network does.
    """
    batches = images[:1], images  # a file that takes only one size of batch fails
    try:
        format.write(network, path)
        classify = format.read(path)
        answers = np.concatenate([classify(batch) for batch in batches])
    except Exception as error:  # each converter and each runtime has errors of its own
        raise ConfigError(
            f"The network cannot be written as {format.name}: {text.first_line(str(error))}\n"
            f"The format or its runtime may not know one of its layers. Choose another --format, or another layer."
        ) from error
    expected = np.concatenate([formats.classify(network)(batch) for batch in batches])
    difference = float(np.abs(answers - expected).max())
    if not difference <= TOLERANCE:  # NaN is not, either
        raise ConfigError(
            f"The network as {format.name} differs from the original by {difference:.1g} in a probability, "
            f"more than {TOLERANCE:g}: nothing was exported. Choose another --format."
        )
    return difference


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _move(new: Path, out: Path, format: Format) -> None:
    """Puts `new` in the place of `out`, with the other formats of the same trial that lie there."""
    if not out.exists():
        new.rename(out)
        return
    earlier = out / card.NAME
    if earlier.is_file() and earlier.read_bytes() == (new / card.NAME).read_bytes():
        shutil.copytree(out, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns(card.NAME, format.file))
    out.rename(new.with_name("old"))
    new.rename(out)
