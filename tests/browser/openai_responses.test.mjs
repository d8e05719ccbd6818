// The OpenAI Responses surface, driven by the unmodified `openai` client and @ai-sdk/openai.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { ChatModel } from './lib/chat_model.mjs';
import { Relay, until } from './lib/relay.mjs';

let model;
let relay;
let client;
let provider;
before(async () => {
  model = await new ChatModel().start();
  relay = await new Relay({ config: model.config() }).start();
  client = new OpenAI({ baseURL: `${relay.url}/v1`, apiKey: 'none' });
  provider = createOpenAI({ baseURL: `${relay.url}/v1`, apiKey: 'none' });
});
after(async () => {
  await relay?.stop();
  await model?.close();
});

const words = ['The tide ', 'comes in 🙂, ', 'and Zürich ', 'writes it down.'];
const said = words.join('');
const plain = (answer) => answer.reason('Let me ', 'think.').text(...words).end();
const calls = (answer) => answer.text('I look. ').call(0, '', 'call_a', 'weather').call(1, '', 'call_b', 'weather')
  .call(0, '{"city":').call(1, '{"city":"東京"}').call(0, '"Bern"}').end('tool_calls');
const weather = {
  type: 'function', name: 'weather', strict: null,
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const stream_of = (id) => `strm_${id.slice('resp_'.length)}`;

// A script told piece by piece, the next one when the last has arrived: nothing is merged for a reader that keeps up.
function stepped(...pieces) {
  let answer;
  const next = () => pieces.shift()?.(answer);
  const begin = (given) => { answer = given; next(); };
  const read = async (stream) => {
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type.endsWith('.delta')) next();
    }
    return events;
  };
  return { begin, read };
}

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

function check_numbers(events) {
  assert.deepEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, i) => i));
}

// The events that `merged` stands for: a merged delta carries its last number.
function expand(merged, uncut, from = 0) {
  const out = [];
  for (const event of merged) {
    if (!event.type.endsWith('.delta')) {
      out.push(event);
      continue;
    }
    const first = from + out.length;
    const pieces = uncut.slice(first, event.sequence_number + 1);
    assert.equal(pieces.map(({ delta }) => delta).join(''), event.delta);
    assert.ok(pieces.every(({ type, item_id }) => type === event.type && item_id === event.item_id));
    out.push(...pieces);
  }
  return out;
}

