# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/examples.md make the pictures that stand beside them.

    test_examples.py BUILD       writes the pictures anew
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from PIL import Image

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "examples.md"
sys.path.insert(0, str(TOP / "tests" / "samples"))
import make  # noqa: E402

SOURCE = TOP / "docs" / "img" / "examples" / "photo.jpg"
EXAMPLES = re.findall(r"^    pixmill (apply .*)\n\n!\[.*\]\((img/examples/.*)\)$", PAGE.read_text(), re.M)


def run(build, command, folder):
    """The file that the command makes of photo.jpg."""
    (folder / "photo.jpg").write_bytes(SOURCE.read_bytes())
    done = subprocess.run([str(build / "bin" / "pixmill"), *shlex.split(command)], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    made, = (folder / "out").iterdir()
    return made


def test_the_page_has_examples():
    assert len(EXAMPLES) >= 10
    assert len(re.findall(r"pixmill apply", PAGE.read_text())) == len(EXAMPLES)
    shown = set(re.findall(r"\((img/examples/.*?)\)", PAGE.read_text()))
    assert shown == {str(p.relative_to(PAGE.parent)) for p in SOURCE.parent.iterdir()}


@pytest.mark.parametrize("command, picture", EXAMPLES, ids=[pathlib.Path(p).stem for _, p in EXAMPLES])
def test_example(build, tmp_path, command, picture):
    made, shown = (Image.open(p).convert("RGB") for p in (run(build, command, tmp_path), PAGE.parent / picture))
    assert made.size == shown.size
    difference = np.abs(np.asarray(made, float) - np.asarray(shown, float)).mean()
    # Letters depend on the fonts that are installed.
    assert difference < (8 if "watermark" in command else 4), f"{difference:.1f} of 255 on average"


if __name__ == "__main__":
    SOURCE.parent.mkdir(parents=True, exist_ok=True)
    make.make("photo", str(SOURCE), width=600, height=400)
    for line, target in EXAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            (PAGE.parent / target).write_bytes(run(pathlib.Path(sys.argv[1]).resolve(), line, pathlib.Path(folder)).read_bytes())
