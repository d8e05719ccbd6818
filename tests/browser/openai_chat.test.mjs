// The Chat Completions surface, driven by the unmodified `openai` client and by `ai` with @ai-sdk/openai-compatible.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { both_cities, breaks_with, closes_within_a_second, collect, held, plain, said, with_tools, words } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for } from './lib/relay.mjs';

const model = new ChatModel();
let client;
let provider;
const relay = relay_for([model], ({ url }) => {
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
  provider = createOpenAICompatible({ name: 'relay', baseURL: `${url}/v1`, apiKey: 'none', includeUsage: true });
});

const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const weather = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
};
const both_calls = [
  { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } },
  { id: 'call_b', type: 'function', function: { name: 'weather', arguments: '{"city":"東京"}' } },
];

const ask = (content, more = {}) => ({ model: 'm', messages: [{ role: 'user', content }], ...more });
const text_of = (chunks) => chunks.map(({ choices }) => choices[0]?.delta?.content ?? '').join('');
const stream_of = (id) => `strm_${id.slice('chatcmpl-'.length)}`;

describe('openai', { concurrency: true, timeout: 60000 }, () => {
  test('stream: one id, the role first, text and reasoning, one finish reason, no usage unasked', async () => {
    const chunks = await collect(await client.chat.completions.create(ask(model.on('plain', plain), { stream: true })));
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    assert.match(chunks[0].id, /^chatcmpl-/);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(text_of(chunks), said);
    assert.equal(chunks.map(({ choices }) => choices[0].delta.reasoning_content ?? '').join(''), 'Let me think.');
    assert.deepEqual(chunks.map(({ choices }) => choices[0].finish_reason).filter(Boolean), ['stop']);
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.ok(chunks.every((chunk) => !chunk.usage && chunk.object === 'chat.completion.chunk' && chunk.model === 'm'));
    const state = await relay.state(stream_of(chunks[0].id));
    assert.equal(state.text, said);
    assert.equal(state.usage.output_tokens, 5);
  });

  test('stream with include_usage: none, then the figures alone', async () => {
    const body = ask(model.on('usage', plain), { stream: true, stream_options: { include_usage: true } });
    const chunks = await collect(await client.chat.completions.create(body));
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage == null));
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.deepEqual(chunks.at(-1).usage, usage);
  });

  test('not streamed', async () => {
    const { data, response } = await client.chat.completions.create(ask(model.on('whole', plain))).withResponse();
    assert.equal(data.object, 'chat.completion');
    assert.equal(data.choices.length, 1);
    assert.equal(data.choices[0].message.role, 'assistant');
    assert.equal(data.choices[0].message.content, said);
    assert.equal(data.choices[0].message.reasoning_content, 'Let me think.');
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.deepEqual(data.usage, usage);
    assert.equal(response.headers.get('stream-id'), stream_of(data.id));
    assert.ok(data._request_id);
  });

  test('tools: whole, and in pieces', async () => {
    const prompt = model.on('calls', with_tools);
    const whole = await client.chat.completions.create(ask(prompt, { tools: [weather], tool_choice: 'auto' }));
    assert.equal(whole.choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(whole.choices[0].message.tool_calls, both_calls);
    assert.deepEqual(model.requests.findLast(({ messages }) => messages[0].content === prompt).tools, [weather]);
    const stream = client.chat.completions.stream(ask(prompt, { tools: [weather] }));
    const completion = await stream.finalChatCompletion();
    assert.equal(completion.choices[0].message.content, 'I look. ');
    assert.deepEqual(completion.choices[0].message.tool_calls.map(({ id, function: { name, arguments: given } }) =>
      ({ id, type: 'function', function: { name, arguments: given } })), both_calls);
  });

  test('the stream() helper: its events and its final completion', async () => {
    const stream = client.chat.completions.stream(ask(model.on('helper', plain), { stream_options: { include_usage: true } }));
    let text = '';
    stream.on('content', (delta) => { text += delta; });
    const completion = await stream.finalChatCompletion();
    assert.equal(text, said);
    assert.equal(completion.choices[0].message.content, said);
    assert.deepEqual(await stream.totalUsage(), usage);
  });

  test('runTools runs to the end of both turns', async () => {
    const cities = [];
    const run = (args) => { cities.push(args.city); return `sun in ${args.city}`; };
    const tools = [{ type: 'function', function: { ...weather.function, function: run, parse: JSON.parse } }];
    const runner = client.chat.completions.runTools(ask(model.on('run tools', with_tools), { tools, stream: true }));
    assert.equal(await runner.finalContent(), 'Sunny in both.');
    assert.deepEqual(cities, ['Bern', '東京']);
    const last = model.requests.findLast(({ messages }) => messages[0].content === 'run tools').messages;
    assert.deepEqual(last.slice(2).map(({ role, tool_call_id, content }) => [role, tool_call_id, content]),
      [['tool', 'call_a', 'sun in Bern'], ['tool', 'call_b', 'sun in 東京']]);
  });

  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';
    test(`an upstream that refuses, ${how}: its status, its words, no retry by the client`, async () => {
      let calls = 0;
      const prompt = model.on(`refused ${how}`, (answer) => { ++calls; answer.refuse(400, { message: 'too hot', type: 'invalid_request_error' }); });
      await assert.rejects(client.chat.completions.create(ask(prompt, { stream })), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
        assert.match(error.message, /too hot/);
        assert.equal(error.type, 'invalid_request_error');
        assert.equal(error.headers.get('x-should-retry'), 'false');
        assert.match(error.headers.get('stream-id'), /^strm_/);
        assert.ok(error.requestID);
        return true;
      });
      assert.equal(calls, 1);
    });

    test(`an upstream that limits, ${how}: retry-after is handed on`, async () => {
      let calls = 0;
      const prompt = model.on(`limited ${how}`, (answer) => { ++calls; answer.refuse(429, { message: 'slow down' }, { 'Retry-After': '77' }); });
      await assert.rejects(client.chat.completions.create(ask(prompt, { stream })), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
        assert.deepEqual(error.error, { message: 'slow down' }, 'as the upstream said it');
        assert.equal(error.headers.get('retry-after'), '77');
        assert.equal(error.headers.get('x-should-retry'), 'false');
        return true;
      });
      assert.equal(calls, 1);
    });

    test(`the relay's own key was refused, ${how}: not the client's fault`, async () => {
      const prompt = model.on(`auth ${how}`, (answer) => answer.refuse(401, { message: 'bad key' }));
      await assert.rejects(client.chat.completions.create(ask(prompt, { stream })), (error) => {
        assert.ok(error instanceof OpenAI.InternalServerError, `${error}`);
        assert.equal(error.status, 502);
        assert.equal(error.code, 'upstream_auth');
        return true;
      });
    });
  }

  test('an upstream error inside the stream is the iterator\'s error, after what was said', async () => {
    const prompt = model.on('broken', breaks_with({ message: 'lost it', type: 'server_error' }));
    const chunks = [];
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create(ask(prompt, { stream: true }))) chunks.push(chunk);
    }, (error) => error instanceof OpenAI.APIError && /lost it/.test(error.message));
    assert.equal(text_of(chunks), 'half ');
    await assert.rejects(client.chat.completions.create(ask(prompt)), (error) => error.status >= 500 && /lost it/.test(error.message));
  });

  test('an upstream that breaks off inside the stream', async () => {
    const { prompt, upstream } = held(model, 'breaks off');
    const stream = await client.chat.completions.create(ask(prompt, { stream: true }));
    const reading = collect(stream);
    (await upstream).cut();
    await assert.rejects(reading, (error) => error instanceof OpenAI.APIError && error.code === 'upstream_truncated');
  });

  test('abort closes the upstream within a second', async () => {
    const { prompt, upstream } = held(model, 'abort');
    const stream = await client.chat.completions.create(ask(prompt, { stream: true }));
    let id;
    let aborted;
    for await (const chunk of stream) {
      id = chunk.id;
      if (!text_of([chunk])) continue;
      aborted = Date.now();
      stream.controller.abort();
    }
    await closes_within_a_second(upstream, aborted);
    assert.equal((await relay.ended_state(stream_of(id))).status, 'cancelled');
  });

  test('a client that leaves before its whole answer is there closes the upstream too', async () => {
    const { prompt, upstream } = held(model, 'abort whole');
    const leaving = new AbortController();
    const asking = client.chat.completions.create(ask(prompt), { signal: leaving.signal });
    await upstream;
    const aborted = Date.now();
    leaving.abort();
    await assert.rejects(asking, OpenAI.APIUserAbortError);
    await closes_within_a_second(upstream, aborted);
  });

  test('On-Disconnect: continue keeps it; any surface reads it afterwards', async () => {
    const { prompt, upstream } = held(model, 'continue');
    const stream = await client.chat.completions.create(ask(prompt, { stream: true }), { headers: { 'On-Disconnect': 'continue' } });
    let id;
    for await (const chunk of stream) {
      id = chunk.id;
      if (text_of([chunk])) break;
    }
    const answer = await upstream;
    // A disconnect that cancels does so after 250 ms: one made later, seen to be cancelled, has outlived this one's.
    const other = held(model, 'witness');
    const leaving = new AbortController();
    const witness = collect(await client.chat.completions.create(ask(other.prompt, { stream: true }), { signal: leaving.signal }));
    await other.upstream;
    leaving.abort();
    await witness;
    await (await other.upstream).closed;
    assert.equal((await relay.state(stream_of(id))).status, 'streaming');
    answer.text(words[1]).end();
    const state = await relay.ended_state(stream_of(id));
    assert.equal(state.status, 'completed');
    assert.equal(state.text, words[0] + words[1]);
  });

  test('what the relay itself reads is checked, and a 400 names it', async () => {
    const refused = (body, param) => assert.rejects(client.chat.completions.create({ ...ask('x'), ...body }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
      assert.equal(error.param, param);
      return true;
    });
    await refused({ stream: 'yes' }, 'stream');
    await assert.rejects(client.chat.completions.create({ ...ask('x'), model: 'none' }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, 'model_not_found');
      return true;
    });
  });

  test('models', async () => {
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    assert.deepEqual(names, ['m']);
    assert.equal((await client.models.retrieve('m')).id, 'm');
    await assert.rejects(client.models.retrieve('none'), OpenAI.NotFoundError);
  });
});

