"""Writes a checkpoint the way DeepSeek publishes theirs: config.json, generation_config.json, model.safetensors,
tokenizer.json.

    python export.py --checkpoint DIR/packed --tokenizer T.json --out HF_DIR [--type f16|f32]

`ironstar convert HF_DIR OUT.gguf` reads the result. Matrices are F16 (or F32), everything one-dimensional and the
hyper-connections F32, expert tables I64.
"""

import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

import geometry
from checkpoint import load
from model import Model
from names import released


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--checkpoint", required=True)
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--type", default="f16", choices=["f16", "f32"])
    args = ap.parse_args()
    meta = json.loads((pathlib.Path(args.checkpoint) / "meta.json").read_text())
    g = getattr(geometry, meta["geometry"])
    model = Model(g)
    load(args.checkpoint, model)
    matrix = {"f16": torch.float16, "f32": torch.float32}[args.type]
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, (tensor, kind) in released(model).items():
        wanted = {"ids": torch.int64, "vector": torch.float32}.get(kind, torch.float32 if "hc_" in name else matrix)
        tensors[name] = tensor.to(wanted).contiguous()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = {**g.config_json(), "torch_dtype": {"f16": "float16", "f32": "float32"}[args.type]}
    (out / "config.json").write_text(json.dumps(config, indent=1))
    # It knows one right answer to what it is asked: the most probable token is the best one.
    (out / "generation_config.json").write_text(json.dumps({"do_sample": False}, indent=1))
    shutil.copy(args.tokenizer, out / "tokenizer.json")
    print(
        f"{len(tensors)} tensors, {sum(t.numel() * t.element_size() for t in tensors.values()) / 1e6:.1f} MB in {out}"
    )


if __name__ == "__main__":
    main()
