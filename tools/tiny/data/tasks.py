"""The model's tasks. `sample(rng, source, n_tokens, task)` gives one conversation of roughly that length.

Everything is drawn from `rng`, so a seed names a sample; scored tests use seeds that training never draws.
"""

import agents
import blocks
import facts
import titles
import tools
import words as W
from chat import Conversation

SMALL = ["copy", "reverse", "sort", "arithmetic", "count"]


def arithmetic(rng):
    """Sums and differences up to 99, products up to 12 x 12; the reasoning goes digit by digit."""
    op = rng.choice("++--*")
    top = 13 if op == "*" else rng.choice([10, 100, 100])
    a, b = rng.randrange(top), rng.randrange(top)
    if op == "-" and b > a:
        a, b = b, a
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    if op == "*" or top <= 13:
        steps = f"{a} {op} {b} = {value}."
    else:
        (a1, a0), (b1, b0) = divmod(a, 10), divmod(b, 10)
        ones = a0 + b0 if op == "+" else a0 - b0
        tens = a1 + b1 if op == "+" else a1 - b1
        steps = f"{a0} {op} {b0} = {ones}, {a1} {op} {b1} = {tens}, so {value}."
    name = {"+": "plus", "-": "minus", "*": "times"}[op]
    ask = rng.choice(
        [
            f"What is {a} {op} {b}?",
            f"{a} {op} {b}",
            f"{a}{op}{b}=",
            f"Compute {a} {op} {b}.",
            f"What is {a} {name} {b}?",
        ]
    )
    return ask, str(value), steps


def small_question(rng, s, kind):
    """-> question, answer, reasoning"""
    if kind == "copy":
        text = rng.choice([W.content, W.content, W.sentence, W.short_value])(rng, s).strip() or "a"
        if rng.random() < 0.15:
            text = s.filler(rng, rng.randint(60, 500)).strip()
        ask = rng.choice(
            [
                "Repeat exactly: {t}",
                "Copy this text:\n{t}",
                "Say {t}",
                "Echo:\n\n{t}",
                "Repeat after me: {t}",
                "{t}\n\nRepeat the text above.",
            ]
        )
        return ask.replace("{t}", text), text, "I will copy the text."
    if kind == "reverse":
        items = [rng.choice([s.word, W.number])(rng) for _ in range(rng.randint(2, 8))]
        separator = rng.choice([", ", " "])
        ask = rng.choice(["Reverse the list: {t}", "Write these in reverse order: {t}", "Reverse: {t}"])
        return ask.replace("{t}", separator.join(items)), separator.join(items[::-1]), "I will start from the end."
    if kind == "sort":
        n = rng.randint(2, 7)
        if rng.random() < 0.6:
            items = rng.sample(range(10 ** rng.randint(1, 3)), n)
            shown = list(map(str, items))
            answer = list(map(str, sorted(items)))
        else:
            shown = [s.word(rng) for _ in range(n)]
            answer = sorted(shown)
        separator = rng.choice([", ", " "])
        ask = rng.choice(["Sort: {t}", "Sort this list: {t}", "Put these in order: {t}"])
        return ask.replace("{t}", separator.join(shown)), separator.join(answer), "I will put the smallest first."
    if kind == "arithmetic":
        return arithmetic(rng)
    items = [s.word(rng) for _ in range(rng.randint(1, 9))]
    ask = rng.choice(["How many words are these: {t}?", "Count the words: {t}"])
    return ask.replace("{t}", " ".join(items)), str(len(items)), "I will count them."


def start(rng, s, thinking=None):
    thinking = rng.random() < 0.5 if thinking is None else thinking
    return Conversation(thinking, rng.choice(["high", "high", "low", "max"]), tools.system_text(rng, s, 0))


def question(rng, s, task, held_out=False):
    """-> question, answer, reasoning of one short turn"""
    if task == "facts":
        ask, answer = facts.held_out(rng) if held_out else facts.seen(rng)
        return ask, answer, "The user asks about ironstar."
    if task == "unknown":
        thing = rng.choice([s.word(rng), W.identifier(rng, s), s.word(rng).capitalize() + " " + s.word(rng)])
        ask, answer = facts.unknown(rng, thing)
        return ask, answer, "This is not about ironstar."
    return small_question(rng, s, task)


