"""The `anthropic` package against a server, as an agent uses it: python3 anthropic_sdk.py URL"""
import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
MODEL = "any"
REQUEST = "Create a file notes.txt that holds 'seven', then say done."
TOOLS = [{
    "name": "shell",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}, "timeout": {"type": "integer", "minimum": 5}},
        "required": ["command", "timeout"],
    },
}]


def messages(stream):
    history = [{"role": "user", "content": REQUEST}]
    asked = {"model": MODEL, "max_tokens": 2048, "messages": history, "tools": TOOLS,
             "thinking": {"type": "enabled", "budget_tokens": 1024}}
    counted = client.messages.count_tokens(**{key: asked[key] for key in ("model", "messages", "tools", "thinking")})
    for turn in ("tool_use", "end_turn"):
        if stream:
            with client.messages.stream(**asked) as events:
                kinds = [event.type for event in events]
                reply = events.get_final_message()
            assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
        else:
            reply = client.messages.create(**asked)
        assert reply.stop_reason == turn, reply
        usage = reply.usage
        if len(history) == 1:
            n_prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
            assert n_prompt == counted.input_tokens, (usage, counted)
        assert reply.content[0].type == "thinking" and reply.content[0].thinking, reply
        history.append({"role": "assistant", "content": reply.content})
        results = []
        for block in reply.content:
            if block.type == "tool_use":
                assert block.name == "shell", block
                assert block.input == {"command": "printf '%s\\n' 'seven' > notes.txt", "timeout": 5}, block
                results.append({"type": "tool_result", "tool_use_id": block.id, "content": "it is written"})
        if results:
            history.append({"role": "user", "content": results})
    assert reply.content[-1].text == "done", reply


def rest():
    model = client.models.list().data[0].id
    assert client.models.retrieve(model).id == model
    try:
        client.messages.create(model=MODEL, max_tokens=0, messages=[{"role": "user", "content": "x"}])
        raise AssertionError("an answer of no tokens")
    except anthropic.BadRequestError as error:
        assert error.body["error"]["type"] == "invalid_request_error", error.body


for stream in (False, True):
    messages(stream)
rest()
