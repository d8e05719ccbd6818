"""langchain-openai (Chat and Responses), langchain-anthropic, langchain-google-genai."""
import asyncio

import pydantic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from situations import *

OWN = {"chat": "chat", "responses": "responses", "messages": "claude", "gemini": "gemini"}  # a surface's own kind of upstream
any_surface = pytest.mark.parametrize("surface", list(OWN))


class Weather(pydantic.BaseModel):
    """The weather in a city."""
    city: str
    degrees: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "sunny"


def model_of(relay, surface, name, **more):
    more = {"timeout": 20, "max_retries": 0, **more}
    if surface == "messages":
        return ChatAnthropic(model=name, base_url=relay.url, api_key="k", max_tokens=100, **more)
    if surface == "gemini":
        return ChatGoogleGenerativeAI(model=name, base_url=relay.url, google_api_key="k", **more | {"max_retries": 1})
    return ChatOpenAI(model=name, base_url=f"{relay.url}/v1", api_key="k", use_responses_api=surface == "responses", **more)


def text_of(message):
    return message.text if isinstance(message.text, str) else message.text()


def joined(chunks):
    chunks = list(chunks)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@any_surface
@any_kind
def test_whole(relay, calls, surface, kind):
    answer = model_of(relay, surface, f"{kind}-text").invoke([SystemMessage("Be brief."), HumanMessage("Hello")])
    assert text_of(answer) == WHOLE
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (INPUT, OUTPUT)


@any_surface
@any_kind
def test_streamed(relay, calls, surface, kind):
    answer = joined(model_of(relay, surface, f"{kind}-text", **({"stream_usage": True} if surface != "gemini" else {})).stream("Hello"))
    assert text_of(answer) == WHOLE
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (INPUT, OUTPUT)


@any_surface
@any_kind
def test_tools_and_what_follows(relay, calls, surface, kind):
    model = model_of(relay, surface, f"{kind}-parallel").bind_tools([get_weather])
    for first in (model.invoke("Hello"), joined(model.stream("Hello"))):
        assert [call["args"] for call in first.tool_calls] == [{"city": "Paris"}, {"city": "Oslo"}]
        first = AIMessage(**first.model_dump(exclude={"type", "tool_call_chunks", "chunk_position"}))
        turn = [HumanMessage("Hello"), first, *(get_weather.invoke(call) for call in first.tool_calls)]
        assert text_of(model.invoke(turn)) == AFTER_TOOLS


@any_surface
def test_structured_output(relay, calls, surface):
    answer = model_of(relay, surface, f"{OWN[surface]}-json").with_structured_output(Weather, method="json_schema").invoke("Hello")
    assert answer == Weather(city="Paris", degrees=21)


@any_surface
def test_characters_that_split_lines(relay, calls, surface):
    assert text_of(joined(model_of(relay, surface, f"{OWN[surface]}-separators").stream("Hello"))) == WHOLE_SEPARATED


@any_surface
def test_reasoning(relay, calls, surface):
    model = model_of(relay, surface, f"{OWN[surface]}-reasoning")
    answer = joined(model.stream("Hello"))
    assert text_of(answer) == WHOLE
    assert text_of(model.invoke([HumanMessage("Hello"), AIMessage(content=answer.content), HumanMessage("More")])) == WHOLE


@any_surface
def test_silence(relay, calls, surface):
    assert text_of(joined(model_of(relay, surface, f"{OWN[surface]}-silent").stream("Hello"))) == WHOLE
    answer = joined(model_of(relay, surface, f"{OWN[surface]}-silenttools").bind_tools([get_weather]).stream("Hello"))
    assert answer.tool_calls[0]["args"] == {"city": "Paris"}


@any_surface
@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
@pytest.mark.parametrize("streams", [False, True])
def test_a_refusal(relay, calls, surface, status, streams):
    model = model_of(relay, surface, f"{OWN[surface]}-{status}")
    with pytest.raises(Exception) as caught:
        list(model.stream("Hello")) if streams else model.invoke("Hello")
    assert FAULT in str(caught.value)
    the_call(calls)


@any_surface
@pytest.mark.parametrize("script", ["error", "cut"])
def test_an_error_in_the_stream(relay, calls, surface, script):
    with pytest.raises(Exception) as caught:
        list(model_of(relay, surface, f"{OWN[surface]}-{script}").stream("Hello"))
    assert script == "cut" or FAULT in str(caught.value)


@any_surface
def test_leaving(relay, upstream, calls, surface):
    async def run():
        stream = model_of(relay, surface, f"{OWN[surface]}-hold").astream("Hello")
        async for chunk in stream:
            if text_of(chunk):
                break
        await stream.aclose()
    asyncio.run(run())
    goes_on(upstream, calls) if surface == "responses" else closes_upstream(calls)


@any_surface
def test_batch(relay, calls, surface):
    answers = model_of(relay, surface, f"{OWN[surface]}-text").batch(["Hello"] * 4, config={"max_concurrency": 4})
    assert [text_of(answer) for answer in answers] == [WHOLE] * 4 and len(calls) == 4


def test_async(relay, calls):
    async def one(surface):
        chunks = [chunk async for chunk in model_of(relay, surface, f"{OWN[surface]}-silent").astream("Hello")]
        return text_of(joined(chunks))

    async def run():
        assert await asyncio.gather(*map(one, OWN)) == [WHOLE] * len(OWN)
    asyncio.run(run())
