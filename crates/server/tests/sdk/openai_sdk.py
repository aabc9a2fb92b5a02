"""The `openai` package against a server, as an agent uses it: python3 openai_sdk.py URL"""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
MODEL = "any"
REQUEST = "Create a file notes.txt that holds 'seven', then say done."
PARAMETERS = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "integer", "minimum": 5}},
    "required": ["command", "timeout"],
}


def check_call(name, arguments):
    assert name == "shell", name
    assert json.loads(arguments) == {"command": "printf '%s\\n' 'seven' > notes.txt", "timeout": 5}, arguments


def chat(stream):
    tools = [{"type": "function", "function": {"name": "shell", "parameters": PARAMETERS}}]
    messages = [{"role": "user", "content": REQUEST}]
    asked = {"model": MODEL, "messages": messages, "tools": tools}
    for turn in ("tool_calls", "stop"):
        if stream:
            with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                assert any(event.type == "chunk" for event in events)
                reply = events.get_final_completion()
        else:
            reply = client.chat.completions.create(**asked)
        choice = reply.choices[0]
        assert choice.finish_reason == turn, choice
        assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
        assert choice.message.reasoning_content
        messages.append(choice.message.to_dict())
        for call in choice.message.tool_calls or []:
            check_call(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "it is written"})
    assert choice.message.content == "done", choice


def responses(stream):
    tools = [{"type": "function", "name": "shell", "parameters": PARAMETERS, "strict": False}]
    asked = {"model": MODEL, "input": REQUEST, "tools": tools}
    for turn in range(2):
        if stream:
            with client.responses.stream(**asked) as events:
                kinds = [event.type for event in events]
                reply = events.get_final_response()
            assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
        else:
            reply = client.responses.create(**asked)
        assert reply.status == "completed", reply
        calls = [item for item in reply.output if item.type == "function_call"]
        assert len(calls) == 1 - turn, reply.output
        outputs = []
        for call in calls:
            check_call(call.name, call.arguments)
            outputs.append({"type": "function_call_output", "call_id": call.call_id, "output": "it is written"})
        asked = {"model": MODEL, "input": outputs, "tools": tools, "previous_response_id": reply.id}
    assert reply.output_text == "done", reply
    assert client.responses.retrieve(reply.id).id == reply.id
    client.responses.delete(reply.id)
    try:
        client.responses.retrieve(reply.id)
        raise AssertionError("a response that was deleted")
    except openai.NotFoundError:
        pass


def rest():
    model = client.models.list().data[0].id
    assert client.models.retrieve(model).id == model
    text = client.completions.create(model=MODEL, prompt="once", max_tokens=4, echo=True, logprobs=1)
    assert text.choices[0].text.startswith("once"), text
    assert text.choices[0].logprobs.token_logprobs[0] is None, text
    try:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}], n=2)
        raise AssertionError("two answers")
    except openai.BadRequestError as error:
        assert error.param == "n", error


for stream in (False, True):
    chat(stream)
    responses(stream)
rest()
