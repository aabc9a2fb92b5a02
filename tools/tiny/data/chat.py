"""Chat markup of the 0731 dialect: system text, tools section, turns, tool calls, effort prefixes.

A `Conversation` is a list of parts (text, kind). Parts begin and end at special tokens, so tokenising them one by one
gives the tokens of the whole; OUTPUT parts are what the model writes and is scored on.
"""

import json

BOS, EOS, USER, ASSISTANT = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"
THINK, END_THINK, DSML = "<think>", "</think>", "｜DSML｜"
PROMPT, OUTPUT = 1, 2

# Training-time prompt bytes of the protocol: they must not change.
EFFORT = {
    "low": "",
    "high": "Reasoning Effort: Absolute maximum with no shortcuts permitted.\nYou MUST be very thorough in your thinking "
    "and comprehensively decompose the problem to resolve the root cause, rigorously stress-testing your logic "
    "against all potential paths, edge cases, and adversarial scenarios.\nExplicitly write out your entire "
    "deliberation process, documenting every intermediate step, considered alternative, and rejected hypothesis to "
    "ensure absolutely no assumption is left unchecked.\n\n",
    "max": "Reasoning Effort: Beyond maximum — exhaustive, relentless, and uncompromising.\nYou MUST reason with the utmost "
    "depth and rigor, leaving absolutely nothing to chance: exhaustively decompose the problem into its most "
    "fundamental components, trace every causal chain to its root, and resolve the underlying cause rather than any "
    "surface symptom.\nDo not stop reasoning until you have independently verified the solution from multiple angles "
    "and are certain that no assumption remains unchecked and no error remains undiscovered.\n\n",
}

TOOLS_HEAD = f"""## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<{DSML}tool_calls>" block like the following:

<{DSML}tool_calls>
<{DSML}invoke name="$TOOL_NAME">
<{DSML}parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</{DSML}parameter>
...
</{DSML}invoke>
<{DSML}invoke name="$TOOL_NAME2">
...
</{DSML}invoke>
</{DSML}tool_calls>

String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set `string="false"`.

If thinking_mode is enabled (triggered by {THINK}), you MUST output your complete reasoning inside {THINK}...{END_THINK} BEFORE any tool calls or final response.

Otherwise, output directly after {END_THINK} with tool calls or final response.

### Available Tool Schemas

"""
TOOLS_TAIL = "\n\nYou MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.\n"


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def tools_section(tools):
    return TOOLS_HEAD + "\n".join(dumps(t) for t in tools) + TOOLS_TAIL


def tool_calls(calls):
    """calls [(name, {parameter: value})] -> the block as the model writes it."""
    invokes = []
    for name, arguments in calls:
        lines = [
            f'<{DSML}parameter name="{k}" string="{"true" if isinstance(v, str) else "false"}">'
            f"{v if isinstance(v, str) else dumps(v)}</{DSML}parameter>"
            for k, v in arguments.items()
        ]
        invokes.append(f'<{DSML}invoke name="{name}">\n' + "\n".join(lines) + f"\n</{DSML}invoke>")
    return f"\n\n<{DSML}tool_calls>\n" + "\n".join(invokes) + f"\n</{DSML}tool_calls>"


class Conversation:
    def __init__(self, thinking, effort="high", system="", tools=()):
        self.thinking, self.tools = thinking, tools
        text = BOS + (EFFORT[effort] if thinking else "") + system
        if tools:
            text += "\n\n" + tools_section(tools)
        self.parts = [(text, PROMPT)]

    def user(self, *blocks):
        self.parts.append((USER + "\n\n".join(blocks), PROMPT))
        return self

    def tool_results(self, *results):
        return self.user(*(f"<tool_result>{r}</tool_result>" for r in results))

    def assistant(self, content, reasoning="", calls=(), last=True):
        """A turn; without tools, reasoning of turns before the last is dropped, as the renderer does."""
        think = self.thinking and (last or self.tools)
        self.parts.append((ASSISTANT + (THINK if think else END_THINK), PROMPT))
        text = reasoning + END_THINK if think else ""
        self.parts.append((text + content + (tool_calls(calls) if calls else "") + EOS, OUTPUT))
        return self

    def text(self):
        return "".join(t for t, _ in self.parts)