describe('@ai-sdk/openai-compatible', { concurrency: true, timeout: 60000 }, () => {
  const tools = {
    weather: tool({
      inputSchema: jsonSchema(weather.function.parameters),
      execute: async ({ city }) => `sun in ${city}`,
    }),
  };

  test('streamText: text, reasoning, usage, finish reason', async () => {
    const result = streamText({ model: provider('m'), prompt: model.on('ai plain', plain) });
    assert.equal(await result.text, said);
    assert.equal(await result.reasoningText, 'Let me think.');
    assert.equal(await result.finishReason, 'stop');
    assert.equal((await result.usage).outputTokens, 5);
  });

  test('generateText', async () => {
    const result = await generateText({ model: provider('m'), prompt: model.on('ai whole', plain) });
    assert.equal(result.text, said);
    assert.equal(result.reasoningText, 'Let me think.');
    assert.equal(result.usage.inputTokens, 7);
  });

  test('tools, in two steps', async () => {
    const result = streamText({ model: provider('m'), prompt: model.on('ai tools', with_tools), tools, stopWhen: stepCountIs(3) });
    assert.equal(await result.text, 'Sunny in both.');
    const [first] = await result.steps;
    assert.equal(first.finishReason, 'tool-calls');
    assert.deepEqual(first.toolCalls.map(({ input }) => input), both_cities);
    assert.deepEqual(first.toolResults.map(({ output }) => output), ['sun in Bern', 'sun in 東京']);
  });

  test('an upstream error before the stream, and inside', async () => {
    const failing = async (prompt) => {
      const errors = [];
      const result = streamText({ model: provider('m'), prompt, maxRetries: 0, onError: ({ error }) => errors.push(error) });
      const parts = await collect(result.fullStream);
      assert.equal(parts.filter(({ type }) => type === 'error').length, 1);
      return errors[0];
    };
    const refused = await failing(model.on('ai refused', (answer) => answer.refuse(400, { message: 'too hot' })));
    assert.equal(refused.statusCode, 400);
    assert.match(refused.message, /too hot/);
    const broken = await failing(model.on('ai broken', breaks_with({ message: 'lost it' })));
    assert.match(`${broken?.message ?? broken}`, /lost it/);
  });

  test('abort closes the upstream within a second', async () => {
    const { prompt, upstream } = held(model, 'ai abort');
    const leaving = new AbortController();
    const result = streamText({ model: provider('m'), prompt, abortSignal: leaving.signal });
    let aborted;
    for await (const part of result.fullStream) {
      if (part.type !== 'text-delta') continue;
      aborted = Date.now();
      leaving.abort();
    }
    assert.ok(aborted, 'it had begun');
    await closes_within_a_second(upstream, aborted);
  });
});