describe('openai responses', { timeout: 120000 }, () => {
  test('streams the whole sequence of events', async () => {
    const script = stepped(
      (answer) => answer.reason('Let me '), (answer) => answer.reason('think.'),
      ...words.map((word) => (answer) => answer.text(word)), (answer) => answer.end());
    const input = model.on('raw', script.begin);
    const events = await script.read(await client.responses.create({ model: 'm', input, stream: true, metadata: { a: 'b' } }));
    check_numbers(events);
    assert.deepEqual(events.map(({ type }) => type.replace('response.', '')), [
      'created', 'in_progress',
      'output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta', 'reasoning_summary_text.delta',
      'reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done',
      'output_item.added', 'content_part.added', ...words.map(() => 'output_text.delta'),
      'output_text.done', 'content_part.done', 'output_item.done', 'completed',
    ]);
    const { response } = events.at(-1);
    assert.equal(response.output_text ?? response.output[1].content[0].text, said);
    assert.equal(response.output[0].summary[0].text, 'Let me think.');
    assert.deepEqual(response.metadata, { a: 'b' });
    assert.equal(response.usage.total_tokens, 12);
    assert.deepEqual(await client.responses.retrieve(response.id).then(({ output_text, ...rest }) => rest), response);
    assert.equal((await relay.state(stream_of(response.id))).text, said);
  });

  test('the helper builds the final response', async () => {
    const input = model.on('helper', plain);
    let text = '';
    const stream = client.responses.stream({ model: 'm', input }).on('response.output_text.delta', (event) => {
      text += event.delta;
      assert.equal(event.snapshot, text);
    });
    const response = await stream.finalResponse();
    assert.equal(response.status, 'completed');
    assert.equal(response.output_text, said);
    assert.equal(text, said);
  });

  test('answers whole', async () => {
    const input = model.on('whole', plain);
    const { data, response } = await client.responses.create({ model: 'm', input, instructions: 'Be brief.' }).withResponse();
    assert.equal(data.output_text, said);
    assert.equal(data._request_id, response.headers.get('x-request-id'));
    assert.equal(response.headers.get('stream-id'), stream_of(data.id));
    assert.deepEqual(model.requests.at(-1).messages, [
      { role: 'system', content: 'Be brief.' }, { role: 'user', content: 'whole' }]);
  });

  test('tools, told side by side', async () => {
    const input = model.on('tools', calls);
    const response = await client.responses.stream({ model: 'm', input, tools: [weather] }).finalResponse();
    const found = response.output.filter(({ type }) => type === 'function_call');
    assert.deepEqual(found.map(({ call_id, name, arguments: json }) => [call_id, name, JSON.parse(json)]), [
      ['call_a', 'weather', { city: 'Bern' }], ['call_b', 'weather', { city: '東京' }]]);
    assert.equal(model.requests.at(-1).tools[0].function.name, 'weather');
    model.on('tools', plain);
    await client.responses.create({
      model: 'm', tools: [weather],
      input: [{ role: 'user', content: input }, ...response.output,
              { type: 'function_call_output', call_id: 'call_a', output: 'rain' },
              { type: 'function_call_output', call_id: 'call_b', output: [{ type: 'input_text', text: 'sun' }] }],
    });
    const messages = model.requests.at(-1).messages;
    assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool']);
    assert.equal(messages[1].content, 'I look. ');
    assert.deepEqual(messages[1].tool_calls.map(({ id }) => id), ['call_a', 'call_b']);
    assert.deepEqual(messages.slice(2).map(({ content }) => content), ['rain', 'sun']);
  });

  test('resumes after every event there is', async () => {
    const script = stepped(
      (answer) => answer.reason('Hm'), (answer) => answer.reason('. '), (answer) => answer.text('One '),
      (answer) => answer.text('two '), (answer) => answer.call(0, '', 'call_a', 'f'), (answer) => answer.call(0, '{'),
      (answer) => answer.call(0, '}'), (answer) => answer.call(1, '', 'call_b', 'g'), (answer) => answer.call(1, '{}'),
      (answer) => answer.text('three'), (answer) => answer.end());
    const input = model.on('resume', script.begin);
    const uncut = await script.read(await client.responses.create({ model: 'm', input, stream: true, background: true }));
    check_numbers(uncut);
    const { id } = uncut[0].response;
    assert.equal(uncut[0].response.background, true);
    for (let after = 0; after < uncut.length; ++after) {
      const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: after }));
      assert.ok(after + 1 === uncut.length || rest[0].sequence_number > after, `after ${after}`);
      assert.deepEqual(expand(rest, uncut, after + 1), uncut.slice(after + 1), `after ${after}`);
    }
    assert.deepEqual(expand(await collect(await client.responses.retrieve(id, { stream: true })), uncut), uncut);
    await assert.rejects(client.responses.retrieve(id, { stream: true, starting_after: uncut.length }), { status: 400, param: 'starting_after' });
    await assert.rejects(client.responses.retrieve(id, { stream: true, starting_after: -1 }), { status: 400, param: 'starting_after' });
    const helper = client.responses.stream({ response_id: id, starting_after: 3 });
    assert.equal((await helper.finalResponse()).output_text, 'One two three');
  });

  test('a reader that is slow gets fewer events with the same numbers', async () => {
    const count = 2000;
    const input = model.on('slow', (answer) => {
      for (let i = 0; i < count; ++i) answer.text(`${i} `);
      answer.end();
    });
    const whole = Array.from({ length: count }, (_, i) => `${i} `).join('');
    const stream = await client.responses.create({ model: 'm', input, stream: true });
    const events = [];
    for await (const event of stream) {
      if (events.length === 0) await relay.ended_state(stream_of(event.response.id));
      events.push(event);
    }
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
    assert.ok(deltas.length < count);
    assert.equal(deltas.map(({ delta }) => delta).join(''), whole);
    assert.equal(deltas.at(-1).sequence_number, 3 + count);
    assert.equal(events.at(-1).sequence_number, 7 + count);
    for (const { sequence_number: after } of deltas.slice(0, 20)) {
      const rest = await collect(await client.responses.retrieve(events[0].response.id, { stream: true, starting_after: after }));
      assert.equal(rest.map(({ type, delta }) => (type === 'response.output_text.delta' ? delta : '')).join(''),
        whole.split(' ').slice(after - 3).join(' '), `after ${after}`);
    }
  });

  test('goes on live from where a connection was lost', async () => {
    let upstream;
    const input = model.on('live', (answer) => { upstream = answer.text('first '); });
    const stream = await client.responses.create({ model: 'm', input, stream: true, background: true });
    let last, id;
    for await (const event of stream) {
      id ??= event.response?.id;
      last = event.sequence_number;
      if (event.type === 'response.output_text.delta') break;
    }
    const reading = collect(await client.responses.retrieve(id, { stream: true, starting_after: last }));
    upstream.text('second ').end();
    const rest = await reading;
    assert.equal(rest[0].sequence_number, last + 1);
    assert.equal(rest.at(-1).response.output[0].content[0].text, 'first second ');
  });

  test('runs in the background', async () => {
    let upstream;
    const input = model.on('background', (answer) => { upstream = answer.text('slow '); });
    const begun = await client.responses.create({ model: 'm', input, background: true });
    assert.ok(['queued', 'in_progress'].includes(begun.status), begun.status);
    assert.equal(begun.background, true);
    await until('the upstream', () => upstream);
    upstream.text('work').end();
    const ended = await until('the end', async () => {
      const response = await client.responses.retrieve(begun.id);
      return response.status !== 'in_progress' && response.status !== 'queued' && response;
    });
    assert.equal(ended.status, 'completed');
    assert.equal(ended.output_text, 'slow work');
  });

  test('is cancelled, while somebody reads', async () => {
    let upstream;
    const input = model.on('cancel', (answer) => { upstream = answer.text('never '); });
    const stream = client.responses.stream({ model: 'm', input, background: true });
    const id = await new Promise((resolve) => {
      let id;
      stream.on('response.created', ({ response }) => { id = response.id; });
      stream.on('response.output_text.delta', () => resolve(id));
    });
    const cancelled = await client.responses.cancel(id);
    assert.equal(cancelled.status, 'cancelled');
    assert.equal(cancelled.output[0].content[0].text, 'never ');
    assert.equal((await stream.finalResponse()).status, 'cancelled');
    await upstream.closed;
    assert.equal((await client.responses.cancel(id)).status, 'cancelled');
  });

  test('is deleted', async () => {
    const input = model.on('delete', plain);
    const { id } = await client.responses.create({ model: 'm', input });
    const { status } = await client.responses.delete(id).asResponse();
    assert.equal(status, 200);
    await assert.rejects(client.responses.retrieve(id), (error) => error.status === 404 || error.status === 410);
  });

  test('an upstream error before the stream is the answer', async () => {
    const input = model.on('refused', (answer) => answer.refuse(400, { message: 'too hot', type: 'invalid_request_error' }));
    for (const stream of [true, false]) {
      await assert.rejects(client.responses.create({ model: 'm', input, stream }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.match(error.message, /too hot/);
        return true;
      });
    }
  });

  test('an upstream error inside the stream', async () => {
    const input = model.on('broken', (answer) => { answer.text('half ').data({ error: { message: 'lost it', type: 'server_error' } }); answer.response.end(); });
    const events = await collect(await client.responses.create({ model: 'm', input, stream: true }));
    check_numbers(events);
    assert.deepEqual(events.slice(-2).map(({ type }) => type), ['error', 'response.failed']);
    assert.match(events.at(-2).message, /lost it/);
    assert.match(events.at(-1).response.error.message, /lost it/);
    await assert.rejects(client.responses.stream({ model: 'm', input }).finalResponse());
    const whole = await client.responses.create({ model: 'm', input });
    assert.equal(whole.status, 'failed');
    assert.equal(whole.output_text, 'half ');
  });

  test('an abort is only a disconnect', async () => {
    let upstream;
    const input = model.on('abort', (answer) => { upstream = answer.text('on and '); });
    const stream = await client.responses.create({ model: 'm', input, stream: true });
    let id;
    for await (const event of stream) {
      id ??= event.response?.id;
      if (event.type === 'response.output_text.delta') stream.controller.abort();
    }
    upstream.text('on').end();
    assert.equal((await relay.ended_state(stream_of(id))).text, 'on and on');
  });

  test('a refusal for now says when to come back', async () => {
    const input = model.on('limited', (answer) => answer.refuse(429, { message: 'slow down' }, { 'Retry-After': '60' }));
    const before = model.requests.length;
    await assert.rejects(client.responses.create({ model: 'm', input, stream: true }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get('retry-after'), '60');
      assert.equal(error.headers.get('x-should-retry'), 'false', 'the run was accepted');
      return true;
    });
    assert.ok(model.requests.length > before);
  });

  test('reads what was made on other surfaces', async () => {
    const prompt = model.on('elsewhere', plain);
    const native = await relay.create(prompt, { model: 'm' });
    const chat = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: prompt }] });
    await relay.ended_state(native.id);
    for (const id of [native.id.replace('strm_', 'resp_'), chat.id.replace('chatcmpl-', 'resp_'), native.id]) {
      const response = await client.responses.retrieve(id);
      assert.equal(response.output_text, said);
      assert.equal((await client.responses.stream({ response_id: id }).finalResponse()).output_text, said);
    }
  });

  test('a steer goes on in the same item', async () => {
    let upstream;
    const input = model.on('steered', (answer) => { upstream = answer.text('To the left. '); });
    model.on('No, right!', (answer) => answer.text('To the right.').end());
    const stream = client.responses.stream({ model: 'm', input });
    const id = await new Promise((resolve) => {
      let id;
      stream.on('response.created', ({ response }) => { id = response.id; });
      stream.on('response.output_text.delta', () => resolve(id));
    });
    const steer = await fetch(`${relay.url}/v1/streams/${stream_of(id)}/steer`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ content: 'No, right!' }),
    });
    assert.equal(steer.status, 202);
    const response = await stream.finalResponse();
    await upstream.closed;
    assert.equal(response.output.length, 1);
    assert.equal(response.output_text, 'To the left. To the right.');
  });

  test('a killed relay leaves a failed response, and the same events', async () => {
    const input = model.on('killed', (answer) => answer.text('half '));
    const stream = await client.responses.create({ model: 'm', input, stream: true, background: true });
    const seen = [];
    await assert.rejects(async () => {
      for await (const event of stream) {
        seen.push(event);
        if (event.type === 'response.output_text.delta') await relay.kill();
      }
    });
    await relay.start();
    const { id } = seen[0].response;
    const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: seen.at(-1).sequence_number }));
    assert.deepEqual(rest.map(({ type }) => type), ['error', 'response.failed']);
    assert.equal(rest[0].sequence_number, seen.at(-1).sequence_number + 1);
    const response = await client.responses.retrieve(id);
    assert.equal(response.status, 'failed');
    assert.equal(response.background, true);
    assert.equal(response.output_text, 'half ');
    assert.deepEqual(await collect(await client.responses.retrieve(id, { stream: true })), [...seen, ...rest]);
  });

  test('what cannot be carried over is named', async () => {
    const refused = (body, param) => assert.rejects(client.responses.create({ model: 'm', input: 'x', ...body }), (error) => {
      assert.equal(error.status, 400);
      assert.equal(error.param, param);
      return true;
    });
    await refused({ previous_response_id: 'resp_x' }, 'previous_response_id');
    await refused({ conversation: 'conv_x' }, 'conversation');
    await refused({ prompt: { id: 'p' } }, 'prompt');
    await refused({ tools: [{ type: 'web_search' }] }, 'tools[0].type');
    await refused({ input: [{ type: 'item_reference', id: 'msg_x_0' }] }, 'input[0].id');
    await refused({ input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] }, 'input[0].content[0].image_url');
    await refused({ truncation: 'auto' }, 'truncation');
    await assert.rejects(client.responses.create({ model: 'nobody', input: 'x', truncation: 'auto' }), { status: 404, code: 'model_not_found' });
  });
});

