"""Packs conversations into training batches, in worker processes.

A batch is (tokens [B, T+1] u16, start [B, T] i32, kind [B, T] u8): segments begin at multiples of 128, `start` is
where a position's segment begins, `kind` is 0 for nothing to learn, 1 prompt, 2 output, for the *next* token.
"""

import multiprocessing as mp
import os
import random

import numpy as np

ALIGN = 128


class Encoder:
    def __init__(self, tokenizer_path, filler_path):
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        import words
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(tokenizer_path))
        tokens = (self.tokenizer.decode([i]).strip() for i in range(3, self.tokenizer.get_vocab_size()))
        self.source = words.Source(filler_path, [t for t in tokens if len(t) > 1 and t.isalpha()])

    def encode(self, conversation):
        """-> ids u16 [n], kind u8 [n] (kind of each token itself)"""
        ids, kinds = [], []
        for encoding, (_, kind) in zip(
            self.tokenizer.encode_batch([t for t, _ in conversation.parts], add_special_tokens=False),
            conversation.parts,
        ):
            ids += encoding.ids
            kinds += [kind] * len(encoding.ids)
        return np.array(ids, np.uint16), np.array(kinds, np.uint8)


LENGTHS = [128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768]


def make_batch(encoder, rng, B, T, long_share):
    """One batch; `long_share` is the share of rows that hold a single long conversation."""
    from tasks import sample

    tokens = np.zeros((B, T + 1), np.uint16)
    start, kind = np.zeros((B, T), np.int32), np.zeros((B, T), np.uint8)
    lengths = [n for n in LENGTHS if n <= T]
    for b in range(B):
        at = 0
        while at < T:
            room = T - at
            fitting = [n for n in lengths if n <= room]
            want = fitting[-1] if at == 0 and rng.random() < long_share else rng.choice(fitting)
            for shrink in (0.9, 0.7, 0.5, 0.3):
                ids, kinds = encoder.encode(sample(rng, encoder.source, int(want * shrink)))
                if len(ids) <= room:
                    break
            else:
                break  # the rest of the row stays empty
            n = len(ids)
            tokens[b, at : at + n] = ids
            kind[b, at : at + n - 1] = kinds[1:]
            end = at + -(-n // ALIGN) * ALIGN
            start[b, at:end] = at
            at = end
        if at < T:
            start[b, at:] = at
    return tokens, start, kind


def _work(queue, seed, worker, tokenizer_path, filler_path, B, T, long_share):
    encoder = Encoder(tokenizer_path, filler_path)
    i = 0
    while True:
        queue.put(make_batch(encoder, random.Random(f"{seed}/{worker}/{i}"), B, T, long_share))
        i += 1


def batches(seed, tokenizer_path, filler_path, B, T, long_share=0.3, n_workers=2):
    """Endless iterator of batches, and the processes behind it (terminate them when done)."""
    queue = mp.get_context("spawn").Queue(4 * n_workers)
    workers = [
        mp.get_context("spawn").Process(
            target=_work, daemon=True, args=(queue, seed, w, tokenizer_path, filler_path, B, T, long_share)
        )
        for w in range(n_workers)
    ]
    for worker in workers:
        worker.start()

    def take():
        while True:
            yield queue.get()

    return take(), workers
