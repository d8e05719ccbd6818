"""openai, Responses."""
import asyncio
import json

import httpx
import openai
import pydantic
import pytest

from situations import *

TOOLS = [{"type": "function", "name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS, "strict": False}]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(relay):
    with openai.OpenAI(base_url=f"{relay.url}/v1", api_key="k", timeout=20) as client:
        yield client


def stream_of(client, model, **more):
    return client.responses.create(model=model, input="Hello", stream=True, **more)


def text_of(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def strict(value):
    """The SDK builds objects without validation: this validates one, so that a member that is missing or wrong shows."""
    data = value.to_dict(mode="json", exclude_unset=True)
    return type(value).model_validate(data, strict=False)


@any_kind
def test_whole(client, calls, kind):
    answer = client.responses.create(model=f"{kind}-text", input="Hello")
    assert answer.output_text == WHOLE and answer.status == "completed"
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (INPUT, OUTPUT, INPUT + OUTPUT)
    strict(answer)


@any_kind
def test_streamed(client, calls, kind):
    events = list(stream_of(client, f"{kind}-text"))
    assert text_of(events) == WHOLE and events[-1].type == "response.completed"
    assert events[-1].response.output_text == WHOLE and events[-1].response.usage.output_tokens == OUTPUT
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    for event in events:
        strict(event)


@any_kind
def test_the_helper(client, calls, kind):
    with client.responses.stream(model=f"{kind}-reasoning", input="Hello") as stream:
        assert text_of(list(stream)) == WHOLE
        answer = stream.get_final_response()
    assert answer.output_text == WHOLE
    assert answer.output[0].type == "reasoning" and answer.output[0].summary[0].text == "Let me think."


@any_kind
def test_characters_that_split_lines(client, calls, kind):
    assert text_of(stream_of(client, f"{kind}-separators")) == WHOLE_SEPARATED
    assert client.responses.create(model=f"{kind}-separators", input="Hello").output_text == WHOLE_SEPARATED


@any_kind
def test_length(client, calls, kind):
    answer = client.responses.create(model=f"{kind}-length", input="Hello")
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"


@any_kind
def test_tools_and_what_follows(client, calls, kind):
    model = f"{kind}-parallel"
    first = client.responses.create(model=model, input="Hello", tools=TOOLS, parallel_tool_calls=True, tool_choice="auto")
    asked = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(item.arguments)["city"] for item in asked] == ["Paris", "Oslo"]
    strict(first)
    results = [{"type": "function_call_output", "call_id": item.call_id, "output": "sunny"} for item in asked]
    second = client.responses.create(model=model, input=[{"role": "user", "content": "Hello"}, *first.output, *results], tools=TOOLS)
    assert second.output_text == AFTER_TOOLS


@any_kind
def test_tools_streamed(client, calls, kind):
    with client.responses.stream(model=f"{kind}-parallel", input="Hello", tools=TOOLS) as stream:
        done = [event for event in stream if event.type == "response.function_call_arguments.done"]
        asked = [item for item in stream.get_final_response().output if item.type == "function_call"]
    assert [json.loads(event.arguments)["city"] for event in done] == ["Paris", "Oslo"]
    assert [item.name for item in asked] == ["get_weather"] * 2


@any_kind
def test_a_call_without_arguments(client, calls, kind):
    tools = [{"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}, "strict": False}]
    answer = client.responses.create(model=f"{kind}-bare", input="Hello", tools=tools)
    assert json.loads(answer.output[-1].arguments) == {}


@pytest.mark.parametrize("kind", ["chat", "responses", "gemini"])
def test_structured_output(client, calls, kind):
    assert client.responses.parse(model=f"{kind}-json", input="Hello", text_format=Weather).output_parsed == Weather(city="Paris", degrees=21)
    with client.responses.stream(model=f"{kind}-json", input="Hello", text_format=Weather) as stream:
        assert stream.get_final_response().output_parsed.degrees == 21


@any_kind
def test_silence(client, calls, kind):
    assert text_of(stream_of(client, f"{kind}-silent")) == WHOLE
    with client.responses.stream(model=f"{kind}-silenttools", input="Hello", tools=TOOLS) as stream:
        assert json.loads(stream.get_final_response().output[-1].arguments) == {"city": "Paris"}


@any_kind
@pytest.mark.parametrize("status, error", [(400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError),
                                           (500, openai.InternalServerError), (503, openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_not_asked_again(client, calls, kind, status, error, stream):
    with pytest.raises(error) as caught:
        client.responses.create(model=f"{kind}-{status}", input="Hello", stream=stream)
    assert FAULT in str(caught.value) and caught.value.request_id
    the_call(calls)


@any_kind
@pytest.mark.parametrize("script, words", [("error", FAULT), ("cut", "")])
def test_an_error_in_the_stream(client, calls, kind, script, words):
    if (kind, script) == ("responses", "error"):  # the provider's own event, at which the SDK raises
        with pytest.raises(openai.APIError, match=FAULT):
            list(stream_of(client, f"{kind}-{script}"))
        return
    events = list(stream_of(client, f"{kind}-{script}"))
    assert text_of(events) == TEXT[0]
    assert events[-1].type == "response.failed" and events[-1].response.error.message and words in events[-1].response.error.message
    strict(events[-1])
    with client.responses.stream(model=f"{kind}-{script}", input="Hello") as stream:
        assert list(stream)[-1].type == "response.failed"
        with pytest.raises(RuntimeError):
            stream.get_final_response()


def test_leaving_is_only_a_disconnect(client, upstream, calls):
    with stream_of(client, "responses-hold") as stream:
        assert next(event for event in stream if event.type == "response.output_text.delta")
    goes_on(upstream, calls)


def test_leaving_with_a_time_of_grace(client, calls):
    with stream_of(client, "responses-hold", extra_headers={"On-Disconnect": "cancel_after_ms=200"}) as stream:
        assert next(event for event in stream if event.type == "response.output_text.delta")
    closes_upstream(calls)


def test_background_goes_on(client, relay, upstream, calls):
    answer = client.responses.create(model="responses-hold", input="Hello", background=True)
    assert answer.status in ("queued", "in_progress")
    strict(answer)
    until("the upstream is asked", lambda: calls)
    goes_on(upstream, calls, 0.5)
    assert until("the end", lambda: (r := client.responses.retrieve(answer.id)).status == "completed" and r).output_text == WHOLE


def test_cancel(client, calls):
    answer = client.responses.create(model="chat-hold", input="Hello", background=True)
    until("the upstream is asked", lambda: calls)
    assert client.responses.cancel(answer.id).status == "cancelled"
    closes_upstream(calls)
    assert client.responses.retrieve(answer.id).status == "cancelled"
    client.responses.delete(answer.id)
    with pytest.raises((openai.NotFoundError, openai.APIStatusError)):
        client.responses.retrieve(answer.id)


@any_kind
def test_resume_after_every_event(client, calls, kind):
    events = list(stream_of(client, f"{kind}-parallel", background=True))
    id = events[0].response.id
    for at, event in enumerate(events[:-1]):
        rest = list(client.responses.retrieve(id, stream=True, starting_after=event.sequence_number))
        assert rest[-1].type == "response.completed"
        assert [e.type for e in rest if "delta" not in e.type] == [e.type for e in events[at + 1:] if "delta" not in e.type]
    assert list(client.responses.retrieve(id, stream=True))[0].type == "response.created"


def test_resume_while_it_runs(client, upstream, calls):
    with stream_of(client, "chat-hold") as stream:
        seen = next(event for event in stream if event.type == "response.output_text.delta")
        created = stream.response.headers["stream-id"].replace("strm_", "resp_")
    again = client.responses.retrieve(created, stream=True, starting_after=seen.sequence_number)
    upstream.released.set()
    assert seen.delta + text_of(again) == WHOLE


def test_resume_without_stream_true(relay, client, calls):
    answer = client.responses.create(model="chat-text", input="Hello")
    response = httpx.get(f"{relay.url}/v1/responses/{answer.id}", params={"starting_after": 1})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8" and "response.completed" in response.text


def test_resume_after_a_kill(mortal, calls):
    client = openai.OpenAI(base_url=f"{mortal.url}/v1", api_key="k", timeout=20, max_retries=0)
    seen = []
    with pytest.raises(openai.APIConnectionError):
        for event in stream_of(client, "chat-hold"):
            seen.append(event)
            if event.type == "response.output_text.delta":
                mortal.kill()
    mortal.start()
    rest = list(client.responses.retrieve(seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number))
    assert rest[-1].type in ("response.failed", "response.incomplete") and rest[-1].response.output_text == TEXT[0]


def test_time_outs_leave_one_generation(client, upstream, calls):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.4, max_retries=2).responses.create(model="chat-hold", input="Hello")
    goes_on(upstream, calls)  # what the SDK repeats joins what still runs


def test_raw_and_streaming_responses(client, relay, calls):
    raw = client.responses.with_raw_response.create(model="chat-text", input="Hello")
    assert raw.parse().output_text == WHOLE and raw.request_id
    assert relay.state(raw.headers["stream-id"])["text"] == WHOLE
    with client.responses.with_streaming_response.create(model="chat-text", input="Hello", stream=True) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "response.completed" in "".join(response.iter_lines())


@any_kind
@pytest.mark.parametrize("option", [
    {"metadata": {}}, {"truncation": "auto"}, {"truncation": "disabled"}, {"include": []}, {"service_tier": "auto"}, {"user": ""},
    {"service_tier": "default"}, {"tools": []}, {"text": {}}, {"text": {"format": {"type": "text"}}}, {"reasoning": {}}, {"top_logprobs": 0},
    {"instructions": ""}, {"previous_response_id": None}, {"conversation": None}, {"max_tool_calls": None}, {"parallel_tool_calls": True},
    {"stream_options": {"include_obfuscation": False}}, {"prompt_cache_key": ""}, {"temperature": 1}, {"background": False},
    {"include": ["reasoning.encrypted_content"]}, {"store": False}, {"tool_choice": "auto"}, {"context_management": []},
], ids=lambda option: ",".join(f"{name}={value}" for name, value in option.items()))
def test_empty_and_default_values(client, calls, kind, option):
    streamed = "stream_options" in option
    answer = client.responses.create(model=f"{kind}-text", input="Hello", stream=streamed, **option)
    assert (text_of(answer) if streamed else answer.output_text) == WHOLE


def test_items_that_come_back(client, calls):
    for kind in KINDS:
        first = client.responses.create(model=f"{kind}-reasoning", input=[{"type": "message", "role": "user", "content": "Hello"}])
        turn = [{"role": "user", "content": "Hello"}, *first.output, {"role": "user", "content": [{"type": "input_text", "text": "More"}]}]
        assert client.responses.create(model=f"{kind}-text", input=turn).output_text == WHOLE
        references = [{"type": "item_reference", "id": item.id} for item in first.output]
        turn = [{"role": "user", "content": "Hello"}, *references, {"role": "user", "content": "More"}]
        assert client.responses.create(model=f"{kind}-text", input=turn).output_text == WHOLE


def test_async(relay, calls):
    async def run():
        async with openai.AsyncOpenAI(base_url=f"{relay.url}/v1", api_key="k", timeout=20) as client:
            async def one(kind):
                async with client.responses.stream(model=f"{kind}-silent", input="Hello") as stream:
                    return (await stream.get_final_response()).output_text
            assert await asyncio.gather(*map(one, KINDS)) == [WHOLE] * len(KINDS)
    asyncio.run(run())