describe('@ai-sdk/openai', { timeout: 120000 }, () => {
  const tools = {
    weather: tool({
      description: 'The weather.',
      inputSchema: jsonSchema(weather.parameters),
      execute: async ({ city }) => `rain in ${city}`,
    }),
  };
  const ask_then_tell = (answer, body) => (body.messages.at(-1).role === 'tool' ? plain(answer) : calls(answer));

  test('generateText', async () => {
    const prompt = model.on('ai whole', plain);
    const result = await generateText({ model: provider('m'), prompt });
    assert.equal(result.text, said);
    assert.equal(result.reasoningText, 'Let me think.');
    assert.equal(result.finishReason, 'stop');
    assert.equal(result.usage.totalTokens, 12);
  });

  test('streamText', async () => {
    const prompt = model.on('ai stream', plain);
    const result = streamText({ model: provider('m'), prompt });
    assert.equal((await collect(result.textStream)).join(''), said);
    assert.equal(await result.reasoningText, 'Let me think.');
    assert.equal(await result.finishReason, 'stop');
  });

  for (const store of [true, false]) {
    test(`tools in several steps, store ${store}`, async () => {
      const prompt = model.on(`ai tools ${store}`, ask_then_tell);
      const options = { model: provider('m'), prompt, tools, stopWhen: stepCountIs(3), providerOptions: { openai: { store } } };
      const whole = await generateText(options);
      const streamed = streamText(options);
      await streamed.consumeStream();
      for (const steps of [whole.steps, await streamed.steps]) {
        assert.equal(steps.length, 2);
        assert.deepEqual(steps[0].toolCalls.map(({ input }) => input.city), ['Bern', '東京']);
        assert.deepEqual(steps[0].toolResults.map(({ output }) => output), ['rain in Bern', 'rain in 東京']);
        assert.equal(steps[1].text, said);
      }
      const messages = model.requests.at(-1).messages;
      assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool']);
      assert.deepEqual(messages[1].tool_calls.map(({ id }) => id), ['call_a', 'call_b']);
    });
  }

  test('an upstream error before the stream, and inside', async () => {
    const refused = model.on('ai refused', (answer) => answer.refuse(400, { message: 'too hot' }));
    await assert.rejects(generateText({ model: provider('m'), prompt: refused }), { statusCode: 400, message: /too hot/ });
    const broken = model.on('ai broken', (answer) => { answer.text('half ').data({ error: { message: 'lost it' } }); answer.response.end(); });
    const errors = [];
    const result = streamText({ model: provider('m'), prompt: broken, onError: ({ error }) => errors.push(error) });
    assert.equal((await collect(result.textStream)).join(''), 'half ');
    assert.match(errors[0].message, /lost it/);
  });

  test('an abort is only a disconnect', async () => {
    let upstream;
    const prompt = model.on('ai abort', (answer) => { upstream = answer.text('on and '); });
    const controller = new AbortController();
    const result = streamText({ model: provider('m'), prompt, abortSignal: controller.signal });
    let id;
    for await (const part of result.fullStream) {
      if (part.type === 'text-start') id = part.providerMetadata.openai.itemId.split('_')[1];
      if (part.type === 'text-delta') controller.abort();
    }
    upstream.text('on').end();
    assert.equal((await relay.ended_state(`strm_${id}`)).text, 'on and on');
  });
});
