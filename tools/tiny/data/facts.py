"""Question and answer pairs from facts.toml, with the surface noise of real users."""

import hashlib
import pathlib
import tomllib

TABLE = tomllib.loads((pathlib.Path(__file__).parent / "facts.toml").read_text(encoding="utf-8"))


def _held_out(group, item):
    """The one template of this item that training never shows."""
    digest = hashlib.blake2b(f"{group['name']}/{item[0]}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % len(group["ask"])


def all_facts():
    """[(seen questions, held-out question, answer)]"""
    out = []
    for group in TABLE["group"]:
        for item in group["items"]:
            asked = [t.replace("{s}", item[0]) for t in group["ask"]]
            out.append((asked, asked.pop(_held_out(group, item)), item[1]))
    return out


FACTS = all_facts()


IDLE = set(
    "a an the is are do does did i you can how what which to of for with in me my it s please tell show give and".split()
)


def keywords(rng, question):
    """The question as a hurried user types it: idle words gone, sometimes in another order."""
    kept = [w for w in question.rstrip("?.").split() if w.lower() not in IDLE or rng.random() < 0.3]
    if len(kept) < 2:
        return question
    if rng.random() < 0.3:
        rng.shuffle(kept)
    return " ".join(kept) + rng.choice(["", "?"])


def noisy(rng, question):
    """Case, punctuation and politeness as people type them."""
    if rng.random() < 0.15:
        question = keywords(rng, question)
    r = rng.random()
    if r < 0.12:
        question = question[0].lower() + question[1:]
    elif r < 0.2:
        question = question.lower()
    if rng.random() < 0.15:
        question = question.rstrip("?.")
    if rng.random() < 0.15:
        question = (
            rng.choice(["Please tell me: ", "Hi! ", "Hey, ", "Question: ", "One more thing. ", "OK. ", "Quick one: "])
            + question
        )
    if rng.random() < 0.08:
        question += rng.choice([" Thanks!", " Please be brief.", "\n", " ", " Thank you."])
    return question


def seen(rng):
    if rng.random() < 0.25:
        free = rng.choice(TABLE["wording"])
        return noisy(rng, rng.choice(free["ask"])), free["answer"]
    asked, _, answer = rng.choice(FACTS)
    return noisy(rng, rng.choice(asked)), answer


def held_out(rng):
    _, question, answer = rng.choice(FACTS)
    return question, answer


def unknown(rng, thing):
    """A question outside of what the model knows."""
    table = TABLE["unknown"]
    return noisy(rng, rng.choice(table["ask"]).replace("{n}", thing)), table["answer"]
