// Anthropic's clients, unmodified, against the real binary: @anthropic-ai/sdk of both majors, and the AI SDK's provider.
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic1 from '@anthropic-ai/sdk';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import Anthropic0 from 'anthropic-sdk-0';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MessagesModel, long_signature, recorded } from './lib/messages_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const model = new MessagesModel();
const relay = relay_for([model]);

const user = [{ role: 'user', content: 'How are you?' }];
const weather = { name: 'weather', description: 'of a place', input_schema: { type: 'object', properties: { location: { type: 'string' } } } };
const asked_of = (name) => model.requests.filter((request) => request.body.model === name);
const state_of = (response) => relay.state(response.headers.get('stream-id'));

// What was counted: the newest SDKs' types have more members, which are null here.
const uncached = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
// What the recording's provider says beside the counts: on its own protocol it comes down as it was.
const theirs = { cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, inference_geo: 'not_available', service_tier: 'standard' };
const counted = (usage) => Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null));

for (const [name, Anthropic, version] of [['0.x', Anthropic0, '2023-06-01'], ['1.x', Anthropic1, '2026-10-21']]) {
  describe(`@anthropic-ai/sdk ${name}`, { timeout: 60000 }, () => {
    const client = (more = {}) => new Anthropic({ apiKey: 'a key', baseURL: relay.url, ...more });
    const ask = (of, more = {}) => ({ model: of, max_tokens: 1000, messages: user, ...more });

    test('a stream, event by event', async () => {
      const { data: stream, response } = await client().messages.create(ask('text', { stream: true })).withResponse();
      let text = '';
      const types = [];
      let last;
      for await (const event of stream) {
        if (types.at(-1) !== event.type) types.push(event.type);
        if (event.type === 'content_block_delta') text += event.delta.text;
        if (event.type === 'message_delta') last = event;
      }
      assert.equal(text, recorded.text);
      assert.deepEqual(types, ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta',
        'message_stop']);
      assert.equal(last.delta.stop_reason, 'end_turn');
      assert.deepEqual(counted(last.usage), { ...uncached, input_tokens: 12, output_tokens: 30 });
      assert.match(response.headers.get('request-id'), /./);
      assert.equal((await state_of(response)).text, recorded.text);
      assert.equal(asked_of('text').at(-1).headers['anthropic-version'], version);
    });

    test('the stream helper, thinking with its signature, given back in the next turn', async () => {
      const seen = { thinking: '', signature: '', text: '' };
      const stream = client().messages.stream(ask('thinking', { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 2000 }));
      stream.on('thinking', (delta) => { seen.thinking += delta; });
      stream.on('signature', (signature) => { seen.signature = signature; });
      stream.on('text', (delta) => { seen.text += delta; });
      const message = await stream.finalMessage();
      assert.deepEqual(seen, { thinking: recorded.thinking, signature: recorded.signature, text: recorded.answer });
      assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text']);
      assert.equal(message.content[0].signature, recorded.signature);
      assert.deepEqual(counted(message.usage), { ...uncached, ...theirs, input_tokens: 69, output_tokens: 53 });
      assert.deepEqual(asked_of('thinking').at(-1).body.thinking, { type: 'enabled', budget_tokens: 1024 });
      await client().messages.create(ask('text', { messages: [...user, { role: 'assistant', content: message.content }, ...user] }));
      const given_back = asked_of('text').at(-1).body.messages[1].content;
      assert.deepEqual(given_back[0], { type: 'thinking', thinking: recorded.thinking, signature: recorded.signature });
    });

    test('tools: a call, its result, and the answer', async () => {
      const stream = client().messages.stream(ask('tool-use', { tools: [weather], tool_choice: { type: 'any', disable_parallel_tool_use: true } }));
      const message = await stream.finalMessage();
      assert.equal(message.stop_reason, 'tool_use');
      assert.deepEqual(message.content.map(({ id, name, input }) => ({ id, name, input })), [recorded.tool]);
      const sent = asked_of('tool-use').at(-1).body;
      assert.deepEqual(sent.tools, [weather]);
      assert.deepEqual(sent.tool_choice, { type: 'any', disable_parallel_tool_use: true });
      const result = { type: 'tool_result', tool_use_id: recorded.tool.id, is_error: true, content: [{ type: 'text', text: 'no wind' }] };
      await client().messages.create(ask('text', {
        tools: [weather], system: [{ type: 'text', text: 'Brief.', cache_control: { type: 'ephemeral' } }],
        messages: [...user, { role: 'assistant', content: message.content }, { role: 'user', content: [result, { type: 'text', text: 'so?' }] }],
      }));
      const next = asked_of('text').at(-1).body;
      assert.deepEqual(next.messages[1].content, message.content);
      assert.deepEqual(next.messages[2].content, [result, { type: 'text', text: 'so?' }]);
      assert.deepEqual(next.system, [{ type: 'text', text: 'Brief.', cache_control: { type: 'ephemeral' } }]);
    });

    test('one whole message', async () => {
      const message = await client().messages.create(ask('thinking'));
      assert.equal(message.type, 'message');
      assert.match(message.id, /^msg_/);
      assert.deepEqual(message.content, [
        { type: 'thinking', thinking: recorded.thinking, signature: recorded.signature },
        { type: 'text', text: recorded.answer }]);
      assert.deepEqual(counted(message.usage), { ...uncached, ...theirs, input_tokens: 69, output_tokens: 53 });
    });

    test('the signature of a long thought, streamed and whole', async () => {
      const streamed = await client().messages.stream(ask('long-signature')).finalMessage();
      const whole = await client().messages.create(ask('long-signature'));
      for (const message of [streamed, whole]) {
        assert.equal(message.content[0].thinking, recorded.thinking);
        assert.ok(message.content[0].signature === long_signature, 'byte for byte');
      }
    });

    test('members, tools and headers of the protocol reach its own upstream', async () => {
      const search = { type: 'web_search_20250305', name: 'web_search' };
      await client().messages.create(
        ask('text', { tools: [search, weather], metadata: { user_id: 'u' }, stop_sequences: ['END'], context_management: { edits: [] } }),
        { headers: { 'anthropic-beta': 'context-management-2025-06-27' } });
      const { headers, body } = asked_of('text').at(-1);
      assert.equal(headers['anthropic-beta'], 'context-management-2025-06-27');
      assert.deepEqual(body.tools, [search, weather]);
      assert.deepEqual(body.metadata, { user_id: 'u' });
      assert.deepEqual(body.stop_sequences, ['END']);
      assert.deepEqual(body.context_management, { edits: [] });
    });

    test('another dialect refuses by name what it cannot carry', async () => {
      await assert.rejects(client().messages.create(ask('demo', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] })),
        (error) => error instanceof Anthropic.BadRequestError && /tools\[0\]/.test(error.message));
      const message = await client().messages.create(ask('demo', { max_tokens: 5 }));
      assert.equal(message.stop_reason, 'max_tokens');
      assert.equal(message.usage.output_tokens, 5);
    });

    test('an upstream that refuses', async () => {
      await assert.rejects(client({ maxRetries: 0 }).messages.create(ask('overloaded', { stream: true })), (error) => {
        assert.equal(error.status, 529);
        assert.equal(error.error.error.type, 'overloaded_error');
        assert.match(error.requestID ?? error.request_id, /./);
        return error instanceof Anthropic.InternalServerError;
      });
      await assert.rejects(client().messages.create(ask('bad')), (error) =>
        error instanceof Anthropic.BadRequestError && error.error.error.message === 'the model is bad');
      const asked_before = asked_of('slow_down').length;
      await assert.rejects(client().messages.create(ask('slow_down')), (error) =>
        error instanceof Anthropic.RateLimitError && error.headers.get('retry-after') === '7');
      assert.equal(asked_of('slow_down').length, asked_before + 1, 'nobody asks again');
      await assert.rejects(client().messages.create(ask('nobody')), Anthropic.NotFoundError);
    });

    test('an error inside the stream', async () => {
      let text = '';
      const reading = (async () => {
        const stream = await client().messages.create(ask('breaks', { stream: true }));
        for await (const event of stream) text += event.delta?.text ?? '';
      })();
      await assert.rejects(reading, (error) => {
        assert.equal(error.error?.error?.type ?? error.type, 'overloaded_error');
        return error instanceof Anthropic.APIError;
      });
      assert.equal(text, "Hello! I'm doing well, thank you for asking");
    });

    test('an abort cancels the generation', async () => {
      const closed = model.closed;
      const stream = client().messages.stream(ask('endless'));
      const response = await stream.withResponse();
      await new Promise((resolve) => stream.once('text', resolve));
      stream.abort();
      await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
      const state = await relay.ended_state(response.response.headers.get('stream-id'));
      assert.equal(state.status, 'cancelled');
      await until('the upstream to be closed', () => model.closed > closed);
    });
  });
}

