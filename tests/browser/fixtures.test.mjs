// Every recorded provider stream, through its dialect and out of every surface, streamed and whole: the same text, reasoning, tool
// calls, usage and finish as the recording says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Player, recordings } from './lib/recordings.mjs';
import { relay_for } from './lib/relay.mjs';

const relay = relay_for([new Player()]);

const empty = () => ({ text: '', reasoning: '', tools: [], finish: null, input: null, output: null, error: null });

async function post(path, body, headers = {}) {
  const response = await fetch(relay.url + path, {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body),
  });
  assert.match(response.headers.get('stream-id'), /^strm_[a-z2-7]{26}$/);
  return response;
}

// The events of a body: { event, data } with data as JSON (or as it is, where it is none). A failure that is known before anything was
// said is an answer of its own, with a status: then there is one event, the error.
async function events(response) {
  if (!response.headers.get('content-type').startsWith('text/event-stream')) {
    assert.ok(response.status >= 400);
    const body = await response.text();
    const message = body.startsWith('{') ? JSON.parse(body).error.message : body;
    return [{ event: 'refused', data: { error: { message }, errorText: message, type: 'error', response: { error: { message } } } }];
  }
  const blocks = (await response.text()).split('\n\n').map((block) => block.split('\n'));
  return blocks.flatMap((lines) => {
    const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = field('data');
    if (data === undefined) return [];
    return [{ event: field('event'), data: data === '[DONE]' ? data : JSON.parse(data) }];
  });
}

const user = (text) => [{ role: 'user', content: text }];

const surfaces = {
  async native(model) {
    const out = empty();
    for (const { event, data } of await events(await post('/v1/streams', { model, prompt: 'hi' }, { Accept: 'text/event-stream' }))) {
      if (event === undefined) out.text += data.delta;
      if (event === 'reasoning') out.reasoning += data.delta;
      if (event === 'tool_call') {
        out.tools[data.index] ??= { id: data.id, name: data.name, arguments: '' };
        out.tools[data.index].arguments += data.arguments_delta;
      }
      if (event === 'done') {
        Object.assign(out, { finish: data.finish_reason, input: data.usage.input_tokens, output: data.usage.output_tokens });
        out.error = data.error?.message ?? null;
      }
    }
    return out;
  },

  async 'chat stream'(model) {
    const out = empty();
    const request = { model, messages: user('hi'), stream: true, stream_options: { include_usage: true } };
    for (const { data } of await events(await post('/v1/chat/completions', request))) {
      if (data.error) out.error = data.error.message;
      if (data.usage) Object.assign(out, { input: data.usage.prompt_tokens, output: data.usage.completion_tokens });
      for (const { delta, finish_reason } of data.choices ?? []) {
        out.text += delta.content ?? '';
        out.reasoning += delta.reasoning_content ?? '';
        for (const call of delta.tool_calls ?? []) {
          out.tools[call.index] ??= { id: call.id, name: call.function.name, arguments: '' };
          out.tools[call.index].arguments += call.function?.arguments ?? '';
        }
        out.finish = finish_reason ?? out.finish;
      }
    }
    return out;
  },

  async 'chat whole'(model) {
    const { error, choices, usage } = await (await post('/v1/chat/completions', { model, messages: user('hi') })).json();
    if (error) return { ...empty(), error: error.message };
    const { message, finish_reason } = choices[0];
    return {
      text: message.content ?? '', reasoning: message.reasoning_content ?? '', finish: finish_reason, error: null,
      tools: (message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }) => ({ id, name, arguments: args })),
      input: usage.prompt_tokens, output: usage.completion_tokens,
    };
  },

  async 'responses stream'(model) {
    const all = await events(await post('/v1/responses', { model, input: 'hi', stream: true }));
    const numbers = all.map(({ data }) => data.sequence_number);  // with gaps: a merged delta carries its last one
    assert.ok(all[0].event === 'refused' || numbers.every((number, i) => number > (numbers[i - 1] ?? -1)), numbers.join());
    const deltas = (...types) => all.filter(({ event }) => types.includes(event)).map(({ data }) => data.delta).join('');
    const last = all.at(-1).data;
    const out = of_response(last.response);
    if (!out.error) {
      assert.equal(deltas('response.output_text.delta'), out.text);
      assert.equal(deltas('response.reasoning_text.delta', 'response.reasoning_summary_text.delta'), out.reasoning);
    }
    return out;
  },

  async 'responses whole'(model) {
    return of_response(await (await post('/v1/responses', { model, input: 'hi' })).json());
  },

  async 'anthropic stream'(model) {
    const out = empty();
    const request = { model, max_tokens: 100, messages: user('hi'), stream: true };
    const blocks = [];
    for (const { event, data } of await events(await post('/v1/messages', request, { 'anthropic-version': '2023-06-01' }))) {
      if (event !== 'refused') assert.equal(event, data.type);
      if (data.type === 'error') out.error = data.error.message;
      if (event === 'content_block_start') blocks[data.index] = { ...data.content_block, json: '' };
      if (event === 'content_block_delta') {
        const block = blocks[data.index];
        if (data.delta.type === 'text_delta') block.text += data.delta.text;
        if (data.delta.type === 'thinking_delta') block.thinking += data.delta.thinking;
        if (data.delta.type === 'signature_delta') block.signature += data.delta.signature;
        if (data.delta.type === 'input_json_delta') block.json += data.delta.partial_json;
      }
      if (event === 'message_delta') Object.assign(out, { finish: stop_reasons[data.delta.stop_reason], usage: data.usage });
    }
    return of_message(out, blocks.map((block) => (block.type === 'tool_use' ? { ...block, input: JSON.parse(block.json || '{}') } : block)));
  },

  async 'anthropic whole'(model) {
    const message = await (await post('/v1/messages', { model, max_tokens: 100, messages: user('hi') })).json();
    if (message.type === 'error') return { ...empty(), error: message.error.message };
    return of_message({ ...empty(), finish: stop_reasons[message.stop_reason], usage: message.usage }, message.content);
  },

  async 'gemini stream'(model) {
    const request = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] };
    const all = await events(await post(`/v1beta/models/${model}:streamGenerateContent?alt=sse`, request));
    return of_gemini(all.map(({ event, data }) => {
      assert.ok(event === undefined || event === 'refused');
      return data;
    }));
  },

  async 'gemini whole'(model) {
    const request = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] };
    return of_gemini([await (await post(`/v1beta/models/${model}:generateContent`, request)).json()]);
  },

  async ui(model) {
    const out = empty();
    const message = { id: 'u1', role: 'user', parts: [{ type: 'text', text: 'hi' }] };
    const all = await events(await post('/api/chat', { id: `chat-${model}`, model, messages: [message], trigger: 'submit-message' }));
    if (all[0].event !== 'refused') assert.equal(all.at(-1).data, '[DONE]');
    for (const { data } of all) {
      if (data.type === 'text-delta') out.text += data.delta;
      if (data.type === 'reasoning-delta') out.reasoning += data.delta;
      if (data.type === 'tool-input-available') out.tools.push({ id: data.toolCallId, name: data.toolName, arguments: JSON.stringify(data.input) });
      if (data.type === 'finish') out.finish = data.finishReason.replace('-', '_');
      if (data.type === 'error') out.error = data.errorText;
    }
    return out;
  },
};

