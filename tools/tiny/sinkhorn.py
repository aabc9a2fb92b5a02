"""Doubly-normalised mixing matrices of the hyper-connections: softmax over rows, then alternating divisions.

`sinkhorn(z, n_iterations, eps)` maps [..., 4, 4] logits to nearly doubly stochastic matrices (spec c.2).
On a GPU one Triton kernel does all iterations in registers; its backward divides the sums back out, so only
the sums are kept. On a CPU plain tensor operations serve, and are the definition.
"""

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # CPU-only installations
    triton = None


def sinkhorn_plain(z, n_iterations, eps):
    """The definition, in tensor operations."""
    m = torch.softmax(z, -1) + eps
    m = m / (m.sum(-2, keepdim=True) + eps)
    for _ in range(n_iterations - 1):
        m = m / (m.sum(-1, keepdim=True) + eps)
        m = m / (m.sum(-2, keepdim=True) + eps)
    return m


if triton is not None:

    @triton.jit
    def _forward(z_ptr, out_ptr, sums_ptr, n, n_iterations, eps, block: tl.constexpr):
        t = tl.program_id(0) * block + tl.arange(0, block)
        four = tl.arange(0, 4)
        at = t[:, None, None] * 16 + four[None, :, None] * 4 + four[None, None, :]
        live = (t < n)[:, None, None]
        z = tl.load(z_ptr + at, mask=live, other=0.0)
        e = tl.exp(z - tl.max(z, axis=2)[:, :, None])
        m = e / tl.sum(e, axis=2)[:, :, None] + eps
        sums_at = t[:, None] * 4 + four[None, :]
        live_sums = (t < n)[:, None]
        s = tl.sum(m, axis=1) + eps
        m = m / s[:, None, :]
        tl.store(sums_ptr + sums_at, s, mask=live_sums)
        for i in range(n_iterations - 1):
            s = tl.sum(m, axis=2) + eps
            m = m / s[:, :, None]
            tl.store(sums_ptr + (2 * i + 1) * n * 4 + sums_at, s, mask=live_sums)
            s = tl.sum(m, axis=1) + eps
            m = m / s[:, None, :]
            tl.store(sums_ptr + (2 * i + 2) * n * 4 + sums_at, s, mask=live_sums)
        tl.store(out_ptr + at, m, mask=live)

    @triton.jit
    def _backward(g_ptr, out_ptr, sums_ptr, gz_ptr, n, n_iterations, eps, block: tl.constexpr):
        t = tl.program_id(0) * block + tl.arange(0, block)
        four = tl.arange(0, 4)
        at = t[:, None, None] * 16 + four[None, :, None] * 4 + four[None, None, :]
        live = (t < n)[:, None, None]
        sums_at = t[:, None] * 4 + four[None, :]
        live_sums = (t < n)[:, None]
        g = tl.load(g_ptr + at, mask=live, other=0.0)
        m = tl.load(out_ptr + at, mask=live, other=0.25)
        for back in range(n_iterations - 1):
            i = n_iterations - 2 - back
            s = tl.load(sums_ptr + (2 * i + 2) * n * 4 + sums_at, mask=live_sums, other=1.0)
            g = (g - tl.sum(g * m, axis=1)[:, None, :]) / s[:, None, :]
            m = m * s[:, None, :]
            s = tl.load(sums_ptr + (2 * i + 1) * n * 4 + sums_at, mask=live_sums, other=1.0)
            g = (g - tl.sum(g * m, axis=2)[:, :, None]) / s[:, :, None]
            m = m * s[:, :, None]
        s = tl.load(sums_ptr + sums_at, mask=live_sums, other=1.0)
        g = (g - tl.sum(g * m, axis=1)[:, None, :]) / s[:, None, :]
        p = m * s[:, None, :] - eps
        tl.store(gz_ptr + at, p * (g - tl.sum(g * p, axis=2)[:, :, None]), mask=live)

    BLOCK = 64

    @torch.library.custom_op("tiny::sinkhorn", mutates_args=())
    def _sinkhorn(z: torch.Tensor, n_iterations: int, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
        z = z.contiguous()
        n = z.numel() // 16
        out = torch.empty_like(z)
        sums = torch.empty(2 * n_iterations - 1, n, 4, device=z.device, dtype=z.dtype)
        _forward[(triton.cdiv(n, BLOCK),)](z, out, sums, n, n_iterations, eps, block=BLOCK)
        return out, sums

    @_sinkhorn.register_fake
    def _(z, n_iterations, eps):
        return torch.empty_like(z, memory_format=torch.contiguous_format), z.new_empty(
            2 * n_iterations - 1, z.numel() // 16, 4
        )

    @torch.library.custom_op("tiny::sinkhorn_backward", mutates_args=())
    def _sinkhorn_backward(
        g: torch.Tensor, out: torch.Tensor, sums: torch.Tensor, n_iterations: int, eps: float
    ) -> torch.Tensor:
        n = out.numel() // 16
        gz = torch.empty_like(out)
        _backward[(triton.cdiv(n, BLOCK),)](g.contiguous(), out, sums, gz, n, n_iterations, eps, block=BLOCK)
        return gz

    @_sinkhorn_backward.register_fake
    def _(g, out, sums, n_iterations, eps):
        return torch.empty_like(out)

    def _setup(ctx, inputs, output):
        ctx.save_for_backward(*output)
        ctx.n_iterations, ctx.eps = inputs[1], inputs[2]

    def _grad(ctx, g, _g_sums):
        return _sinkhorn_backward(g, *ctx.saved_tensors, ctx.n_iterations, ctx.eps), None, None

    _sinkhorn.register_autograd(_grad, setup_context=_setup)


def sinkhorn(z, n_iterations, eps):
    """[..., 4, 4] F32 logits -> mixing matrices of the same shape."""
    if z.is_cuda and triton is not None:
        return _sinkhorn(z, n_iterations, eps)[0]
    return sinkhorn_plain(z, n_iterations, eps)
