// Responses that outlive a connection: resumed, read slowly, in the background, steered, on other surfaces, after a crash.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { collect, plain, said, stepped } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for, until } from './lib/relay.mjs';
import { check_numbers, expand, stream_of } from './lib/responses.mjs';

const model = new ChatModel();
let client;
const relay = relay_for([model], ({ url }) => { client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' }); });

describe('openai responses, resumed', { timeout: 120000 }, () => {
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
});