describe('ai with @ai-sdk/anthropic', { timeout: 60000 }, () => {
  const provider = () => createAnthropic({ apiKey: 'a key', baseURL: `${relay.url}/v1` });
  const prompt = 'How are you?';
  const quiet = { onError() {} };

  test('a stream', async () => {
    const result = streamText({ model: provider()('text'), prompt });
    let text = '';
    for await (const delta of result.textStream) text += delta;
    assert.equal(text, recorded.text);
    assert.equal(await result.finishReason, 'stop');
    const usage = await result.usage;
    assert.equal(usage.inputTokens, 12);
    assert.equal(usage.outputTokens, 30);
  });

  test('reasoning with its signature, and one whole message', async () => {
    const result = streamText({ model: provider()('thinking'), prompt });
    assert.equal(await result.reasoningText, recorded.thinking);
    assert.equal((await result.reasoning)[0].providerMetadata.anthropic.signature, recorded.signature);
    const whole = await generateText({ model: provider()('thinking'), prompt });
    assert.equal(whole.text, recorded.answer);
    assert.equal(whole.reasoningText, recorded.thinking);
  });

  test('tools, and their result in the next step', async () => {
    let called;
    const tools = {
      weather: tool({
        description: 'of a place', inputSchema: jsonSchema(weather.input_schema),
        execute: async (input) => { called = input; return 'fog'; },
      }),
    };
    const result = await generateText({ model: provider()('tool-use'), prompt, tools, stopWhen: stepCountIs(2) });
    assert.deepEqual(called, recorded.tool.input);
    assert.equal(result.steps.length, 2);
    const last = asked_of('tool-use').at(-1).body.messages.at(-1);
    assert.equal(last.role, 'user');
    assert.equal(last.content[0].tool_use_id, recorded.tool.id);
    assert.match(JSON.stringify(last.content[0].content), /fog/);
  });

  test('errors before and inside the stream', async () => {
    await assert.rejects(generateText({ model: provider()('bad'), prompt, maxRetries: 0 }), (error) =>
      error.statusCode === 400 && /the model is bad/.test(error.message));
    const parts = [];
    for await (const part of streamText({ model: provider()('breaks'), prompt, maxRetries: 0, ...quiet }).fullStream) parts.push(part);
    assert.equal(parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join(''),
      "Hello! I'm doing well, thank you for asking");
    assert.ok(parts.some((part) => part.type === 'error'), 'an error part');
  });

  test('an abort cancels the generation', async () => {
    const closed = model.closed;
    const stop = new AbortController();
    const result = streamText({ model: provider()('endless'), prompt, abortSignal: stop.signal, ...quiet });
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') stop.abort();
    }
    await until('the upstream to be closed', () => model.closed > closed);
  });
});
