"""`python -m sweeper export`: a trial's network as files for others, given out only if they compute the same."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sweeper import text
from sweeper.config import allowed
from sweeper.data import Dataset
from sweeper.errors import ConfigError, DataError, NotAllowed
from sweeper.files import card, convert, exports, formats, latency, scratch
from sweeper.files.card import Card
from sweeper.files.convert import Converted
from sweeper.files.formats import Format
from sweeper.records import record, sweeps
from sweeper.records.record import Trial
from sweeper.tracking import metrics_log
from sweeper.training import config
from sweeper.training.instances import dataset

if TYPE_CHECKING:
    import keras

ALL = "all"


@dataclass(frozen=True)
class Exported:
    files: tuple[Converted, ...]
    refused: tuple[str, ...] = ()  # why, one a format that cannot express the network or differs from it


def add_arguments(parser: ArgumentParser) -> None:
    names = [format.name for format in formats.FORMATS]
    parser.description = (
        "Writes a trained network, beside a model.yaml (classes, shape and scale of its input). Each file is loaded "
        f"again by its own runtime and compared with the original on up to {convert.MOST} validation images; the table "
        "shows size, largest difference of a probability, share of images with the same class, and latency. When "
        "piped: a file a line, tab-separated."
    )
    sweeps.add_trial(parser)
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        nargs="+",
        choices=[*names, ALL],
        default=[formats.KERAS.name],
        help=f"one or more of {', '.join(names)}, or {ALL} (default: {formats.KERAS.name})",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: exports/SWEEP-NUMBER")
    parser.add_argument(
        "--min-agreement",
        metavar="SHARE",
        type=_share,
        default=convert.MIN_AGREEMENT,
        help="of the images, that a float16 or int8 file must give the same class (default: %(default)s)",
    )
    parser.add_argument(
        "--allow",
        metavar="NAME",
        action="append",
        default=[],
        help="a loader of your own, or a prefix such as my_project., that the trial's config.yaml may call",
    )


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the trial cannot be exported, or a file computes something else."""
    trial = sweeps.find_trial(args.run, args.sweep)
    sweep = sweeps.owner(trial)
    name = f"{record.id_of(sweep)}/{trial.number}"
    out = args.out or Path("exports") / name.replace("/", "-")
    wanted = [format for format in formats.FORMATS if {format.name, ALL} & set(args.format)]
    exported = export(trial, name, wanted, out, allowed.entries(args.allow), args.min_agreement)
    _tell(exported.files, name, out, metrics_log.log(sweep, trial, exports.metrics(exported.files)))
    if exported.refused:
        raise ConfigError("\n\n".join(exported.refused))
    return 0


def export(
    trial: Trial,
    name: str,
    wanted: Sequence[Format],
    out: Path,
    allow: Sequence[str] = (),
    min_agreement: float = convert.MIN_AGREEMENT,
) -> Exported:
    """Writes the network of `trial`, called `name`, into the folder `out`, where only files appear that are right.

    allow: loaders that the trial's config.yaml may call beside those of sweeper.allowed.
    min_agreement: see `convert.check`.
    Other formats of the same trial in `out` stay; an export of another one is replaced.
    Raises: ConfigError if `out` holds something else, the network was not kept, a package is missing, the loader is not
    allowed, or no format is right; DataError if the network or the trial's data set cannot be loaded any more.
    """
    _check_free(out)
    for format in wanted:
        formats.require(format, *format.converter)
    check_kept(trial)
    described = replace(card.read(trial.folder), run_id=trial.run_id, trial=name)
    data = _data(trial, described, allow)
    latency.use_one_thread()
    original = convert.original(load(trial.model), data, described)
    with ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            new = stack.enter_context(scratch.beside(out)) / "new"
            new.mkdir()
        except OSError as error:
            raise ConfigError(f"--out {out}: {error.strerror}. Give a folder that you may write to.") from None
        exported = _convert(original, wanted, new, min_agreement)
        if not exported.files:
            raise ConfigError("\n\n".join(exported.refused))
        described.write(new)
        _move(new, out, exported.files)
    return exported


def _share(typed: str) -> float:
    try:
        share = float(typed)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ArgumentTypeError(f"{typed!r}: give a share of the images, from 0 to 1")
    return share


def _tell(files: Sequence[Converted], name: str, out: Path, logged: str) -> None:
    """The files go to stdout; what is meant for a reader goes elsewhere when that is a pipe."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(exports.table(files))
    else:
        print(*exports.lines(files), sep="\n")
    notes = (
        f"Trial {name} -> {out}",
        f"Compared with the original on {files[0].images} validation images: largest difference of a probability, "
        "share with the same class",
        f"Times: {latency.PROTOCOL}, on {files[0].machine}",
        logged,
        f"Next: python -m sweeper predict {out} IMAGE",
    )
    for note in notes:
        print(text.printable(note), file=sys.stdout if console.is_terminal else sys.stderr)


def _check_free(out: Path) -> None:
    if not out.exists():
        return
    names = {file.name for file in out.iterdir()} if out.is_dir() else {out.name}
    earlier = {card.NAME, exports.NAME, *(format.file for format in formats.FORMATS)}
    if out.is_file() or names - earlier or (names and card.NAME not in names):
        raise ConfigError(f"--out {out} holds something else than an earlier export. Give a new or an empty folder.")


def check_kept(trial: Trial) -> None:
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


def _data(trial: Trial, described: Card, allow: Sequence[str]) -> Dataset:
    """The trial's own: its validation images judge a file, and its training images show what range numbers have."""
    try:
        data = dataset(config.read(trial.folder), allow)
    except NotAllowed:
        raise
    except (ConfigError, DataError, OSError) as error:
        raise DataError(
            f"An export is checked on the validation images that the trial was judged by, and they cannot be loaded: "
            f"{error}\nPut them back where {trial.folder / 'config.yaml'} expects them, or correct that file."
        ) from error
    if data.input_shape != described.input_shape:
        raise DataError(
            f"The data set has changed: its images are {data.input_shape}, the network takes {described.input_shape}. "
            f"Put those back that {trial.folder} was trained with."
        )
    return data


def load(path: Path) -> keras.Model:
    """Raises: DataError if it is damaged."""
    try:
        return formats.load_keras(path)
    except Exception as error:  # zip, HDF5 and Keras each have their own
        raise DataError(f"{path} cannot be loaded: {text.first_line(str(error))}\nTrain it again.") from error


def _convert(original: convert.Original, wanted: Sequence[Format], folder: Path, min_agreement: float) -> Exported:
    """Leaves only files in `folder` that are right."""
    files, refused = [], []
    for format in wanted:
        path = folder / format.file
        try:
            converted = convert.convert(original, format, path)
            convert.check(converted, format, min_agreement)
        except ConfigError as error:
            refused.append(str(error))
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        else:
            files.append(converted)
    return Exported(tuple(files), tuple(refused))


def _move(new: Path, out: Path, files: Sequence[Converted]) -> None:
    """Puts `new` in the place of `out`, with the other formats of the same trial that lie there."""
    known, earlier = {row.format: row for row in files}, out / card.NAME
    if earlier.is_file() and earlier.read_bytes() == (new / card.NAME).read_bytes():
        written = (card.NAME, exports.NAME, *(row.file for row in files))
        shutil.copytree(out, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*written))
        with suppress(DataError):  # then the others stay without figures
            known = {row.format: row for row in exports.read(out) if (out / row.file).exists()} | known
    exports.write(new, known.values())
    if out.exists():
        out.rename(new.with_name("old"))
    new.rename(out)
