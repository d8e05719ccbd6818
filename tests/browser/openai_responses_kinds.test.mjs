// The OpenAI Responses surface in front of other kinds of upstream: what a provider wants back in the next turn.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, stepCountIs, tool } from 'ai';
import { ModelServer, upstream } from './lib/model_server.mjs';
import { framed } from './lib/recordings.mjs';
import { relay_for } from './lib/relay.mjs';

// Answers every request with the next of `answers`, events by their payloads.
class Upstream extends ModelServer {
  answers = [];
  requests = [];

  constructor(kind) {
    super();
    this.kind = kind;
  }

  answer(response, body) {
    this.requests.push(body);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end(framed({ kind: this.kind, lines: this.answers.shift() }));
  }

  config() {
    return upstream(this.kind, this.kind, [`${this.kind}-*`], this.url);
  }
}

const upstreams = Object.fromEntries(['openai-responses', 'anthropic', 'gemini'].map((kind) => [kind, new Upstream(kind)]));
const relay = relay_for(Object.values(upstreams));

// A turn that thinks and calls, then one that tells.
const response = { id: 'resp_1', object: 'response', created_at: 1, model: 'x', status: 'completed', output: [] };
const turns = {
  'openai-responses': [
    [
      { type: 'response.created', sequence_number: 0, response: { ...response, status: 'in_progress' } },
      { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: { id: 'rs_9', type: 'reasoning', summary: [] } },
      { type: 'response.reasoning_summary_part.added', sequence_number: 2, item_id: 'rs_9', output_index: 0, summary_index: 0, part: { type: 'summary_text', text: '' } },
      { type: 'response.reasoning_summary_text.delta', sequence_number: 3, item_id: 'rs_9', output_index: 0, summary_index: 0, delta: 'Look it up.' },
      { type: 'response.output_item.done', sequence_number: 4, output_index: 0,
        item: { id: 'rs_9', type: 'reasoning', summary: [{ type: 'summary_text', text: 'Look it up.' }], encrypted_content: 'SIGNED' } },
      { type: 'response.output_item.added', sequence_number: 5, output_index: 1, item: { id: 'fc_9', type: 'function_call', call_id: 'call_9', name: 'weather', arguments: '' } },
      { type: 'response.function_call_arguments.delta', sequence_number: 6, item_id: 'fc_9', output_index: 1, delta: '{"city":"Bern"}' },
      { type: 'response.output_item.done', sequence_number: 7, output_index: 1, item: { id: 'fc_9', type: 'function_call', call_id: 'call_9', name: 'weather', arguments: '{"city":"Bern"}' } },
      { type: 'response.completed', sequence_number: 8, response },
    ],
    [
      { type: 'response.created', sequence_number: 0, response: { ...response, status: 'in_progress' } },
      { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: { id: 'msg_9', type: 'message', role: 'assistant', content: [] } },
      { type: 'response.content_part.added', sequence_number: 2, item_id: 'msg_9', output_index: 0, content_index: 0, part: { type: 'output_text', text: '', annotations: [] } },
      { type: 'response.output_text.delta', sequence_number: 3, item_id: 'msg_9', output_index: 0, content_index: 0, delta: 'Rain.' },
      { type: 'response.completed', sequence_number: 4, response },
    ],
  ],
  anthropic: [
    [
      { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [], model: 'x', usage: { input_tokens: 3, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Look it up.' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'SIGNED' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"city":"Bern"}' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ],
    [
      { type: 'message_start', message: { id: 'n', type: 'message', role: 'assistant', content: [], model: 'x', usage: { input_tokens: 3, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Rain.' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ],
  ],
  gemini: [
    [
      { candidates: [{ content: { role: 'model', parts: [{ functionCall: { name: 'weather', args: { city: 'Bern' } }, thoughtSignature: 'SIGNED' }] }, finishReason: 'STOP', index: 0 }] },
    ],
    [
      { candidates: [{ content: { role: 'model', parts: [{ text: 'Rain.' }] }, finishReason: 'STOP', index: 0 }] },
    ],
  ],
};

// What the second request says of the first turn.
const said_in = {
  'openai-responses': ({ input }) => input.slice(1, 3).map(({ id, type, summary, encrypted_content, call_id, arguments: json }) => (
    type === 'reasoning' ? { id, summary, encrypted_content } : { call_id, json })),
  anthropic: ({ messages }) => messages[1].content,
  gemini: ({ contents }) => contents[1].parts.map(({ functionCall: { name, args }, thoughtSignature }) => ({ name, args, thoughtSignature })),
};
const expected = {
  'openai-responses': [
    { id: 'rs_9', summary: [{ type: 'summary_text', text: 'Look it up.' }], encrypted_content: 'SIGNED' },
    { call_id: 'call_9', json: '{"city":"Bern"}' },
  ],
  anthropic: [
    { type: 'thinking', thinking: 'Look it up.', signature: 'SIGNED' },
    { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bern' } },
  ],
  gemini: [{ name: 'weather', args: { city: 'Bern' }, thoughtSignature: 'SIGNED' }],
};

describe('what a provider wants back in the next turn', { timeout: 60000 }, () => {
  for (const [kind, answers] of Object.entries(turns)) {
    for (const store of [true, false]) {
      test(`${kind}, store ${store}`, async () => {
        const { answers: next, requests } = upstreams[kind];
        next.push(...answers.map((events) => events.map((event) => JSON.stringify(event))));
        const provider = createOpenAI({ baseURL: `${relay.url}/v1`, apiKey: 'none' });
        const result = await generateText({
          model: provider(`${kind}-x`),
          prompt: 'How is Bern?',
          stopWhen: stepCountIs(3),
          providerOptions: { openai: { store } },
          tools: {
            weather: tool({
              inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } } }),
              execute: async ({ city }) => `rain in ${city}`,
            }),
          },
        });
        assert.equal(result.text, 'Rain.');
        const second = requests.at(-1);
        assert.deepEqual(said_in[kind](second), expected[kind]);
        assert.match(JSON.stringify(second), /rain in Bern/);
      });
    }
  }
});
