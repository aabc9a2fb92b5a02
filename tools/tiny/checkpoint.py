"""Small checkpoints in pieces: matrices as bytes with one F16 scale per 32 values, the rest in F32.

Error per value is at most 0.4 % of its group's largest; training resumes from it with fresh optimiser state.
Pieces stay under 15 MiB, so that they travel through narrow doors.
"""

import json
import pathlib

import torch
from safetensors.torch import load_file, save_file

PIECE_BYTES = 15 << 20


def pack(tensor):
    if not tensor.is_floating_point() or tensor.dim() < 2 or tensor.numel() % 32:
        return {"": tensor.contiguous()}
    v = tensor.float().reshape(-1, 32)
    scale = (v.abs().amax(1, keepdim=True) / 127).half()
    q = torch.round(v / scale.float().clamp_min(1e-12)).clamp(-127, 127).to(torch.int8)
    return {".q8": q.reshape(tensor.shape), ".scale": scale.flatten()}


def save(folder, model, meta):
    """Writes piece-0.safetensors ... and meta.json; returns the number of bytes."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pieces, size = [{}], 0
    for name, tensor in model.state_dict().items():
        for suffix, t in pack(tensor.detach().cpu()).items():
            n_bytes = t.numel() * t.element_size()
            if size + n_bytes > PIECE_BYTES:
                pieces.append({})
                size = 0
            pieces[-1][name + suffix] = t
            size += n_bytes
    for i, piece in enumerate(pieces):
        save_file(piece, folder / f"piece-{i}.safetensors")
    (folder / "meta.json").write_text(json.dumps({**meta, "n_pieces": len(pieces)}))
    return sum(p.stat().st_size for p in folder.glob("piece-*.safetensors"))


def load(folder, model):
    """Fills `model`; returns meta."""
    folder = pathlib.Path(folder)
    meta = json.loads((folder / "meta.json").read_text())
    packed = {}
    for i in range(meta["n_pieces"]):
        packed.update(load_file(folder / f"piece-{i}.safetensors"))
    state = {}
    for name, tensor in packed.items():
        if name.endswith(".scale") and name[:-6] + ".q8" in packed:
            continue
        if name.endswith(".q8"):
            scale = packed[name[:-3] + ".scale"].float()
            tensor = (tensor.reshape(-1, 32).float() * scale[:, None]).view(tensor.shape)
            name = name[:-3]
        state[name] = tensor
    model.load_state_dict(state)
    return meta
