"""google-genai, Gemini."""
import asyncio

import httpx
import pydantic
import pytest
from google import genai
from google.genai import errors, types

from situations import *


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def client_of(url, **more):
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=url, **{"timeout": 20000, **more}))


@pytest.fixture
def client(relay):
    client = client_of(relay.url)
    yield client
    client.close()


DECLARED = types.Tool(function_declarations=[types.FunctionDeclaration(name="get_weather", description=DESCRIPTION, parameters_json_schema=PARAMETERS)])


def whole(client, model, config=None, contents="Hello"):
    return client.models.generate_content(model=model, contents=contents, config=config)


def streamed(client, model, config=None):
    return list(client.models.generate_content_stream(model=model, contents="Hello", config=config))


def text_of(chunks):
    return "".join(part.text or "" for chunk in chunks for part in chunk.candidates[0].content.parts or [] if not part.thought)


def finish_of(answer):
    return answer.candidates[0].finish_reason.name


@any_kind
def test_whole(client, calls, kind):
    answer = whole(client, f"{kind}-text")
    assert answer.text == WHOLE and finish_of(answer) == "STOP"
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (INPUT, OUTPUT, INPUT + OUTPUT)


@any_kind
def test_streamed(client, calls, kind):
    chunks = streamed(client, f"{kind}-text")
    assert text_of(chunks) == WHOLE and finish_of(chunks[-1]) == "STOP"
    assert chunks[-1].usage_metadata.candidates_token_count == OUTPUT and chunks[-1].model_version


@any_kind
def test_reasoning(client, calls, kind):
    parts = whole(client, f"{kind}-reasoning").candidates[0].content.parts
    assert "".join(part.text for part in parts if part.thought) == "Let me think."
    assert "".join(part.text for part in parts if not part.thought) == WHOLE


@any_kind
def test_characters_that_split_lines(client, calls, kind):
    assert text_of(streamed(client, f"{kind}-separators")) == WHOLE_SEPARATED
    assert whole(client, f"{kind}-separators").text == WHOLE_SEPARATED


@any_kind
def test_length(client, calls, kind):
    assert finish_of(whole(client, f"{kind}-length")) == "MAX_TOKENS"


@any_kind
def test_tools_and_what_follows(client, calls, kind):
    config = types.GenerateContentConfig(tools=[DECLARED])
    first = whole(client, f"{kind}-parallel", config)
    assert [call.args for call in first.function_calls] == [{"city": "Paris"}, {"city": "Oslo"}]
    results = [types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"}))
               for call in first.function_calls]
    turn = [types.UserContent("Hello"), first.candidates[0].content, types.UserContent(results)]
    assert whole(client, f"{kind}-parallel", config, turn).text == AFTER_TOOLS


@any_kind
def test_tools_streamed(client, calls, kind):
    chunks = streamed(client, f"{kind}-parallel", types.GenerateContentConfig(tools=[DECLARED]))
    assert [call.args["city"] for chunk in chunks for call in chunk.function_calls or []] == ["Paris", "Oslo"]


@any_kind
def test_functions_that_the_client_calls_by_itself(client, calls, kind):
    asked = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    answer = whole(client, f"{kind}-parallel", types.GenerateContentConfig(tools=[get_weather]))
    assert answer.text == AFTER_TOOLS and asked == ["Paris", "Oslo"]


@any_kind
def test_a_call_without_arguments(client, calls, kind):
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="now")])
    assert not whole(client, f"{kind}-bare", types.GenerateContentConfig(tools=[tool])).function_calls[0].args


@any_kind
def test_a_chat(client, calls, kind):
    chat = client.chats.create(model=f"{kind}-text")
    assert chat.send_message("Hello").text == WHOLE
    assert text_of(chat.send_message_stream("More")) == WHOLE
    assert len(calls) == 2 and WHOLE[:3] in str(calls[1].body)


@pytest.mark.parametrize("kind", ["chat", "responses", "gemini"])
def test_structured_output(client, calls, kind):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Weather)
    assert whole(client, f"{kind}-json", config).parsed == Weather(city="Paris", degrees=21)
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=Weather.model_json_schema())
    assert Weather.model_validate_json(whole(client, f"{kind}-json", config).text).degrees == 21


@any_kind
def test_silence(client, calls, kind):
    assert text_of(streamed(client, f"{kind}-silent")) == WHOLE
    chunks = streamed(client, f"{kind}-silenttools", types.GenerateContentConfig(tools=[DECLARED]))
    assert [call.args["city"] for chunk in chunks for call in chunk.function_calls or []] == ["Paris"]


@any_kind
@pytest.mark.parametrize("status, name", [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"),
                                          (503, "UNAVAILABLE")])