const stop_reasons = { end_turn: 'stop', tool_use: 'tool_calls', max_tokens: 'length', refusal: 'content_filter' };

function of_response(response) {
  if (response.error) return { ...empty(), error: response.error.message };
  const out = { ...empty(), finish: 'stop', input: response.usage.input_tokens, output: response.usage.output_tokens };
  assert.equal(response.status, 'completed');
  for (const item of response.output) {
    if (item.type === 'message') out.text += item.content.map(({ text }) => text).join('');
    if (item.type === 'reasoning') out.reasoning += [...(item.content ?? []), ...item.summary].map(({ text }) => text).join('');
    if (item.type === 'function_call') {
      out.tools.push({ id: item.call_id, name: item.name, arguments: item.arguments });
      out.finish = 'tool_calls';
    }
  }
  return out;
}

function of_message(out, blocks) {
  for (const block of blocks) {
    if (block.type === 'text') out.text += block.text;
    if (block.type === 'thinking') out.reasoning += block.thinking;
    if (block.type === 'thinking' && block.signature) out.signature = block.signature;
    if (block.type === 'tool_use') out.tools.push({ id: block.id, name: block.name, arguments: JSON.stringify(block.input) });
  }
  if (out.usage) {
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = out.usage;
    Object.assign(out, { input: input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0), output: output_tokens });
  }
  return out;
}

function of_gemini(chunks) {
  const out = empty();
  for (const { candidates, usageMetadata, error } of chunks) {
    if (error) out.error = error.message;
    if (usageMetadata) {
      out.input = usageMetadata.promptTokenCount;
      out.output = (usageMetadata.candidatesTokenCount ?? 0) + (usageMetadata.thoughtsTokenCount ?? 0);
    }
    for (const part of candidates?.[0].content?.parts ?? []) {
      if (part.thoughtSignature) out.signature = part.thoughtSignature;
      if (part.functionCall) out.tools.push({ name: part.functionCall.name, arguments: JSON.stringify(part.functionCall.args) });
      else out[part.thought ? 'reasoning' : 'text'] += part.text ?? '';
    }
    const finish = candidates?.[0].finishReason;
    if (finish) out.finish = finish === 'STOP' ? (out.tools.length ? 'tool_calls' : 'stop') : finish;
  }
  return out;
}

for (const { name, kind, expected } of recordings) {
  for (const [surface, read] of Object.entries(surfaces)) {
    test(`${name} (${kind}) out of ${surface}`, async () => {
      const got = await read(name);
      if (expected.error) {
        assert.match(got.error ?? '', new RegExp(expected.error.slice(0, 30)));
        return;
      }
      assert.equal(got.error, null);
      assert.equal(got.text, expected.text);
      assert.equal(got.reasoning, expected.reasoning);
      assert.equal(got.finish, expected.finish);
      assert.deepEqual(got.tools.map(({ name: tool, arguments: args }) => [tool, JSON.parse(args)]),
        expected.tools.map(({ name: tool, arguments: args }) => [tool, JSON.parse(args)]));
      expected.tools.forEach(({ id }, index) => {
        if (id && got.tools[index].id) assert.equal(got.tools[index].id, id);
      });
      if (surface !== 'ui') assert.deepEqual([got.input, got.output], [expected.input, expected.output]);
      if (expected.signature && surface.startsWith(kind)) assert.equal(got.signature, expected.signature);
    });
  }
}
