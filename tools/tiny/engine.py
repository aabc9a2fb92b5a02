"""The engine as the thing that is scored: `ironstar logits` over given tokens, so that a GGUF file is judged by the
kernels, the KV roundings and the indexer that will run it, not by this folder's PyTorch."""

import json
import pathlib
import subprocess
import tempfile

import numpy as np

ROWS = 4096  # rows of logits read at once


def predictions(ironstar, gguf, vocab_size, ids, threads=None):
    """Arg-max of the next token at every position of each sequence; a list of arrays of their lengths."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        tokens, logits = pathlib.Path(folder) / "tokens.json", pathlib.Path(folder) / "logits"
        for one in ids:
            tokens.write_text(json.dumps(one.tolist()))
            command = [ironstar, "logits", "-m", gguf, "--tokens", tokens, "--out", logits]
            if threads:
                command += ["--threads", str(threads)]
            subprocess.run([str(c) for c in command], check=True, stderr=subprocess.DEVNULL)
            rows = np.memmap(logits, "<f4", "r", shape=(len(one), vocab_size))
            out.append(np.concatenate([rows[lo : lo + ROWS].argmax(1) for lo in range(0, len(one), ROWS)]))
            del rows
            logits.unlink()
    return out
