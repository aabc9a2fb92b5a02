"""A packed checkpoint as the thing that is scored: the arg-max of the next token at every position, in PyTorch."""

import json
import pathlib

import numpy as np
import torch

import checkpoint
import geometry
from model import Mode, Model
from quantise import Quantised


def load_model(folder, device, half=True):
    meta = json.loads((pathlib.Path(folder) / "meta.json").read_text())
    model = Model(getattr(geometry, meta["geometry"]), torch.bfloat16 if device.type == "cuda" else torch.float32)
    checkpoint.load(folder, model)
    if half:
        for p in model.parameters():
            p.data = p.data.half().float()
    return model.to(device).eval(), meta


@torch.no_grad()
def predictions(model, ids, device, mode):
    """Arg-max of the next token at every position of each sequence."""
    T = -(-max(map(len, ids)) // 128) * 128
    tokens = torch.zeros(len(ids), T, dtype=torch.long)
    for row, one in zip(tokens, ids):
        row[: len(one)] = torch.from_numpy(one.astype(np.int64))
    tokens = tokens.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        streams = model.streams(tokens, torch.zeros_like(tokens), mode)[0]
        out = [model.head(streams[:, lo : lo + 4096], model.dtype).argmax(-1) for lo in range(0, T, 4096)]
    return torch.cat(out, 1).cpu().numpy()


def predictor(folder, quantise, sparse):
    """-> a function from id arrays to arg-maxes, {"step", "tokens"}"""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    model, meta = load_model(folder, device, half=not quantise)
    if quantise:
        Quantised(model).__enter__()

    def predict(ids):
        model.limit_queries(1024 if max(map(len, ids)) > 3000 else None)
        return predictions(model, ids, device, Mode(round_kv=True, sparse=sparse))

    return predict, {"step": meta["step"], "tokens": meta["tokens"]}
