"""Rounds weights to what the shipped file can hold: IQ2_XXS, Q2_K and Q8_0, as tensors of the rounded values.

Used to train with the shipped precision in view (`train.py --quantise`) and to score it (`evaluate.py --quantise`). The
engine's own encoder, which weighs errors by importance, makes the file; this one is plain and fast.
"""

import base64

import numpy as np
import torch

# The 256 lattice points of IQ2_XXS (ggml, MIT licence): u16 each, two bits per coordinate, meaning 8, 25 and 43.
GRID = (
    "AAACAAUACAAKABEAFAAgACIAKAAqAEEARABQAFgAYQBkAIAAggCKAKIAAQEEARABFQFAAYQBmAEAAgICIgKCAgEEBAQQBCEEJARABEIESARgBIEE"
    "hASQBKQEAAUCBQgFIAVGBWkFgAWRBQkGEAZABoQGpAYACAUICAgUCCgIQQhECFAIUgiICAQJQAkCChQKARAEEBAQIRBAEGAQhBCQEJUQABEIESAR"
    "UBFaEYARJBJFEgAUCBQgFCUUSRSAFBgVYhUAFhYWARgEGBAYQBiBGAAZBRmgGVEaACACIAogRCBhIIAggiApIUghACICIgEkBCQQJEAkViQAJUEl"
    "ZCWQJggoICiUKEQqAUAEQBBAGEAhQCRAQEBIQFZAYECBQIRAkEAAQSBBYUGAQYVBAUIQQkhCVkJoQgBECEQgRIBEmUQSRSRFAEYBSARIEEhASEVI"
    "AElYSWFJgklFSpBKAFAIUBFQGVAgUIBQiFAEUUJRpFGRUpBUklQKVQFWVFYAWBFYGVhkWEBZCFoEYBBgQGBoYABhVWEYYmBiAGQFZBBlEmWEZUJo"
    "AIACgAqAQYCCgASBGIFAgRGCAYQEhBCEFYRAhGCEAIVGhZSFCYZAhmCGAogEiRGKBJAQkCSQQJChkBaRgJFFkgCUIpRElFGVgZggmQKgUKCFoAmh"
    "AKIYpFCoBKk="
)
CHUNK = 1 << 11  # blocks of 256 weights per pass, bounds scratch memory


def lattice(device):
    """[256, 8] F32"""
    codes = np.frombuffer(base64.b64decode(GRID), "<u2").astype(np.int64)
    levels = np.array([8.0, 25.0, 43.0], np.float32)
    return torch.from_numpy(levels[(codes[:, None] >> (2 * np.arange(8))) & 3]).to(device)


def iq2_xxs(w):
    """Groups of 32 with a 4-bit scale each, points of the lattice, an even number of minus signs per 8 weights."""
    grid = lattice(w.device)
    grid_norm = (grid * grid).sum(1)
    blocks, out = w.reshape(-1, 256), torch.empty(w.numel() // 256, 256, device=w.device)
    for lo in range(0, len(blocks), CHUNK):
        x = blocks[lo : lo + CHUNK].view(-1, 8, 4, 8)
        sign = torch.where(x < 0, -1.0, 1.0)
        smallest = torch.zeros_like(x).scatter(-1, x.abs().argmin(-1, keepdim=True), 1.0)
        odd = (sign < 0).sum(-1, keepdim=True) % 2 == 1
        sign = torch.where(odd & (smallest > 0), -sign, sign)
        dots = ((x * sign).reshape(-1, 8) @ grid.T).view(*x.shape[:3], 256)
        peak = x.abs().amax((2, 3))  # [blocks, 8]
        d = peak.amax(1, keepdim=True) * (0.85 / 43 / (15.5 * 0.25))
        nearest = torch.round(peak / (43 * 0.25 * d.clamp_min(1e-20)) - 0.5)
        best = torch.full_like(peak, float("inf"))
        scale, point = torch.zeros_like(peak), torch.zeros(x.shape[:3], dtype=torch.long, device=w.device)
        for k in range(-5, 1):
            s = d * (0.5 + (nearest + k).clamp(0, 15)) * 0.25
            wide = s[:, :, None, None]
            errors, points = (wide * wide * grid_norm - 2 * wide * dots).min(-1)
            error = errors.sum(-1)
            better = error < best
            best, scale = torch.where(better, error, best), torch.where(better, s, scale)
            point = torch.where(better[..., None], points, point)
        out[lo : lo + CHUNK] = (grid[point] * scale[:, :, None, None] * sign).view(-1, 256)
    return out.view_as(w)


def q2_k(w):
    """Groups of 16 with 4-bit scale and minimum, two bits a weight."""
    x, best, out = w.reshape(-1, 16, 16), None, None
    for shrink in (1.0, 0.9, 0.8, 0.7):
        low = x.amin(-1, keepdim=True).clamp(max=0) * shrink
        step = ((x.amax(-1, keepdim=True) * shrink - low) / 3).clamp_min(1e-9)
        d, d_min = step.amax(1, keepdim=True) / 15, (-low).amax(1, keepdim=True).clamp_min(1e-9) / 15
        step, minimum = torch.round(step / d).clamp(0, 15) * d, torch.round(-low / d_min).clamp(0, 15) * d_min
        q = torch.round((x + minimum) / step.clamp_min(1e-9)).clamp(0, 3)
        rounded = q * step - minimum
        error = (rounded - x).square().sum((1, 2), keepdim=True)
        out = rounded if best is None else torch.where(error < best, rounded, out)
        best = error if best is None else torch.minimum(best, error)
    return out.view_as(w)


def q8_0(w):
    """Groups of 32 with one scale."""
    x = w.reshape(-1, 32)
    d = (x.abs().amax(1, keepdim=True) / 127).clamp_min(1e-12)
    return (torch.round(x / d) * d).view_as(w)


def rounding(name, p):
    """The recipe of `size.py`: which rounding a parameter of `model.Model` gets, or None."""
    if ".experts_w" in name:
        return q2_k if name.endswith("w2") else iq2_xxs
    return q8_0 if p.dim() >= 2 and not name.endswith((".ape", ".bias")) else None


class Quantised:
    """`with Quantised(model):` the weights are what the shipped file holds; afterwards they are themselves again."""

    def __init__(self, model):
        self.named = [(p, f) for n, p in model.named_parameters() if (f := rounding(n, p)) is not None]

    @torch.no_grad()
    def __enter__(self):
        self.masters = [p.detach().clone() for p, _ in self.named]
        for p, f in self.named:
            p.data.copy_(f(p.data))

    @torch.no_grad()
    def __exit__(self, *_):
        for (p, _), master in zip(self.named, self.masters):
            p.data.copy_(master)
