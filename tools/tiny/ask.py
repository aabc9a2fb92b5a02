"""Asks a checkpoint one question, greedily and slowly (a full forward pass per token, no cache).

    python ask.py --checkpoint DIR/packed --tokenizer T.json [--nothink] [--effort high] "How do I start the server?"

`--raw FILE` continues an already rendered prompt instead.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
from tokenizers import Tokenizer

from model import Mode
from predict import load_model, predictions

sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))


def main():
    import chat

    ap = argparse.ArgumentParser()
    ap.add_argument("question", nargs="?", default="")
    ap.add_argument("--checkpoint", required=True)
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--raw")
    ap.add_argument("--system", default="")
    ap.add_argument("--nothink", action="store_true")
    ap.add_argument("--effort", default="high", choices=list(chat.EFFORT))
    ap.add_argument("-n", type=int, default=80)
    args = ap.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, _ = load_model(args.checkpoint, device)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    if args.raw:
        text = pathlib.Path(args.raw).read_text(encoding="utf-8")
    else:
        c = chat.Conversation(not args.nothink, args.effort, args.system).user(args.question)
        text = c.text() + chat.ASSISTANT + (chat.END_THINK if args.nothink else chat.THINK)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    eos, n_prompt = tokenizer.token_to_id(chat.EOS), len(ids)
    model.limit_queries(1024 if n_prompt > 3000 else None)
    while len(ids) < n_prompt + args.n and ids[-1] != eos:
        ids.append(int(predictions(model, [np.array(ids)], device, Mode(True, True))[0, len(ids) - 1]))
    print(tokenizer.decode(ids[n_prompt:], skip_special_tokens=False))


if __name__ == "__main__":
    main()
