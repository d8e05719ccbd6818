"""Agent libraries: pydantic-ai and openai-agents, each with a tool that it calls by itself."""
import asyncio

import openai
import pydantic
import pydantic_ai
import pytest
from agents import Agent as OpenAIAgent
from agents import ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel as PydanticResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from situations import *

OWN = {"chat": "chat", "responses": "responses", "messages": "claude", "gemini": "gemini"}  # a surface's own kind of upstream
any_surface = pytest.mark.parametrize("surface", list(OWN))
openai_surface = pytest.mark.parametrize("surface", ["chat", "responses"])


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def pydantic_model(relay, surface, name):
    if surface == "messages":
        return AnthropicModel(name, provider=AnthropicProvider(api_key="k", base_url=relay.url))
    if surface == "gemini":
        return GoogleModel(name, provider=GoogleProvider(api_key="k", base_url=relay.url))
    provider = OpenAIProvider(base_url=f"{relay.url}/v1", api_key="k")
    return OpenAIChatModel(name, provider=provider) if surface == "chat" else PydanticResponsesModel(name, provider=provider)


def agent_of(relay, surface, name, **more):
    asked = []
    agent = Agent(pydantic_model(relay, surface, name), instructions="Be brief.", retries=0, **more)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"
    return agent, asked


async def streamed(agent):
    async with agent.run_stream("Hello") as run:
        return [text async for text in run.stream_text(delta=True)]


@any_surface
@any_kind
def test_pydantic_ai(relay, calls, surface, kind):
    async def run():
        agent, _ = agent_of(relay, surface, f"{kind}-text")
        answer = await agent.run("Hello")
        assert answer.output == WHOLE
        usage = answer.usage if not callable(answer.usage) else answer.usage()
        assert (usage.input_tokens, usage.output_tokens) == (INPUT, OUTPUT)
        assert "".join(await streamed(agent)) == WHOLE
        agent, asked = agent_of(relay, surface, f"{kind}-parallel")
        assert (await agent.run("Hello")).output == AFTER_TOOLS and sorted(asked) == ["Oslo", "Paris"]
    asyncio.run(run())


@any_surface
def test_pydantic_ai_streams_through_tools_and_silence(relay, calls, surface):
    async def run():
        agent, asked = agent_of(relay, surface, f"{OWN[surface]}-silenttools")
        async with agent.run_stream_events("Hello") as stream:
            events = [event async for event in stream]
        assert events[-1].result.output == AFTER_TOOLS and asked == ["Paris"]
        agent, _ = agent_of(relay, surface, f"{OWN[surface]}-silent")
        assert "".join(await streamed(agent)) == WHOLE
    asyncio.run(run())


@any_surface
def test_pydantic_ai_structured_output(relay, calls, surface):
    async def run():
        agent = Agent(pydantic_model(relay, surface, f"{OWN[surface]}-json"), output_type=pydantic_ai.NativeOutput(Weather))
        assert (await agent.run("Hello")).output.degrees == 21
    if surface != "messages":  # pydantic-ai knows Claude's models by name, and others as without JSON output
        asyncio.run(run())
    else:
        agent = Agent(pydantic_model(relay, surface, "claude-json"), output_type=pydantic_ai.PromptedOutput(Weather))
        assert asyncio.run(agent.run("Hello")).output.degrees == 21


@any_surface
@pytest.mark.parametrize("script, words", [("429", FAULT), ("500", FAULT), ("400", FAULT), ("error", FAULT), ("cut", "")])
def test_pydantic_ai_errors(relay, calls, surface, script, words):
    agent, _ = agent_of(relay, surface, f"{OWN[surface]}-{script}")
    with pytest.raises(Exception) as caught:
        asyncio.run(streamed(agent))
    assert words in str(caught.value) and not isinstance(caught.value, AssertionError)
    the_call(calls)


@any_surface
def test_pydantic_ai_leaves(relay, upstream, calls, surface):
    async def run():
        agent, _ = agent_of(relay, surface, f"{OWN[surface]}-hold")

        async def read():
            async with agent.run_stream("Hello") as run:
                async for _ in run.stream_text(delta=True, debounce_by=None):
                    seen.set()
        seen = asyncio.Event()
        task = asyncio.create_task(read())
        await asyncio.wait_for(seen.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    asyncio.run(run())
    goes_on(upstream, calls) if surface == "responses" else closes_upstream(calls)


def openai_agent(relay, surface, name, **more):
    client = openai.AsyncOpenAI(base_url=f"{relay.url}/v1", api_key="k", timeout=20, max_retries=0)
    model = (OpenAIChatCompletionsModel if surface == "chat" else OpenAIResponsesModel)(model=name, openai_client=client)
    asked = []

    @function_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"
    return OpenAIAgent(name="a", instructions="Be brief.", model=model, tools=[get_weather], **more), asked


async def run_streamed(agent):
    result = Runner.run_streamed(agent, "Hello")
    deltas = [event.data.delta async for event in result.stream_events()
              if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"]
    return "".join(deltas), result


@openai_surface
@any_kind
def test_openai_agents(relay, calls, surface, kind):
    async def run():
        agent, _ = openai_agent(relay, surface, f"{kind}-text", model_settings=ModelSettings(include_usage=True))
        result = await Runner.run(agent, "Hello")
        assert result.final_output == WHOLE
        usage = result.context_wrapper.usage
        assert (usage.input_tokens, usage.output_tokens) == (INPUT, OUTPUT)
        said, result = await run_streamed(agent)
        assert said == WHOLE == result.final_output
        assert result.context_wrapper.usage.output_tokens == OUTPUT
        agent, asked = openai_agent(relay, surface, f"{kind}-parallel", model_settings=ModelSettings(parallel_tool_calls=True))
        said, result = await run_streamed(agent)
        assert result.final_output == AFTER_TOOLS and sorted(asked) == ["Oslo", "Paris"]
        more = await Runner.run(agent, result.to_input_list() + [{"role": "user", "content": "More"}])
        assert more.final_output == AFTER_TOOLS
    asyncio.run(run())


@openai_surface
def test_openai_agents_silence_and_structured_output(relay, calls, surface):
    async def run():
        said, _ = await run_streamed(openai_agent(relay, surface, f"{OWN[surface]}-silent")[0])
        assert said == WHOLE
        result = await Runner.run(openai_agent(relay, surface, f"{OWN[surface]}-json", output_type=Weather)[0], "Hello")
        assert result.final_output == Weather(city="Paris", degrees=21)
    asyncio.run(run())


@openai_surface
@pytest.mark.parametrize("script, words", [("429", FAULT), ("500", FAULT), ("400", FAULT), ("error", FAULT), ("cut", "")])
def test_openai_agents_errors(relay, calls, surface, script, words):
    with pytest.raises(Exception) as caught:
        asyncio.run(run_streamed(openai_agent(relay, surface, f"{OWN[surface]}-{script}")[0]))
    assert words in str(caught.value)
    the_call(calls)


@openai_surface
def test_openai_agents_leave(relay, upstream, calls, surface):
    async def run():
        result = Runner.run_streamed(openai_agent(relay, surface, f"{OWN[surface]}-hold")[0], "Hello")
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                result.cancel()
                break
    asyncio.run(run())
    goes_on(upstream, calls) if surface == "responses" else closes_upstream(calls)