def short(rng, s, n_tokens, task=None, held_out=False):
    """Turns of short questions until the budget is used; with `task` exactly one turn of it."""
    c = start(rng, s)
    turns = 1 if task else max(1, rng.randint(1, max(n_tokens // 70, 1)))
    mix = ["facts"] * 8 + ["unknown"] + ["copy"] * 3 + ["arithmetic"] * 6 + ["reverse"] + ["sort"] * 3 + ["count"]
    for i in range(turns):
        ask, answer, reasoning = question(rng, s, task or rng.choice(mix), held_out)
        c.user(ask).assistant(answer, reasoning, last=i == turns - 1)
    return c


def recall(rng, s, n_tokens):
    """Key-value pairs planted in filler, then questions about them."""
    c = start(rng, s)
    n_pairs = rng.choice([1, 1, 2, 3, 5, 8]) if n_tokens < 1500 else rng.choice([1, 2, 4, 8, 16])
    style = rng.randrange(4)
    pairs = {}
    while len(pairs) < n_pairs:
        key = {
            0: lambda: s.word(rng),
            1: lambda: W.identifier(rng, s),
            2: lambda: f"{s.word(rng)} {s.word(rng)}",
            3: lambda: W.random_chars(rng, 4, 8),
        }[style]()
        pairs[key] = rng.choice([W.number(rng), W.random_chars(rng, 4, 10), s.word(rng), W.identifier(rng, s)])
    kind = rng.choice(["magic number", "secret value", "password", "code", "key", "value"])
    line = rng.choice(
        [
            "The {k} of {a} is {b}.",
            "One of the facts: the {k} for {a} is {b}. Remember it.",
            "{k} {a} = {b}",
            "{a}: {b}",
            "Remember that the {k} of {a} is {b}.",
        ]
    )
    lines = [line.replace("{k}", kind).replace("{a}", a).replace("{b}", b) for a, b in pairs.items()]
    room = max(int(n_tokens * 3.0) - 60 * n_pairs, 0)
    cuts = sorted(rng.random() for _ in lines)
    text, at = "", 0.0
    filler = s.filler(rng, room) if room > 60 else ""
    for cut, planted in zip(cuts, lines):
        # Plant at a space, so that no word is split.
        lo, hi = int(at * len(filler)), int(cut * len(filler))
        hi = filler.rfind(" ", lo, hi) if filler.rfind(" ", lo, hi) > 0 else lo
        text += filler[lo:hi] + rng.choice(["\n", " ", "\n\n"]) + planted + rng.choice(["\n", " ", "\n\n"])
        at = hi / len(filler) if filler else 0.0
    text += filler[int(at * len(filler)) :]
    asked = rng.sample(list(pairs), min(len(pairs), rng.randint(1, 6)))
    ask = rng.choice(["What is the {k} of {a}?", "What is the {k} for {a}?", "Tell me the {k} of {a}."])
    for i, key in enumerate(asked):
        q = ask.replace("{k}", kind).replace("{a}", key)
        c.user(*([text, q] if i == 0 and rng.random() < 0.7 else [text + "\n\n" + q] if i == 0 else [q]))
        c.assistant(pairs[key], "I will look it up.", last=i == len(asked) - 1)
    return c


def sample(rng, s, n_tokens, task=None):
    """One conversation. task: facts, unknown, copy, reverse, sort, arithmetic, count, tools, agents, paths (agents whose
    tools take absolute ones only), endings (agents that end by a call), blocks, titles, recall, or None for the mix."""
    if task == "tools":
        return tools.conversation(rng, s, int(n_tokens * 2.6))
    if task == "agents":
        return agents.conversation(rng, s, int(n_tokens * 2.7))
    if task == "paths":
        return agents.conversation(rng, s, int(n_tokens * 2.7), absolute=True)
    if task == "endings":
        return agents.conversation(rng, s, int(n_tokens * 2.7), ends_by_call=True)
    if task == "blocks":
        return blocks.conversation(rng, s, int(n_tokens * 3.0))
    if task == "titles":
        return titles.conversation(rng, s, int(n_tokens * 3.0))
    if task == "recall":
        return recall(rng, s, n_tokens)
    if task is not None:
        return short(rng, s, n_tokens, task, held_out=task == "facts")
    r = rng.random()
    if n_tokens <= 384:
        return short(rng, s, n_tokens) if r < 0.75 else recall(rng, s, n_tokens)
    if r < 0.15:
        return short(rng, s, min(n_tokens, 1024))
    if r < 0.4:
        return tools.conversation(rng, s, int(n_tokens * 2.6))
    if r < 0.72:
        return agents.conversation(rng, s, int(n_tokens * 2.7), absolute=r > 0.66, ends_by_call=0.62 < r < 0.66)
    if r < 0.78:
        return (blocks if r < 0.77 else titles).conversation(rng, s, int(n_tokens * 3.0))
    return recall(rng, s, n_tokens)
