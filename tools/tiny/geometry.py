"""Shape of ironstar-tiny: one dataclass, its released-style config.json, and nothing else.

Per-head shapes are those of V4 Flash (head 512 with 64 rotated channels, indexer head 128, window 128,
ratios 4 and 128, 4 streams); everything else is fewer and narrower. Every matrix row is a multiple of
256 long, as the k-quants ask.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    vocab_size: int = 6144
    hidden_size: int = 256
    compress_ratios: tuple = (0, 0, 4, 128, 4)
    n_heads: int = 4
    head_dim: int = 512
    rope_dim: int = 64
    q_rank: int = 256
    o_groups: int = 2
    o_rank: int = 128
    window: int = 128
    index_heads: int = 8
    index_head_dim: int = 128
    index_top_k: int = 512
    n_experts: int = 16
    n_experts_per_token: int = 3
    expert_width: int = 256
    n_hash_layers: int = 2
    routed_scale: float = 1.5
    swiglu_limit: float = 10.0
    n_streams: int = 4
    sinkhorn_iterations: int = 20
    eps: float = 1e-6
    rope_theta: float = 10000.0
    compress_rope_theta: float = 160000.0
    yarn_factor: float = 16.0
    yarn_original_context: int = 65536
    yarn_beta_fast: float = 32.0
    yarn_beta_slow: float = 1.0
    max_positions: int = 1048576

    @property
    def n_layers(self):
        return len(self.compress_ratios)

    def config_json(self):
        """The keys of the released config.json (a trailing zero stands where the draft block would be)."""
        return {
            "architectures": ["DeepseekV4ForCausalLM"],
            "model_type": "deepseek_v4",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.n_layers,
            "compress_ratios": [*self.compress_ratios, 0],
            "num_attention_heads": self.n_heads,
            "num_key_value_heads": 1,
            "head_dim": self.head_dim,
            "qk_rope_head_dim": self.rope_dim,
            "q_lora_rank": self.q_rank,
            "o_groups": self.o_groups,
            "o_lora_rank": self.o_rank,
            "sliding_window": self.window,
            "index_n_heads": self.index_heads,
            "index_head_dim": self.index_head_dim,
            "index_topk": self.index_top_k,
            "n_routed_experts": self.n_experts,
            "num_experts_per_tok": self.n_experts_per_token,
            "n_shared_experts": 1,
            "moe_intermediate_size": self.expert_width,
            "num_hash_layers": self.n_hash_layers,
            "num_nextn_predict_layers": 0,
            "routed_scaling_factor": self.routed_scale,
            "scoring_func": "sqrtsoftplus",
            "norm_topk_prob": True,
            "swiglu_limit": self.swiglu_limit,
            "hc_mult": self.n_streams,
            "hc_sinkhorn_iters": self.sinkhorn_iterations,
            "hc_eps": self.eps,
            "rms_norm_eps": self.eps,
            "rope_theta": self.rope_theta,
            "compress_rope_theta": self.compress_rope_theta,
            "rope_scaling": {
                "type": "yarn",
                "factor": self.yarn_factor,
                "beta_fast": self.yarn_beta_fast,
                "beta_slow": self.yarn_beta_slow,
                "original_max_position_embeddings": self.yarn_original_context,
            },
            "max_position_embeddings": self.max_positions,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
            "bos_token_id": 0,
            "eos_token_id": 1,
        }


TINY = Geometry()

# Small enough for seconds on a CPU, with every layer kind, a sliding window and rows dropped by the indexer.
TOY = Geometry(
    vocab_size=6144,
    hidden_size=64,
    compress_ratios=(0, 4, 128, 4),
    n_heads=2,
    head_dim=128,
    q_rank=64,
    o_rank=32,
    index_heads=4,
    n_experts=4,
    n_experts_per_token=2,
    expert_width=32,
    n_hash_layers=1,
)
