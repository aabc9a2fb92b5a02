"""DeepSeek-V4 architecture in PyTorch, for training: whole sequences in parallel, no cache.

The mathematics is that of the engine's specification: sliding window plus compressed rows, one shared key/value row, sinks,
hyper-connections, lightning indexer, hash-routed then learned experts. `check_model.py` compares it with transformers.

A batch row holds several independent sequences ("segments"), each starting at a multiple of 128; `start` says where
the segment of each position begins, and nothing crosses a border. All experts are computed and the unused ones gated to zero:
at this size that is faster on a GPU than gathering.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from sinkhorn import sinkhorn

NEG = -1e30


@dataclass(frozen=True)
class Mode:
    """How to run: `round_kv` applies the FP8/FP4 roundings, `sparse` lets the indexer drop rows,
    `index_loss` returns the indexer's distillation loss."""

    round_kv: bool = False
    sparse: bool = False
    index_loss: bool = False


def rms(x, eps):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


def rope_frequencies(g, compressing):
    """Angular frequency per rotated pair, F64; YaRN (without its magnitude) only where a layer compresses."""
    theta = g.compress_rope_theta if compressing else g.rope_theta
    i = torch.arange(g.rope_dim // 2, dtype=torch.float64)
    f = theta ** (-2.0 * i / g.rope_dim)
    if not compressing:
        return f

    def pair(rotations):
        return g.rope_dim * math.log(g.yarn_original_context / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    lo = max(math.floor(pair(g.yarn_beta_fast)), 0)
    hi = min(math.ceil(pair(g.yarn_beta_slow)), g.rope_dim - 1)
    ramp = ((i - lo) / (hi - lo if hi > lo else 0.001)).clamp(0, 1)
    return f * (1 - ramp) + f / g.yarn_factor * ramp


def rotate_tail(x, cos, sin):
    """Rotate adjacent pairs of the last channels; cos/sin [..., rope_dim/2] broadcast against x."""
    d = 2 * cos.shape[-1]
    nope, tail = x[..., :-d], x[..., -d:].float().unflatten(-1, (-1, 2))
    a, b = tail[..., 0], tail[..., 1]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
    return torch.cat((nope, turned.to(x.dtype)), -1)


def _pow2_scale(amax, top):
    """2^ceil(log2(amax / top)), from the bits of the quotient so that powers of two are exact."""
    bits = (amax / top).view(torch.int32)
    exponent = (bits >> 23) + ((bits & 0x7FFFFF) != 0).to(torch.int32)
    return (exponent << 23).view(torch.float32)


def fp8_round(x, n_rotated, group=64):
    """E4M3 round trip (groups of 64, power-of-two scale) on all but the last `n_rotated` channels; straight-through."""
    v = x[..., :-n_rotated].float().unflatten(-1, (-1, group))
    s = _pow2_scale(v.detach().abs().amax(-1, keepdim=True).clamp_min(1e-4), 448.0)
    q = (v / s).clamp(-448, 448).to(torch.float8_e4m3fn).float() * s
    q = v + (q - v).detach()
    return torch.cat((q.flatten(-2).to(x.dtype), x[..., -n_rotated:]), -1)


def fp4_round(x, group=32):
    """E2M1 round trip in groups of 32, ties to even codes; straight-through."""
    v = x.float().unflatten(-1, (-1, group))
    s = _pow2_scale(v.detach().abs().amax(-1, keepdim=True).clamp_min(6 * 2.0**-126), 6.0)
    a = (v / s).abs().clamp_max(6.0)
    q = torch.where(a < 2, torch.round(a * 2) / 2, torch.where(a < 4, torch.round(a), torch.round(a / 2) * 2))
    q = torch.sign(v) * q * s
    return (v + (q - v).detach()).flatten(-2).to(x.dtype)


def hadamard_matrix(n):
    h = torch.ones(1, 1)
    while len(h) < n:
        h = torch.cat((torch.cat((h, h), 1), torch.cat((h, -h), 1)), 0)
    return h / math.sqrt(n)


class HyperConnection(nn.Module):
    """Gates of one sublayer: read weights `pre`, write weights `post`, stream mixing `comb`."""

    def __init__(self, g, index):
        super().__init__()
        n, self.g = g.n_streams, g
        self.fn = nn.Parameter(torch.randn((2 + n) * n, n * g.hidden_size) / math.sqrt(n * g.hidden_size))
        base = torch.zeros((2 + n) * n)
        base[:n] = -1.0
        base[index % n] = 1.0  # each sublayer starts by reading mostly one stream
        base[2 * n :] = 4.0 * torch.eye(n).flatten()
        self.base = nn.Parameter(base)
        self.scale = nn.Parameter(torch.full((3,), 0.1))

    def forward(self, streams):
        """streams [B, T, n, D] F32 -> input [B, T, D], post [B, T, n], comb [B, T, n(from), n(to)]"""
        g, n = self.g, self.g.n_streams
        with torch.autocast(streams.device.type, enabled=False):
            z = rms(streams.flatten(-2), g.eps) @ self.fn.T
            pre = torch.sigmoid(z[..., :n] * self.scale[0] + self.base[:n]) + g.eps
            post = 2 * torch.sigmoid(z[..., n : 2 * n] * self.scale[1] + self.base[n : 2 * n])
            logits = z[..., 2 * n :] * self.scale[2] + self.base[2 * n :]
            comb = sinkhorn(logits.unflatten(-1, (n, n)), g.sinkhorn_iterations, g.eps)
            x = (pre.unsqueeze(-1) * streams).sum(-2)
        return x, post, comb


def hc_write(streams, y, post, comb):
    """new[to] = post[to] * y + sum over from of comb[from, to] * old[from]"""
    mixed = (comb.unsqueeze(-1) * streams.unsqueeze(-2)).sum(-3)
    return post.unsqueeze(-1) * y.float().unsqueeze(-2) + mixed


class Compressor(nn.Module):
    """Pools `ratio` consecutive tokens into one row of width `d`; ratio 4 overlaps with the window before."""

    def __init__(self, g, ratio, d):
        super().__init__()
        self.g, self.ratio, self.d, self.halves = g, ratio, d, 2 if ratio == 4 else 1
        self.wkv = nn.Linear(g.hidden_size, self.halves * d, bias=False)
        self.wgate = nn.Linear(g.hidden_size, self.halves * d, bias=False)
        self.ape = nn.Parameter(torch.zeros(ratio, self.halves * d))
        self.norm = nn.Parameter(torch.ones(d))

    def forward(self, x, first, cos, sin):
        """x [B, T, D]; first [B, R] true where row r opens a segment; cos/sin at the rows' first tokens -> [B, R, d]"""
        B, T, _ = x.shape
        shape = (B, T // self.ratio, self.ratio, self.halves, self.d)
        kv = self.wkv(x).view(shape).float()
        z = (self.wgate(x).float().view(B, -1, self.ratio, self.halves * self.d) + self.ape).view(shape)
        if self.halves == 2:
            before_kv = F.pad(kv[:, :-1, :, 0], (0, 0, 0, 0, 1, 0))
            before_z = F.pad(z[:, :-1, :, 0], (0, 0, 0, 0, 1, 0))
            before_z = before_z.masked_fill(first[:, :, None, None], NEG)
            kv, z = torch.cat((before_kv, kv[:, :, :, 1]), 2), torch.cat((before_z, z[:, :, :, 1]), 2)
        else:
            kv, z = kv[:, :, :, 0], z[:, :, :, 0]
        row = (torch.softmax(z, 2) * kv).sum(2)
        return rotate_tail(rms(row, self.g.eps) * self.norm, cos, sin)


class Indexer(nn.Module):
    """Scores compressed rows for each query; trained only to imitate where attention went."""

    def __init__(self, g):
        super().__init__()
        self.g = g
        self.compressor = Compressor(g, 4, g.index_head_dim)
        self.wq_b = nn.Linear(g.q_rank, g.index_heads * g.index_head_dim, bias=False)
        self.weights_proj = nn.Linear(g.hidden_size, g.index_heads, bias=False)
        self.register_buffer("hadamard", hadamard_matrix(g.index_head_dim), persistent=False)

    def keys(self, x, first, cos, sin, mode):
        k = self.compressor(x, first, cos, sin)
        return fp4_round(k @ self.hadamard) if mode.round_kv else k

    def forward(self, x, qr, keys, cos, sin, mode):
        """x [B, Q, D], qr [B, Q, q_rank], keys [B, R, d] -> scores [B, Q, R] F32"""
        g, (B, Q, _) = self.g, x.shape
        q = self.wq_b(qr).view(B, Q, g.index_heads, g.index_head_dim)
        q = rotate_tail(q, cos.unsqueeze(2), sin.unsqueeze(2))
        if mode.round_kv:
            q = fp4_round(q.float() @ self.hadamard)
        weights = self.weights_proj(x).float() * (g.index_head_dim * g.index_heads) ** -0.5
        hits = torch.bmm(q.flatten(1, 2), keys.to(q.dtype).transpose(1, 2)).view(B, Q, g.index_heads, -1)
        return (weights.unsqueeze(-1) * F.relu(hits).float()).sum(2)


class Attention(nn.Module):
    def __init__(self, g, ratio):
        super().__init__()
        self.g, self.ratio, self.query_chunk = g, ratio, None
        H, D = g.n_heads, g.head_dim
        self.wq_a = nn.Linear(g.hidden_size, g.q_rank, bias=False)
        self.q_norm = nn.Parameter(torch.ones(g.q_rank))
        self.wq_b = nn.Linear(g.q_rank, H * D, bias=False)
        self.wkv = nn.Linear(g.hidden_size, D, bias=False)
        self.kv_norm = nn.Parameter(torch.ones(D))
        self.attn_sink = nn.Parameter(torch.zeros(H))
        self.wo_a = nn.Parameter(
            torch.randn(g.o_groups * g.o_rank, H * D // g.o_groups) / math.sqrt(H * D // g.o_groups)
        )
        self.wo_b = nn.Linear(g.o_groups * g.o_rank, g.hidden_size, bias=False)
        self.compressor = Compressor(g, ratio, D) if ratio else None
        self.indexer = Indexer(g) if ratio == 4 else None

    def rows(self, x, start, rope, mode):
        """Compressed rows [B, R, D], and the indexer's keys [B, R, d] where there is one and it is asked."""
        cos, sin = (table[:, :: self.ratio] for table in rope)
        first = start[:, :: self.ratio] == torch.arange(0, x.shape[1], self.ratio, device=x.device)
        rows = self.compressor(x, first, cos, sin)
        if mode.round_kv:
            rows = fp8_round(rows, self.g.rope_dim)
        if self.indexer is None or not (mode.sparse or mode.index_loss):
            return rows.to(x.dtype), None
        # The indexer learns from its own loss alone.
        return rows.to(x.dtype), self.indexer.keys(x.detach(), first, cos, sin, mode)

    def selected(self, scores, visible):
        """The `index_top_k` best visible rows of each query. Scores of exactly zero are common (all ReLUs
        closed): the lower row wins, as in the engine."""
        k = self.g.index_top_k
        if scores.shape[-1] <= k:
            return visible
        ranked = scores.detach() - 1e-12 * torch.arange(scores.shape[-1], device=scores.device)
        return visible & (ranked >= ranked.topk(k, -1).values[..., -1:])

    def forward(self, x, start, rope, mode):
        """x [B, T, hidden] -> [B, T, hidden], indexer loss"""
        g, (B, T, _) = self.g, x.shape
        H, D, w = g.n_heads, g.head_dim, g.window
        cos, sin = rope
        qr = (rms(self.wq_a(x), g.eps) * self.q_norm).to(x.dtype)
        q = rms(self.wq_b(qr).view(B, T, H, D), g.eps).to(x.dtype)
        q = rotate_tail(q, cos.unsqueeze(2), sin.unsqueeze(2)) * D**-0.5
        kv = rotate_tail((rms(self.wkv(x), g.eps) * self.kv_norm).to(x.dtype), cos, sin)
        if mode.round_kv:
            kv = fp8_round(kv, g.rope_dim)
        blocks = kv.view(B, -1, w, D)
        local = torch.cat((F.pad(blocks[:, :-1], (0, 0, 0, 0, 1, 0)), blocks), 2)
        rows, keys = self.rows(x, start, rope, mode) if self.ratio else (None, None)
        chunk = min(self.query_chunk or T, T)
        parts = [
            self.attend(x, qr, q, local, rows, keys, start, rope, mode, lo, min(lo + chunk, T))
            for lo in range(0, T, chunk)
        ]
        out = torch.cat([o for o, _ in parts], 1) if len(parts) > 1 else parts[0][0]
        out = rotate_tail(out, cos.unsqueeze(2), -sin.unsqueeze(2)).to(x.dtype)
        low = torch.einsum(
            "btgi,gri->btgr", out.view(B, T, g.o_groups, -1), self.wo_a.view(g.o_groups, g.o_rank, -1).to(x.dtype)
        )
        return self.wo_b(low.flatten(2)), sum(loss for _, loss in parts) / len(parts)

    def attend(self, x, qr, q, local, rows, keys, start, rope, mode, lo, hi):
        """Outputs [B, hi-lo, H, D] of the queries lo..hi (multiples of the window), and the indexer's loss."""
        g, B, Q = self.g, q.shape[0], hi - lo
        H, D, w, nb = g.n_heads, g.head_dim, g.window, Q // g.window
        q, start = q[:, lo:hi], start[:, lo:hi]
        local = local[:, lo // w : hi // w].flatten(0, 1)
        sw = torch.bmm(q.reshape(B * nb, w * H, D), local.transpose(1, 2)).view(B, nb, w, H, 2 * w)
        i, j = torch.arange(w, device=x.device)[:, None], torch.arange(2 * w, device=x.device)
        key_at = (torch.arange(lo // w, hi // w, device=x.device)[:, None, None] - 1) * w + j
        in_window = (j > i) & (j <= i + w) & (key_at >= start.reshape(B, nb, w, 1))
        sw = sw.float().masked_fill(~in_window.unsqueeze(3), NEG).view(B, Q, H, 2 * w)
        sink = self.attn_sink.float()[:, None]
        top = torch.maximum(sw.amax(-1, keepdim=True), sink).detach()
        index_loss = x.new_zeros((), dtype=torch.float32)
        if rows is None:
            e = torch.exp(sw - top)
            p = (e / (e.sum(-1, keepdim=True) + torch.exp(sink - top))).to(x.dtype)
            return torch.bmm(p.view(B * nb, w * H, 2 * w), local).view(B, Q, H, D), index_loss

        opens = torch.arange(0, x.shape[1], self.ratio, device=x.device)
        position = torch.arange(lo, hi, device=x.device)[:, None]
        visible = (opens + self.ratio - 1 <= position) & (opens >= start[:, :, None])
        scores, some = None, None
        if keys is not None:
            # While nothing is dropped, a quarter of the queries is enough for the indexer to learn from.
            some = (
                torch.arange(Q, device=x.device)
                if mode.sparse
                else 4 * torch.arange(Q // 4, device=x.device) + torch.arange(Q // 4, device=x.device) % 4
            )
            cos, sin = (table[:, lo:hi][:, some] for table in rope)
            scores = self.indexer(x[:, lo:hi][:, some].detach(), qr[:, lo:hi][:, some].detach(), keys, cos, sin, mode)
            scores = scores.masked_fill(~visible[:, some], NEG)
            if mode.sparse:
                visible = self.selected(scores, visible)
        sc = torch.bmm(q.reshape(B, Q * H, D), rows.transpose(1, 2)).view(B, Q, H, -1)
        sc = sc.float().masked_fill(~visible.unsqueeze(2), NEG)
        top = torch.maximum(top, sc.amax(-1, keepdim=True)).detach()
        ew, ec = torch.exp(sw - top), torch.exp(sc - top)
        total = ew.sum(-1, keepdim=True) + ec.sum(-1, keepdim=True) + torch.exp(sink - top)
        pw, pc = (ew / total).to(x.dtype), (ec / total).to(x.dtype)
        out = torch.bmm(pw.view(B * nb, w * H, 2 * w), local).view(B, Q, H, D) + torch.bmm(
            pc.view(B, Q * H, -1), rows
        ).view(B, Q, H, D)
        if scores is not None and mode.index_loss:
            # Cross entropy against the attention mass on compressed rows: queries that look there count more.
            wanted = pc[:, some].detach().float().mean(2)
            index_loss = -(wanted * torch.log_softmax(scores, -1)).sum(-1).mean()
        return out, index_loss


class Experts(nn.Module):
    """Routed experts plus the shared one. w1 gate, w3 up [E, width, hidden]; w2 down [E, hidden, width]."""

    def __init__(self, g, hashed):
        super().__init__()
        self.g, self.hashed = g, hashed
        E, W, D = g.n_experts, g.expert_width, g.hidden_size
        self.gate = nn.Parameter(torch.randn(E, D) / math.sqrt(D))
        for name, n in (("experts", E), ("shared", 1)):
            self.register_parameter(f"{name}_w1", nn.Parameter(torch.randn(n, W, D) / math.sqrt(D)))
            self.register_parameter(f"{name}_w3", nn.Parameter(torch.randn(n, W, D) / math.sqrt(D)))
            self.register_parameter(f"{name}_w2", nn.Parameter(torch.randn(n, D, W) / math.sqrt(W)))
        if hashed:
            rng = torch.Generator().manual_seed(1)
            ranks = torch.rand(g.vocab_size, E, generator=rng).argsort(-1)
            self.register_buffer("tid2eid", ranks[:, : g.n_experts_per_token].contiguous())
        else:
            self.register_buffer("bias", torch.zeros(E))

    def forward(self, x, tokens):
        """x [B, T, hidden], tokens [B, T] -> [B, T, hidden], load per expert [E]"""
        g = self.g
        with torch.autocast(x.device.type, enabled=False):
            p = torch.sqrt(F.softplus(x.float() @ self.gate.T))
            ids = (
                self.tid2eid[tokens]
                if self.hashed
                else (p.detach() + self.bias).topk(g.n_experts_per_token, -1).indices
            )
            used = (ids.unsqueeze(-1) == torch.arange(g.n_experts, device=x.device)).any(-2)
            gates = torch.where(used, p, 0.0)
            gates = gates / gates.sum(-1, keepdim=True) * g.routed_scale
            load = used.float().sum((0, 1))
        gates = torch.cat((gates, torch.ones_like(gates[..., :1])), -1).to(x.dtype)
        w1 = torch.cat((self.experts_w1, self.shared_w1)).flatten(0, 1).to(x.dtype)
        w3 = torch.cat((self.experts_w3, self.shared_w3)).flatten(0, 1).to(x.dtype)
        w2 = torch.cat((self.experts_w2, self.shared_w2)).transpose(1, 2).flatten(0, 1).to(x.dtype)
        gate = (x @ w1.T).clamp(max=g.swiglu_limit)
        up = (x @ w3.T).clamp(-g.swiglu_limit, g.swiglu_limit)
        h = (F.silu(gate) * up).unflatten(-1, (g.n_experts + 1, -1)) * gates.unsqueeze(-1)
        return h.flatten(-2) @ w2, load


class Block(nn.Module):
    def __init__(self, g, layer):
        super().__init__()
        self.g = g
        self.hc_attn, self.hc_ffn = HyperConnection(g, 2 * layer), HyperConnection(g, 2 * layer + 1)
        self.attn_norm = nn.Parameter(torch.ones(g.hidden_size))
        self.ffn_norm = nn.Parameter(torch.ones(g.hidden_size))
        self.attn = Attention(g, g.compress_ratios[layer])
        self.ffn = Experts(g, layer < g.n_hash_layers)

    def forward(self, streams, tokens, start, rope, dtype, mode):
        x, post, comb = self.hc_attn(streams)
        y, index_loss = self.attn((rms(x, self.g.eps) * self.attn_norm).to(dtype), start, rope, mode)
        streams = hc_write(streams, y, post, comb)
        x, post, comb = self.hc_ffn(streams)
        y, load = self.ffn((rms(x, self.g.eps) * self.ffn_norm).to(dtype), tokens)
        return hc_write(streams, y, post, comb), index_loss, load


class Head(nn.Module):
    """Collapses the streams and predicts; returns logits, or the weighted loss when targets are given."""

    def __init__(self, g):
        super().__init__()
        self.g = g
        n = g.n_streams
        self.fn = nn.Parameter(torch.randn(n, n * g.hidden_size) / math.sqrt(n * g.hidden_size))
        self.base = nn.Parameter(torch.zeros(n))
        self.scale = nn.Parameter(torch.full((1,), 0.1))
        self.norm = nn.Parameter(torch.ones(g.hidden_size))
        self.weight = nn.Parameter(torch.zeros(g.vocab_size, g.hidden_size))

    def hidden(self, streams, dtype):
        g = self.g
        with torch.autocast(streams.device.type, enabled=False):
            z = rms(streams.flatten(-2), g.eps) @ self.fn.T
            pre = torch.sigmoid(z * self.scale[0] + self.base) + g.eps
            x = (pre.unsqueeze(-1) * streams).sum(-2)
            return (rms(x, g.eps) * self.norm).to(dtype)

    def forward(self, streams, dtype, targets=None, weights=None):
        logits = F.linear(self.hidden(streams, dtype), self.weight.to(dtype)).float()
        if targets is None:
            return logits
        losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return (losses * weights.flatten()).sum() / weights.sum().clamp_min(1.0), losses.view_as(targets)


class Model(nn.Module):
    def __init__(self, g, dtype=torch.float32):
        super().__init__()
        self.g, self.dtype = g, dtype
        self.embed = nn.Parameter(torch.randn(g.vocab_size, g.hidden_size) * 0.5)
        self.layers = nn.ModuleList(Block(g, i) for i in range(g.n_layers))
        self.head = Head(g)
        for name, compressing in (("plain", False), ("yarn", True)):
            self.register_buffer(f"freq_{name}", rope_frequencies(g, compressing).float(), persistent=False)
        for block in self.layers:  # start as the identity on the streams
            nn.init.zeros_(block.attn.wo_b.weight)
            nn.init.zeros_(block.ffn.experts_w2)
            nn.init.zeros_(block.ffn.shared_w2)

    def rope(self, start, compressing):
        freq = self.freq_yarn if compressing else self.freq_plain
        position = torch.arange(start.shape[1], device=start.device) - start
        angle = position.float().unsqueeze(-1) * freq
        return torch.cos(angle), torch.sin(angle)

    def streams(self, tokens, start, mode):
        """tokens, start [B, T] -> streams [B, T, n, D], indexer loss, loads"""
        ropes = {c: self.rope(start, c) for c in (False, True)}
        s = F.embedding(tokens, self.embed).unsqueeze(2).expand(-1, -1, self.g.n_streams, -1).float().contiguous()
        index_loss, loads = 0.0, []
        for block, ratio in zip(self.layers, self.g.compress_ratios):
            s, loss, load = block(s, tokens, start, ropes[ratio != 0], self.dtype, mode)
            index_loss = index_loss + loss
            loads.append(load)
        return s, index_loss, loads

    def forward(self, tokens, start=None, mode=Mode()):
        """Logits [B, T, vocab]; T must be a multiple of 128."""
        start = torch.zeros_like(tokens) if start is None else start
        return self.head(self.streams(tokens, start, mode)[0], self.dtype)

    def limit_queries(self, n):
        """Attend `n` queries at a time (a multiple of 128): bounds memory on long inputs, changes nothing else."""
        for block in self.layers:
            block.attn.query_chunk = n

    def loss(self, tokens, start, targets, weights, mode):
        """-> weighted next-token loss, indexer loss, per-token losses [B, T], loads"""
        s, index_loss, loads = self.streams(tokens, start, mode)
        loss, losses = self.head(s, self.dtype, targets, weights)
        return loss, index_loss, losses, loads

    @torch.no_grad()
    def balance(self, loads, rate=1e-3):
        """Aux-free balancing: nudge each learned router's bias towards equal load."""
        for block, load in zip(self.layers, loads):
            if not block.ffn.hashed:
                block.ffn.bias += rate * torch.sign(load.mean() - load)
                block.ffn.bias -= block.ffn.bias.mean()
