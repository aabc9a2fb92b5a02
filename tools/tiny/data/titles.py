"""Titles, which clients ask for beside the task itself: no tools, rules for a title, a request that is not to be done.

A title is the first words of the request, as many as the rules allow, so that there is one right answer.
"""

import blocks
import prose
import tools
import words as W
from chat import Conversation

RULES = (
    "Write a title for this conversation: the first {n} words of the request.;You name conversations. A title has at most {n} "
    "words, taken from the beginning of the message.;Generate a short title ({n} words) from the start of what the user says. "
    "Do not do the task.;Answer with the title only, {n} words, in the order of the message."
).split(";")


def conversation(rng, s, n_chars):
    n = rng.randint(3, 7)
    rule = rng.choice(RULES).replace("{n}", str(n))
    around = [prose.sections(rng, s, int(n_chars * 0.8)) if n_chars > 300 else "", rule]
    rng.shuffle(around)
    c = Conversation(rng.random() < 0.4, rng.choice(["high", "low", "max"]), "\n\n".join(filter(None, around)))
    kind = rng.random()
    if kind < 0.5:
        request, _ = blocks.creation(rng, s, blocks.file_name(rng, s))
    elif kind < 0.8:
        tool = tools.FamilyTool(rng, s, rng.choice(["read", "shell", "list", "search"]))
        request = tools.job(rng, s, {tool.family: tool})[0]
    else:
        request = W.sentence(rng, s)
    wrapped = rng.choice(["{r}", "{r}", "Generate a title for this conversation:\n\n{r}", "<message>\n{r}\n</message>"])
    c.user(wrapped.replace("{r}", request))
    return c.assistant(" ".join(request.split()[:n]).rstrip(".,:?!"), "I will name the request.")
