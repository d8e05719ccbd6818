"""openai, Chat Completions."""
import asyncio
import json

import openai
import pydantic
import pytest

from situations import *

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}}]
ASK = [{"role": "user", "content": "Hello"}]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(relay):
    with openai.OpenAI(base_url=f"{relay.url}/v1", api_key="k", timeout=20) as client:
        yield client


def stream_of(client, model, **more):
    return client.chat.completions.create(model=model, messages=ASK, stream=True, **more)


def text_of(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@any_kind
def test_whole(client, calls, kind):
    answer = client.chat.completions.create(model=f"{kind}-text", messages=ASK)
    assert answer.choices[0].message.content == WHOLE
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (INPUT, OUTPUT, INPUT + OUTPUT)


@any_kind
def test_streamed(client, calls, kind):
    chunks = list(stream_of(client, f"{kind}-text"))
    assert text_of(chunks) == WHOLE
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@any_kind
def test_usage_in_the_stream(client, calls, kind):
    *rest, last = stream_of(client, f"{kind}-text", stream_options={"include_usage": True})
    assert text_of(rest) == WHOLE and last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (INPUT, OUTPUT)


@any_kind
def test_characters_that_split_lines(client, calls, kind):
    assert text_of(stream_of(client, f"{kind}-separators")) == WHOLE_SEPARATED
    whole = client.chat.completions.create(model=f"{kind}-separators", messages=ASK)
    assert whole.choices[0].message.content == WHOLE_SEPARATED


@any_kind
def test_length(client, calls, kind):
    assert client.chat.completions.create(model=f"{kind}-length", messages=ASK).choices[0].finish_reason == "length"


@any_kind
def test_reasoning(client, calls, kind):
    message = client.chat.completions.create(model=f"{kind}-reasoning", messages=ASK).choices[0].message
    assert message.content == WHOLE and message.reasoning_content == "Let me think."


@any_kind
def test_tools_and_what_follows(client, calls, kind):
    model = f"{kind}-parallel"
    first = client.chat.completions.create(model=model, messages=ASK, tools=TOOLS, parallel_tool_calls=True, tool_choice="auto")
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Paris", "Oslo"]
    assert len({call.id for call in message.tool_calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    second = client.chat.completions.create(model=model, messages=[*ASK, message, *results], tools=TOOLS)
    assert second.choices[0].message.content == AFTER_TOOLS


@any_kind
def test_tools_streamed(client, calls, kind):
    with client.chat.completions.stream(model=f"{kind}-parallel", messages=ASK, tools=TOOLS) as stream:
        events = list(stream)
        message = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["get_weather"] * 2
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Paris", "Oslo"]
    assert sum(event.type == "tool_calls.function.arguments.done" for event in events) == 2


@any_kind
def test_a_call_without_arguments(client, calls, kind):
    tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]
    message = client.chat.completions.create(model=f"{kind}-bare", messages=ASK, tools=tools).choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {}


@pytest.mark.parametrize("kind", ["chat", "responses", "gemini"])
def test_structured_output(client, calls, kind):
    answer = client.chat.completions.parse(model=f"{kind}-json", messages=ASK, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="Paris", degrees=21)
    with client.chat.completions.stream(model=f"{kind}-json", messages=ASK, response_format=Weather) as stream:
        assert stream.get_final_completion().choices[0].message.parsed.degrees == 21


@any_kind
def test_silence(client, calls, kind):
    assert text_of(stream_of(client, f"{kind}-silent")) == WHOLE


@any_kind
def test_silence_before_and_within_a_call(client, calls, kind):
    with client.chat.completions.stream(model=f"{kind}-silenttools", messages=ASK, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Paris"}


@any_kind
@pytest.mark.parametrize("status, error", [(400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError),
                                           (500, openai.InternalServerError), (503, openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_not_asked_again(client, calls, kind, status, error, stream):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=f"{kind}-{status}", messages=ASK, stream=stream)
    assert FAULT in str(caught.value)
    assert caught.value.body["message"] and caught.value.request_id
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"
    the_call(calls)  # x-should-retry: the relay has tried


@any_kind
@pytest.mark.parametrize("script, words", [("error", FAULT), ("cut", "")])
def test_an_error_in_the_stream(client, calls, kind, script, words):
    said = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream_of(client, f"{kind}-{script}"):
            said.append(chunk)
    assert text_of(said) == TEXT[0] and words in str(caught.value)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=f"{kind}-{script}", messages=ASK)
    assert words in str(caught.value)


def test_leaving_closes_the_upstream(client, calls):
    with stream_of(client, "chat-hold") as stream:
        assert next(chunk for chunk in stream if chunk.choices[0].delta.content)
    closes_upstream(calls)


def test_leaving_a_whole_answer_closes_the_upstream(client, calls):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5, max_retries=0).chat.completions.create(model="chat-hold", messages=ASK)
    closes_upstream(calls)


def test_on_disconnect_continue(client, upstream, calls):
    with stream_of(client, "chat-hold", extra_headers={"On-Disconnect": "continue"}) as stream:
        assert next(chunk for chunk in stream if chunk.choices[0].delta.content)
    goes_on(upstream, calls)


def test_a_killed_relay_is_no_end(mortal, calls):
    client = openai.OpenAI(base_url=f"{mortal.url}/v1", api_key="k", timeout=20, max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        for chunk in stream_of(client, "chat-hold"):
            if chunk.choices[0].delta.content:
                mortal.kill()


def test_time_outs_leave_no_generation(client, upstream, calls):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.4, max_retries=2).chat.completions.create(model="chat-hold", messages=ASK)
    until("every generation is closed", lambda: calls and all(call.closed.is_set() for call in calls))


def test_raw_and_streaming_responses(client, relay, calls):
    raw = client.chat.completions.with_raw_response.create(model="chat-text", messages=ASK)
    assert raw.parse().choices[0].message.content == WHOLE
    assert raw.request_id and raw.headers["content-type"].startswith("application/json")
    assert relay.state(raw.headers["stream-id"])["text"] == WHOLE
    with client.chat.completions.with_streaming_response.create(model="chat-text", messages=ASK, stream=True) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert sum(line.startswith("data: {") for line in response.iter_lines()) >= len(TEXT)


@any_kind
@pytest.mark.parametrize("option", [
    {"metadata": {}}, {"modalities": ["text"]}, {"top_logprobs": 0, "logprobs": False}, {"service_tier": "auto"},
    {"service_tier": "default"}, {"functions": [], "function_call": "none"}, {"user": ""}, {"tools": []}, {"stop": []}, {"logit_bias": {}},
    {"n": 1}, {"stream_options": {"include_usage": False}}, {"presence_penalty": 0, "frequency_penalty": 0}, {"logprobs": None},
    {"response_format": {"type": "text"}}, {"store": False}, {"prediction": None}, {"audio": None}, {"seed": None},
    {"web_search_options": None}, {"prompt_cache_key": ""}, {"safety_identifier": ""}, {"tool_choice": "none"},
    {"stream_options": {"include_usage": True, "include_obfuscation": False}}, {"max_completion_tokens": 20}, {"temperature": 1, "top_p": 1},
], ids=lambda option: ",".join(f"{name}={value}" for name, value in option.items()))
def test_empty_and_default_values(client, calls, kind, option):
    streamed = "stream_options" in option
    answer = client.chat.completions.create(model=f"{kind}-text", messages=ASK, stream=streamed, **option)
    assert (text_of(answer) if streamed else answer.choices[0].message.content) == WHOLE


def test_content_as_parts_and_system_turns(client, calls):
    messages = [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, {"role": "system", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    for kind in KINDS:
        assert client.chat.completions.create(model=f"{kind}-text", messages=messages).choices[0].message.content == WHOLE


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert "default" not in ids and {f"{kind}-text" for kind in KINDS} <= set(ids)
    assert client.models.retrieve("chat-text").id == "chat-text"


def test_async(relay, calls):
    async def run():
        async with openai.AsyncOpenAI(base_url=f"{relay.url}/v1", api_key="k", timeout=20) as client:
            async def one(kind):
                stream = await client.chat.completions.create(model=f"{kind}-silent", messages=ASK, stream=True)
                return text_of([chunk async for chunk in stream])
            assert await asyncio.gather(*map(one, KINDS)) == [WHOLE] * len(KINDS)
            task = asyncio.create_task(client.chat.completions.create(model="chat-hold", messages=ASK))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    asyncio.run(run())
    until("the upstream's connection is closed", lambda: calls[-1].closed.is_set(), 5)
