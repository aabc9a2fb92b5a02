"""Collects filler text: docstrings of permissively licensed Python packages, one file.

    python filler.py OUT/filler.txt

Sources (installed with pip; versions are whatever is installed, the text is used for training only and not shipped):
numpy (BSD-3-Clause), torch (BSD-3-Clause), sympy (BSD-3-Clause), networkx (BSD-3-Clause), transformers (Apache-2.0).
"""

import ast
import importlib.util
import inspect
import pathlib
import random
import sys

PACKAGES = ["numpy", "torch", "sympy", "networkx", "transformers"]
MAX_CHARS_PER_PACKAGE = 1_600_000


def docstrings(folder, rng, limit):
    files = sorted(p for p in pathlib.Path(folder).rglob("*.py") if "test" not in str(p))
    rng.shuffle(files)
    total = 0
    for path in files:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                continue
            text = ast.get_docstring(node)
            if text and len(text) > 120 and "<｜" not in text:
                text = inspect.cleandoc(text)[:4000]
                total += len(text)
                yield text
        if total > limit:
            return


def main():
    rng = random.Random(1)
    texts = []
    for name in PACKAGES:
        folder = importlib.util.find_spec(name).submodule_search_locations[0]
        texts += docstrings(folder, rng, MAX_CHARS_PER_PACKAGE)
    rng.shuffle(texts)
    pathlib.Path(sys.argv[1]).write_text("\0".join(texts), encoding="utf-8")
    print(len(texts), "texts,", sum(map(len, texts)), "characters")


if __name__ == "__main__":
    main()
