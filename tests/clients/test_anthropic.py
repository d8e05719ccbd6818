"""anthropic, Messages."""
import asyncio
import json

import anthropic
import httpx2
import pytest

from situations import *

TOOLS = [{"name": "get_weather", "description": DESCRIPTION, "input_schema": PARAMETERS}]
ASK = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(relay):
    with anthropic.Anthropic(base_url=relay.url, api_key="k", timeout=20) as client:
        yield client


def create(client, model, **more):
    return client.messages.create(**{"model": model, "max_tokens": 100, "messages": ASK, **more})


def text_of(events):
    return "".join(event.delta.text for event in events if event.type == "content_block_delta" and event.delta.type == "text_delta")


@any_kind
def test_whole(client, calls, kind):
    answer = create(client, f"{kind}-text")
    assert answer.content[0].text == WHOLE and answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (INPUT, OUTPUT)
    type(answer).model_validate(answer.to_dict(mode="json", exclude_unset=True))


@any_kind
def test_streamed(client, calls, kind):
    events = list(create(client, f"{kind}-text", stream=True))
    assert text_of(events) == WHOLE and events[0].type == "message_start" and events[-1].type == "message_stop"
    for event in events:
        type(event).model_validate(event.to_dict(mode="json", exclude_unset=True))


@any_kind
def test_the_helper(client, calls, kind):
    with client.messages.stream(model=f"{kind}-text", max_tokens=100, messages=ASK) as stream:
        assert "".join(stream.text_stream) == WHOLE
        answer = stream.get_final_message()
    assert answer.stop_reason == "end_turn" and (answer.usage.input_tokens, answer.usage.output_tokens) == (INPUT, OUTPUT)


@any_kind
def test_reasoning(client, calls, kind):
    content = create(client, f"{kind}-reasoning").content
    assert [block.type for block in content] == ["thinking", "text"]
    assert content[0].thinking == "Let me think." and content[1].text == WHOLE


@any_kind
def test_characters_that_split_lines(client, calls, kind):
    assert text_of(create(client, f"{kind}-separators", stream=True)) == WHOLE_SEPARATED
    assert create(client, f"{kind}-separators").content[0].text == WHOLE_SEPARATED


@any_kind
def test_length(client, calls, kind):
    assert create(client, f"{kind}-length").stop_reason == "max_tokens"


