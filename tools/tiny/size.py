"""Counts the bytes of the shipped GGUF under a q2-like recipe, and the parameters a token uses.

python size.py [--tokenizer T.json]
"""

import argparse
import json
import pathlib

from geometry import TINY
from model import Model
from names import released

BYTES = {"F32": 4.0, "F16": 2.0, "I32": 4.0, "Q8_0": 34 / 32, "Q2_K": 84 / 256, "IQ2_XXS": 66 / 256}
LIMIT = 20_000_000


def block_type(name, kind):
    """The recipe: two-bit experts, bytes for the other matrices."""
    if kind == "ids":
        return "I32"
    if kind == "vector":
        return "F32"
    if ".experts." in name:
        return "Q2_K" if ".w2." in name else "IQ2_XXS"
    return "F16" if "ape" in name else "Q8_0"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tokenizer")
    args = ap.parse_args()
    g, total, active, parameters = TINY, {}, 0, 0
    for name, (tensor, kind) in released(Model(g)).items():
        kind_of_block = block_type(name, kind)
        if kind == "matrix" and "ape" not in name:
            assert tensor.shape[-1] % 256 == 0, (name, tuple(tensor.shape))
        total[kind_of_block] = total.get(kind_of_block, 0) + tensor.numel() * BYTES[kind_of_block]
        if kind != "ids":
            parameters += tensor.numel()
            share = g.n_experts_per_token / g.n_experts if ".experts." in name else 0 if name == "embed.weight" else 1
            active += tensor.numel() * share
    metadata = 4096
    if args.tokenizer:
        model = json.loads(pathlib.Path(args.tokenizer).read_text(encoding="utf-8"))["model"]
        metadata += sum(8 + len(t.encode()) for t in model["vocab"]) + sum(
            9 + len((m if isinstance(m, str) else " ".join(m)).encode()) for m in model["merges"]
        )
    for kind, n in sorted(total.items(), key=lambda item: -item[1]):
        print(f"{kind:8s} {n / 1e6:8.3f} MB")
    n_bytes = sum(total.values()) + metadata
    print(f"metadata {metadata / 1e6:8.3f} MB\nfile     {n_bytes / 1e6:8.3f} MB, limit {LIMIT / 1e6} MB")
    print(f"parameters {parameters / 1e6:.2f} M, per token {active / 1e6:.2f} M")
    assert n_bytes <= LIMIT


if __name__ == "__main__":
    main()
