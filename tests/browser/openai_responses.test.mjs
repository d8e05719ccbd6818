// The OpenAI Responses surface, driven by the unmodified `openai` client: events, whole answers, tools, errors.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { breaks_with, collect, plain, said, stepped, two_calls, words } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for } from './lib/relay.mjs';
import { check_numbers, stream_of, weather } from './lib/responses.mjs';

const model = new ChatModel();
let client;
const relay = relay_for([model], ({ url }) => { client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' }); });

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
    const input = model.on('tools', two_calls);
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
    const input = model.on('broken', breaks_with({ message: 'lost it', type: 'server_error' }));
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

  test('a refusal says when to come back', async () => {
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
    await refused({ max_tool_calls: 3 }, 'max_tool_calls');
    await assert.rejects(client.responses.create({ model: 'nobody', input: 'x', max_tool_calls: 3 }), { status: 404, code: 'model_not_found' });
  });
});
