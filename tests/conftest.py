"""What all tests share: small made files for every data set, the real ones where the checkout has them beside it, and a
place for cached data sets that is gone afterwards."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


@pytest.fixture(scope="session", autouse=True)
def cache_of_data_sets(tmp_path_factory):
    os.environ["SWEEPER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """A function from cifar10, folder or fer2013 to the folder with the real files; unpacked once, gone afterwards."""
    if not (SHARED / "unpack.py").is_file():
        pytest.skip(f"the real data is not in {SHARED}")
    out = tmp_path_factory.mktemp("real")
    unpacked = {}

    def unpack(name: str) -> Path:
        if name not in unpacked:
            subprocess.run([sys.executable, SHARED / "unpack.py", out, name], check=True)
            unpacked[name] = out
        return unpacked[name]

    yield unpack
    shutil.rmtree(out)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Ours, built from a copy: a build leaves files in its source, which the next wheel would take up."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("sweeper", "conf", "models", "datasets"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run(build, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def site(wheel, tmp_path_factory):
    """A folder that holds the wheel installed, for PYTHONPATH: what somebody has who has no checkout."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True)
    return folder


@pytest.fixture
def sources(cifar10_folder, ferplus_files, image_folder):
    """What a loader must be given, by the stem of its file; a loader that needs no files is not listed."""
    return {"cifar10": {"path": cifar10_folder}, "ferplus": ferplus_files, "folder": {"path": image_folder}}


@pytest.fixture
def cifar10_folder(tmp_path):
    """The official layout with 60 images a batch, six of each class."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        pixels = rng.integers(0, 256, (60, 3072), np.uint8)
        batch = {b"batch_label": name.encode(), b"data": pixels, b"labels": [row % 10 for row in range(60)]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return folder


@pytest.fixture
def ferplus_files(tmp_path):
    """90 faces in turn for training, validation and test; each has votes but the last three."""
    rng = np.random.default_rng(0)
    faces, votes = ["emotion,pixels,Usage"], [FERPLUS_HEADER]
    for row in range(90):
        usage = ("Training", "PublicTest", "PrivateTest")[row % 3]
        counts = [0] * 8 + [0, 10] if row >= 87 else [*rng.multinomial(9, [1 / 8] * 8), 1, 0]
        faces.append(f"0,{' '.join(map(str, rng.integers(0, 256, 48 * 48)))},{usage}")
        votes.append(f"{usage},fer{row:07}.png,{','.join(map(str, counts))}")
    images, labels = tmp_path / "fer2013.csv", tmp_path / "fer2013new.csv"
    images.write_text("\n".join(faces) + "\n")
    labels.write_text("\n".join(votes) + "\n")
    return {"images": images, "labels": labels}


@pytest.fixture
def image_folder(tmp_path):
    """40 images of 12 x 10 pixels in each of three class folders. Each is noise around its class's level."""
    root = tmp_path / "images"
    rng = np.random.default_rng(0)
    for level, name in ((40, "apple"), (120, "bread"), (200, "cheese")):
        (root / name).mkdir(parents=True)
        for number in range(40):
            noise = rng.integers(level - 40, level + 40, (12, 10, 3), np.uint8)
            cv2.imwrite(str(root / name / f"{number:02}.png"), noise)
    return root
