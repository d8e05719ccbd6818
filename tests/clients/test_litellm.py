"""LiteLLM as a client of three surfaces, and of Responses."""
import asyncio
import json

import litellm
import openai
import pydantic
import pytest
from litellm.exceptions import MidStreamFallbackError

from situations import *

litellm.suppress_debug_info = True
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}}]
ASK = [{"role": "user", "content": "Hello"}]
any_surface = pytest.mark.parametrize("surface", ["openai", "anthropic", "gemini"])
OWN = {"openai": "chat", "anthropic": "claude", "gemini": "gemini"}  # the surface's own kind of upstream


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def arguments(relay, surface, model):
    base = {"openai": f"{relay.url}/v1", "anthropic": relay.url, "gemini": f"{relay.url}/v1beta"}[surface]
    return {"model": f"{surface}/{model}", "api_base": base, "api_key": "k", "messages": ASK, "timeout": 20, "num_retries": 0, "max_retries": 0}


def whole(relay, surface, model, **more):
    return litellm.completion(**arguments(relay, surface, model) | more)


def streamed(relay, surface, model, **more):
    return whole(relay, surface, model, stream=True, **more)


def text_of(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@any_surface
@any_kind
def test_whole(relay, calls, surface, kind):
    answer = whole(relay, surface, f"{kind}-text")
    assert answer.choices[0].message.content == WHOLE and answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (INPUT, OUTPUT)


@any_surface
@any_kind
def test_streamed(relay, calls, surface, kind):
    chunks = list(streamed(relay, surface, f"{kind}-text", stream_options={"include_usage": True}))
    assert text_of(chunks) == WHOLE
    built = litellm.stream_chunk_builder(chunks, messages=ASK)
    assert built.choices[0].finish_reason == "stop" and built.usage.completion_tokens == OUTPUT


@any_surface
def test_characters_that_split_lines(relay, calls, surface):
    assert text_of(streamed(relay, surface, f"{OWN[surface]}-separators")) == WHOLE_SEPARATED


@any_surface
def test_reasoning(relay, calls, surface):
    message = whole(relay, surface, f"{OWN[surface]}-reasoning").choices[0].message
    assert message.content == WHOLE and message.reasoning_content == "Let me think."


@any_surface
@any_kind
def test_tools_and_what_follows(relay, calls, surface, kind):
    first = whole(relay, surface, f"{kind}-parallel", tools=TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments)["city"] for call in first.message.tool_calls] == ["Paris", "Oslo"]
    results = [{"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"} for call in first.message.tool_calls]
    second = whole(relay, surface, f"{kind}-parallel", tools=TOOLS, messages=[*ASK, first.message.model_dump(), *results])
    assert second.choices[0].message.content == AFTER_TOOLS


@any_surface
@any_kind
def test_tools_streamed(relay, calls, surface, kind):
    chunks = list(streamed(relay, surface, f"{kind}-parallel", tools=TOOLS))
    message = litellm.stream_chunk_builder(chunks, messages=ASK).choices[0].message
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Paris", "Oslo"]


@any_surface
def test_structured_output(relay, calls, surface):
    answer = whole(relay, surface, f"{OWN[surface]}-json", response_format=Weather)
    assert Weather.model_validate_json(answer.choices[0].message.content).degrees == 21


@any_surface
def test_silence(relay, calls, surface):
    assert text_of(streamed(relay, surface, f"{OWN[surface]}-silent")) == WHOLE


@any_surface
@pytest.mark.parametrize("status, error", [(400, litellm.BadRequestError), (404, litellm.NotFoundError), (429, litellm.RateLimitError),
                                           (500, litellm.InternalServerError), (503, openai.APIStatusError)])
@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_refusal(relay, calls, surface, status, error, ask):
    with pytest.raises((error, MidStreamFallbackError)) as caught:
        list(ask(relay, surface, f"{OWN[surface]}-{status}"))
    assert FAULT in str(caught.value)
    the_call(calls)


@any_surface
@pytest.mark.parametrize("script", ["error", "cut"])
def test_an_error_in_the_stream(relay, calls, surface, script):
    said = []
    with pytest.raises(Exception) as caught:
        for chunk in streamed(relay, surface, f"{OWN[surface]}-{script}"):
            said.append(chunk)
    assert text_of(said) == TEXT[0] and (script == "cut" or FAULT in str(caught.value))


@any_surface
def test_leaving_closes_the_upstream(relay, calls, surface):
    async def run():
        stream = await litellm.acompletion(**arguments(relay, surface, f"{OWN[surface]}-hold"), stream=True)
        async for chunk in stream:
            if text_of([chunk]):
                break
        await stream.aclose()
        await litellm.close_litellm_async_clients()
    asyncio.run(run())
    closes_upstream(calls)


@pytest.mark.parametrize("kind", list(KINDS))
def test_responses(relay, calls, kind):
    settings = {"api_base": f"{relay.url}/v1", "api_key": "k", "input": "Hello", "timeout": 20}
    answer = litellm.responses(model=f"openai/{kind}-text", **settings)
    assert answer.output[-1].content[0].text == WHOLE
    events = list(litellm.responses(model=f"openai/{kind}-silent", stream=True, **settings))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == WHOLE
    assert events[-1].type == "response.completed"


def test_parameters_that_litellm_sends(relay, calls):
    for surface in OWN:
        answer = whole(relay, surface, f"{OWN[surface]}-text", temperature=0.5, top_p=0.9, max_tokens=50, stop=["x"], user="ann",
                       metadata={}, drop_params=True)
        assert answer.choices[0].message.content == WHOLE


def test_async(relay, calls):
    async def run():
        async def one(surface):
            stream = await litellm.acompletion(**arguments(relay, surface, f"{OWN[surface]}-silent"), stream=True)
            return text_of([chunk async for chunk in stream])
        assert await asyncio.gather(*map(one, OWN)) == [WHOLE] * len(OWN)
        await litellm.close_litellm_async_clients()
    asyncio.run(run())
