"""Released tensor names of the checkpoint <-> parameters of `model.Model`."""


def released(model):
    """{released name: (tensor, kind)}; kind is "matrix", "vector" (norms, sinks, hyper-connections, biases) or "ids"."""
    g, out = model.g, {}

    def put(name, tensor, kind="matrix"):
        out[name] = (tensor.detach(), kind)

    def put_hc(prefix, hc):
        put(prefix + "_fn", hc.fn)
        put(prefix + "_base", hc.base, "vector")
        put(prefix + "_scale", hc.scale, "vector")

    def put_compressor(prefix, c):
        put(prefix + "wkv.weight", c.wkv.weight)
        put(prefix + "wgate.weight", c.wgate.weight)
        put(prefix + "ape", c.ape)
        put(prefix + "norm.weight", c.norm, "vector")

    put("embed.weight", model.embed)
    put("head.weight", model.head.weight)
    put("norm.weight", model.head.norm, "vector")
    put_hc("hc_head", model.head)
    for i, block in enumerate(model.layers):
        L = f"layers.{i}."
        put_hc(L + "hc_attn", block.hc_attn)
        put_hc(L + "hc_ffn", block.hc_ffn)
        put(L + "attn_norm.weight", block.attn_norm, "vector")
        put(L + "ffn_norm.weight", block.ffn_norm, "vector")
        a, A = block.attn, L + "attn."
        for name, tensor, kind in (
            ("wq_a.weight", a.wq_a.weight, "matrix"),
            ("q_norm.weight", a.q_norm, "vector"),
            ("wq_b.weight", a.wq_b.weight, "matrix"),
            ("wkv.weight", a.wkv.weight, "matrix"),
            ("kv_norm.weight", a.kv_norm, "vector"),
            ("attn_sink", a.attn_sink, "vector"),
            ("wo_a.weight", a.wo_a, "matrix"),
            ("wo_b.weight", a.wo_b.weight, "matrix"),
        ):
            put(A + name, tensor, kind)
        if a.compressor is not None:
            put_compressor(A + "compressor.", a.compressor)
        if a.indexer is not None:
            put_compressor(A + "indexer.compressor.", a.indexer.compressor)
            put(A + "indexer.wq_b.weight", a.indexer.wq_b.weight)
            put(A + "indexer.weights_proj.weight", a.indexer.weights_proj.weight)
        f, M = block.ffn, L + "ffn."
        put(M + "gate.weight", f.gate)
        if f.hashed:
            put(M + "gate.tid2eid", f.tid2eid, "ids")
        else:
            put(M + "gate.bias", f.bias, "vector")
        for w in ("w1", "w2", "w3"):
            put(f"{M}shared_experts.{w}.weight", getattr(f, f"shared_{w}")[0])
            for e in range(g.n_experts):
                put(f"{M}experts.{e}.{w}.weight", getattr(f, f"experts_{w}")[e])
    return out
