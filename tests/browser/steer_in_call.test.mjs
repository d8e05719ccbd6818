// A steer in the middle of a tool call: what the unmodified clients make of it, streamed and not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const model = new ChatModel();
let openai;
let anthropic;
const relay = relay_for([model], ({ url }) => {
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
});

const parameters = { type: 'object', properties: { x: { type: 'string' } }, required: ['x'], additionalProperties: false };
const strict = [{ type: 'function', name: 'f', parameters, strict: true }];
const newest = async () => (await (await fetch(`${relay.url}/v1/streams?limit=1`)).json()).streams[0]?.id;

// Begins an answer with `ask(prompt)`, steers it when its call is half in the log, and gives what `ask` gave.
async function steered(name, ask) {
  const prompt = model.on(`ask ${name}`, (answer) => answer.text('Before. ').call(0, '{"x', `call_${name}`, 'f'));
  const steer = model.on(`steer ${name}`, (answer) => answer.text('After.').end());
  const known = await newest();
  const answer = ask(prompt);
  const id = await until('a stream', async () => {
    const id = await newest();
    return id !== known && id;
  });
  const events = await fetch(`${relay.url}/v1/streams/${id}/events`, { headers: { Accept: 'text/event-stream' } });
  let log = '';
  for await (const part of events.body.pipeThrough(new TextDecoderStream())) {
    log += part;
    if (log.includes('event: tool_call')) break;
  }
  const { status } = await fetch(`${relay.url}/v1/streams/${id}/steer`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ content: steer }),
  });
  assert.equal(status, 202);
  return answer;
}

test('openai.responses, streamed, with a strict tool', async () => {
  const done = [];
  const response = await steered('rs', (input) => openai.responses.stream({ model: 'm', input, tools: strict })
    .on('response.output_item.done', ({ item }) => done.push(`${item.type} ${item.status}`)).finalResponse());
  assert.deepEqual(done, ['message completed', 'function_call incomplete', 'message completed']);
  assert.equal(response.output_text, 'Before. After.');
  assert.deepEqual(response.output.map(({ type }) => type), ['message', 'message']);
});

test('openai.responses, whole', async () => {
  const response = await steered('rw', (input) => openai.responses.parse({ model: 'm', input, tools: strict }));
  assert.equal(response.output_text, 'Before. After.');
  assert.ok(response.output.every(({ type }) => type === 'message'));
});

test('openai.chat.completions, whole', async () => {
  const { choices } = await steered('cw', (content) => openai.chat.completions.create({
    model: 'm', messages: [{ role: 'user', content }] }));
  assert.equal(choices[0].message.content, 'Before. After.');
  assert.equal(choices[0].message.tool_calls, undefined);
  assert.equal(choices[0].finish_reason, 'stop');
});

test('anthropic.messages, streamed: blocks one after another', async () => {
  let open = 0;
  const message = await steered('ms', (content) => anthropic.messages
    .stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] })
    .on('streamEvent', ({ type }) => {
      if (type === 'content_block_start') assert.equal(++open, 1);
      if (type === 'content_block_stop') open--;
    }).finalMessage());
  assert.equal(open, 0);
  assert.equal(message.stop_reason, 'end_turn');
  assert.deepEqual(message.content.filter(({ type }) => type === 'text').map(({ text }) => text), ['Before. ', 'After.']);
});

test('anthropic.messages, whole', async () => {
  const message = await steered('mw', (content) => anthropic.messages.create({
    model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] }));
  assert.deepEqual(message.content.map(({ type }) => type), ['text', 'text']);
  assert.equal(message.stop_reason, 'end_turn');
});