@any_kind
def test_tools_and_what_follows(client, calls, kind):
    model = f"{kind}-parallel"
    first = create(client, model, tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": False})
    uses = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use" and [use.input for use in uses] == [{"city": "Paris"}, {"city": "Oslo"}]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "sunny"}]} for use in uses]
    turn = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    assert create(client, model, tools=TOOLS, messages=turn).content[0].text == AFTER_TOOLS


@any_kind
def test_tools_streamed(client, calls, kind):
    with client.messages.stream(model=f"{kind}-parallel", max_tokens=100, messages=ASK, tools=TOOLS) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        content = stream.get_final_message().content
    assert [block.input for block in content if block.type == "tool_use"] == [{"city": "Paris"}, {"city": "Oslo"}] and pieces


@any_kind
def test_a_call_without_arguments(client, calls, kind):
    tools = [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]
    assert create(client, f"{kind}-bare", tools=tools).content[-1].input == {}


@any_kind
def test_the_tool_runner(client, calls, kind):
    asked = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    runner = client.beta.messages.tool_runner(model=f"{kind}-parallel", max_tokens=100, messages=ASK, tools=[get_weather])
    assert runner.until_done().content[0].text == AFTER_TOOLS and asked == ["Paris", "Oslo"]


@any_kind
def test_silence(client, calls, kind):
    assert text_of(create(client, f"{kind}-silent", stream=True)) == WHOLE
    with client.messages.stream(model=f"{kind}-silenttools", max_tokens=100, messages=ASK, tools=TOOLS) as stream:
        assert stream.get_final_message().content[-1].input == {"city": "Paris"}


@any_kind
@pytest.mark.parametrize("status, error, type", [
    (400, anthropic.BadRequestError, "invalid_request_error"), (404, anthropic.NotFoundError, "not_found_error"),
    (429, anthropic.RateLimitError, "rate_limit_error"), (500, anthropic.InternalServerError, "api_error"),
    (503, anthropic.InternalServerError, None)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_not_asked_again(client, calls, kind, status, error, type, stream):
    with pytest.raises(error) as caught:
        create(client, f"{kind}-{status}", stream=stream)
    body = caught.value.body
    assert body["type"] == "error" and FAULT in body["error"]["message"] and caught.value.request_id
    assert type in (None, body["error"]["type"])
    the_call(calls)


@any_kind
@pytest.mark.parametrize("script, words", [("error", FAULT), ("cut", "")])
def test_an_error_in_the_stream(client, calls, kind, script, words):
    said = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in create(client, f"{kind}-{script}", stream=True):
            said.append(event)
    assert text_of(said) == TEXT[0] and words in str(caught.value)
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client, f"{kind}-{script}")
    assert words in str(caught.value)
    with pytest.raises(anthropic.APIStatusError):
        with client.messages.stream(model=f"{kind}-{script}", max_tokens=100, messages=ASK) as stream:
            stream.until_done()


def test_leaving_closes_the_upstream(client, calls):
    with create(client, "claude-hold", stream=True) as stream:
        assert next(event for event in stream if event.type == "content_block_delta")
    closes_upstream(calls)


def test_leaving_a_whole_answer_closes_the_upstream(client, calls):
    with pytest.raises(anthropic.APITimeoutError):
        create(client.with_options(timeout=0.5, max_retries=0), "claude-hold")
    closes_upstream(calls)


def test_on_disconnect_continue(client, upstream, calls):
    with create(client, "claude-hold", stream=True, extra_headers={"On-Disconnect": "continue"}) as stream:
        assert next(event for event in stream if event.type == "content_block_delta")
    goes_on(upstream, calls)


def test_a_killed_relay_is_no_end(mortal, calls):
    client = anthropic.Anthropic(base_url=mortal.url, api_key="k", timeout=20, max_retries=0)
    with pytest.raises((httpx2.TransportError, anthropic.APIConnectionError)):
        with client.messages.stream(model="claude-hold", max_tokens=100, messages=ASK) as stream:
            for event in stream:
                if event.type == "text":
                    mortal.kill()


def test_time_outs_leave_no_generation(client, calls):
    with pytest.raises(anthropic.APITimeoutError):
        create(client.with_options(timeout=0.4, max_retries=2), "claude-hold")
    until("every generation is closed", lambda: calls and all(call.closed.is_set() for call in calls))


def test_raw_and_streaming_responses(client, relay, calls):
    raw = client.messages.with_raw_response.create(model="claude-text", max_tokens=100, messages=ASK)
    assert raw.parse().content[0].text == WHOLE and raw.headers["request-id"]
    assert relay.state(raw.headers["stream-id"])["text"] == WHOLE
    with client.messages.with_streaming_response.create(model="claude-text", max_tokens=100, messages=ASK, stream=True) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "message_stop" in "".join(response.iter_lines())


@any_kind
@pytest.mark.parametrize("option", [
    {"system": []}, {"system": ""}, {"stop_sequences": []}, {"tools": []}, {"metadata": {}}, {"service_tier": "auto"},
    {"extra_body": {"mcp_servers": []}}, {"extra_body": {"context_management": {"edits": []}}}, {"thinking": {"type": "disabled"}},
    {"extra_body": {"container": None}}, {"metadata": {"user_id": None}}, {"tool_choice": {"type": "auto"}}, {"extra_body": {"stop_sequences": None}},
    {"extra_headers": {"anthropic-version": "2023-06-01"}}, {"extra_body": {"output_config": {}}}, {"extra_body": {"output_config": {"format": None}}},
    {"extra_body": {"context_management": None}},
], ids=lambda option: ",".join(f"{name}={value}" for name, value in option.items()))
def test_empty_and_default_values(client, calls, kind, option):
    assert create(client, f"{kind}-text", **option).content[0].text == WHOLE


def test_content_as_parts_and_system_turns(client, calls):
    marked = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    turn = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]},
            {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Go on"}]
    for kind in KINDS:
        assert create(client, f"{kind}-text", system=[marked], messages=turn).content[0].text == WHOLE


def test_thinking_comes_back(client, calls):
    first = create(client, "claude-reasoning", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    assert first.content[0].signature == "c2lnbmVk"
    turn = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": "More"}]
    create(client, "claude-text", messages=turn)
    sent = calls[-1].body["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmVk"}


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert "default" not in ids and "claude-text" in ids
    assert client.models.retrieve("claude-text").id == "claude-text"


def test_paths_that_do_not_exist(client):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.get("/v1/messages/nothing", cast_to=object)
    assert caught.value.body["type"] == "error" and caught.value.body["error"]["type"] == "not_found_error"


def test_async(relay, calls):
    async def run():
        async with anthropic.AsyncAnthropic(base_url=relay.url, api_key="k", timeout=20) as client:
            async def one(kind):
                async with client.messages.stream(model=f"{kind}-silent", max_tokens=100, messages=ASK) as stream:
                    return "".join([text async for text in stream.text_stream])
            assert await asyncio.gather(*map(one, KINDS)) == [WHOLE] * len(KINDS)
            task = asyncio.create_task(client.messages.create(model="claude-hold", max_tokens=100, messages=ASK))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    asyncio.run(run())
    until("the upstream's connection is closed", lambda: calls[-1].closed.is_set(), 5)
