"""Muon for the matrices, Adam for everything else."""

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # quintic Newton-Schulz of the Muon author


def orthogonalise(g):
    """Nearest semi-orthogonal matrices of a batch [n, rows, cols], roughly, in bf16."""
    a, b, c = COEFFICIENTS
    tall = g.shape[-2] > g.shape[-1]
    x = (g.mT if tall else g).bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        y = x @ x.mT
        x = a * x + (b * y + c * y @ y) @ x
    return x.mT if tall else x


def uses_muon(name, p):
    """Hyper-connections, router, position biases, embedding and head are not maps between features of equal rank."""
    if p.dim() < 2 or name in ("embed", "head.weight"):
        return False
    return not name.endswith((".fn", ".ape", ".gate")) and name != "head.fn"


class Optimiser:
    def __init__(self, model, lr_muon=0.02, lr_adam=4e-3, lr_embed=1e-2, lr_gates=1e-3, weight_decay=0.02):
        named = list(model.named_parameters())
        by_shape = {}
        for name, p in named:
            if uses_muon(name, p):
                by_shape.setdefault((p.shape[-2], p.shape[-1]), []).append(p)
        self.matrices = list(by_shape.values())
        self.momentum = [[torch.zeros_like(p) for p in group] for group in self.matrices]
        self.lr_muon, self.weight_decay = lr_muon, weight_decay
        groups = {lr_embed: [], lr_adam: [], lr_gates: []}
        for name, p in named:
            if not uses_muon(name, p):
                groups[
                    lr_embed if name == "embed" else lr_gates if name.endswith((".fn", ".gate")) else lr_adam
                ].append(p)
        adam = [{"params": params, "lr": lr, "base": lr} for lr, params in groups.items()]
        self.adam = torch.optim.AdamW(adam, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=named[0][1].is_cuda)

    @torch.no_grad()
    def step(self, scale):
        """One update; `scale` multiplies every learning rate."""
        for group in self.adam.param_groups:
            group["lr"] = group["base"] * scale
        self.adam.step()
        lr = self.lr_muon * scale
        for group, momentum in zip(self.matrices, self.momentum):
            grads = [p.grad for p in group]
            torch._foreach_lerp_(momentum, grads, 0.05)
            mixed = torch._foreach_lerp(grads, momentum, 0.95)
            rows, cols = group[0].shape[-2:]
            updates = orthogonalise(torch.cat([m.reshape(-1, rows, cols) for m in mixed]))
            updates = updates.float() * (-lr * max(1.0, rows / cols) ** 0.5)
            torch._foreach_mul_(group, 1 - lr * self.weight_decay)
            pieces = updates.split([p.numel() // (rows * cols) for p in group])
            torch._foreach_add_(group, [u.view_as(p) for u, p in zip(pieces, group)])

    def state(self):
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load_state(self, state):
        for mine, theirs in zip(self.momentum, state["momentum"]):
            for m, t in zip(mine, theirs):
                m.copy_(t)
        self.adam.load_state_dict(state["adam"])