@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_refusal(client, calls, kind, status, name, ask):
    with pytest.raises(errors.APIError) as caught:
        ask(client, f"{kind}-{status}")
    assert (caught.value.code, caught.value.status) == (status, name) and FAULT in caught.value.message
    assert isinstance(caught.value, errors.ClientError if status < 500 else errors.ServerError)
    the_call(calls)


@any_kind
@pytest.mark.parametrize("script, words", [("error", FAULT), ("cut", "")])
def test_an_error_in_the_stream(client, calls, kind, script, words):
    said = []
    with pytest.raises(errors.APIError) as caught:
        for chunk in client.models.generate_content_stream(model=f"{kind}-{script}", contents="Hello"):
            said.append(chunk)
    assert text_of(said) == TEXT[0] and words in caught.value.message and caught.value.code >= 500
    with pytest.raises(errors.ServerError) as caught:
        whole(client, f"{kind}-{script}")
    assert words in caught.value.message


def test_leaving_closes_the_upstream(client, calls):
    stream = client.models.generate_content_stream(model="gemini-hold", contents="Hello")
    assert text_of([next(stream)]) == TEXT[0]
    stream.close()
    client.close()
    closes_upstream(calls)


def test_leaving_a_whole_answer_closes_the_upstream(relay, calls):
    with pytest.raises(httpx.TimeoutException):
        whole(client_of(relay.url, timeout=500), "gemini-hold")
    closes_upstream(calls)


def test_on_disconnect_continue(relay, upstream, calls):
    client = client_of(relay.url, headers={"On-Disconnect": "continue"})
    stream = client.models.generate_content_stream(model="gemini-hold", contents="Hello")
    assert text_of([next(stream)]) == TEXT[0]
    stream.close()
    client.close()
    goes_on(upstream, calls)


def test_a_killed_relay_is_no_end(mortal, calls):
    client = client_of(mortal.url)
    with pytest.raises(httpx.TransportError):
        for chunk in client.models.generate_content_stream(model="gemini-hold", contents="Hello"):
            mortal.kill()


@any_kind
@pytest.mark.parametrize("option", [
    {"safety_settings": []}, {"cached_content": ""}, {"labels": {}}, {"response_modalities": []}, {"response_modalities": ["TEXT"]},
    {"stop_sequences": []}, {"tools": []}, {"candidate_count": 1}, {"response_mime_type": "text/plain"}, {"system_instruction": ""},
    {"tool_config": {}}, {"thinking_config": {}}, {"automatic_function_calling": {"disable": True}}, {"response_logprobs": False},
    {"audio_timestamp": False}, {"temperature": 1.0, "top_p": 0.95}, {"presence_penalty": 0.0, "frequency_penalty": 0.0},
    {"thinking_config": {"include_thoughts": False}}, {"speech_config": None}, {"media_resolution": "MEDIA_RESOLUTION_UNSPECIFIED"},
    {"tool_config": {"function_calling_config": {"mode": "AUTO"}}}, {"http_options": {"extra_body": {"generationConfig": {}}}},
], ids=lambda option: ",".join(f"{name}={value}" for name, value in option.items()))
def test_empty_and_default_values(client, calls, kind, option):
    # The client itself refuses or changes these for the Gemini API; others send them.
    as_sent = {"labels": {"labels": {}}, "cached_content": {"cachedContent": ""}, "audio_timestamp": {"generationConfig": {"audioTimestamp": False}}}
    for name in set(option) & set(as_sent):
        option = {"http_options": {"extra_body": as_sent[name]}}
    assert whole(client, f"{kind}-text", types.GenerateContentConfig(**option)).text == WHOLE


def test_models(client):
    names = [model.name for model in client.models.list()]
    assert "models/default" not in names and "models/gemini-text" in names
    assert client.models.get(model="gemini-text").name == "models/gemini-text"


@pytest.mark.parametrize("path", ["/v1beta/nothing", "/v1beta/models/gemini-text:dance", "/v1beta/models/nobodys:generateContent"])
def test_paths_that_do_not_exist(relay, path):
    answer = httpx.post(relay.url + path, json={"contents": [{"parts": [{"text": "Hello"}]}]})
    assert answer.status_code == 404 and answer.json()["error"]["code"] == 404 and answer.json()["error"]["status"] == "NOT_FOUND"


def test_async(relay, calls):
    async def run():
        client = client_of(relay.url).aio

        async def one(kind):
            stream = await client.models.generate_content_stream(model=f"{kind}-silent", contents="Hello")
            return text_of([chunk async for chunk in stream])
        assert await asyncio.gather(*map(one, KINDS)) == [WHOLE] * len(KINDS)
        task = asyncio.create_task(client.models.generate_content(model="gemini-hold", contents="Hello"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.aclose()
    asyncio.run(run())
    until("the upstream's connection is closed", lambda: calls[-1].closed.is_set(), 5)
