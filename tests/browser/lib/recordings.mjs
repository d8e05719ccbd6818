// The recorded provider streams (tests/fixtures): a server that plays them, each under its own name as the model, and what each
// says when it is read the plain way.
import { readFileSync, readdirSync } from 'node:fs';
import { ModelServer, upstream } from './model_server.mjs';

const folder = new URL('../../fixtures/', import.meta.url);
const kinds = [[/^anthropic/, 'anthropic'], [/^gemini/, 'gemini'], [/responses/, 'openai-responses'], [/./, 'openai']];

const nothing = () => ({ text: '', reasoning: '', tools: [], finish: 'stop', input: null, output: null, error: null });

// Each kind's recording, read the plain way.
const readers = {
  openai(chunks) {
    const out = nothing();
    for (const { choices, usage } of chunks) {
      if (usage) [out.input, out.output] = [usage.prompt_tokens, usage.completion_tokens];
      for (const { delta, finish_reason } of choices) {
        out.text += delta.content ?? '';
        out.reasoning += delta.reasoning_content ?? '';
        for (const call of delta.tool_calls ?? []) {
          out.tools[call.index] ??= { id: call.id, name: call.function.name, arguments: '' };
          out.tools[call.index].arguments += call.function.arguments ?? '';
        }
        if (finish_reason) out.finish = finish_reason;
      }
    }
    return out;
  },

  'openai-responses'(events) {
    const out = nothing();
    for (const event of events) {
      if (event.type === 'response.output_text.delta') out.text += event.delta;
      if (event.type === 'response.reasoning_text.delta') out.reasoning += event.delta;
      if (event.type === 'response.reasoning_summary_text.delta') out.reasoning += event.delta;
      if (event.type === 'response.output_item.done' && event.item.type === 'function_call') {
        out.tools.push({ id: event.item.call_id, name: event.item.name, arguments: event.item.arguments });
      }
      if (event.type === 'response.completed') {
        [out.input, out.output] = [event.response.usage.input_tokens, event.response.usage.output_tokens];
        if (out.tools.length) out.finish = 'tool_calls';
      }
      if (event.type === 'error') out.error = event.error.message;
    }
    return out;
  },

  anthropic(events) {
    const out = nothing();
    const finishes = { end_turn: 'stop', tool_use: 'tool_calls', max_tokens: 'length' };
    const calls = new Map();
    for (const event of events) {
      if (event.type === 'message_start') {
        const { usage } = event.message;
        out.input = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
      }
      if (event.type === 'content_block_start' && event.content_block.type === 'tool_use') {
        calls.set(event.index, { id: event.content_block.id, name: event.content_block.name, arguments: '' });
        out.tools.push(calls.get(event.index));
      }
      if (event.type === 'content_block_delta') {
        out.text += event.delta.text ?? '';
        out.reasoning += event.delta.thinking ?? '';
        if (event.delta.signature) out.signature = event.delta.signature;
        if (event.delta.partial_json) calls.get(event.index).arguments += event.delta.partial_json;
      }
      if (event.type === 'message_delta') {
        out.output = event.usage.output_tokens;
        out.finish = finishes[event.delta.stop_reason];
      }
    }
    return out;
  },

  gemini(chunks) {
    const out = nothing();
    for (const { candidates, usageMetadata } of chunks) {
      out.input = usageMetadata.promptTokenCount;
      out.output = usageMetadata.candidatesTokenCount + (usageMetadata.thoughtsTokenCount ?? 0);
      for (const part of candidates[0].content.parts) {
        if (part.thoughtSignature) out.signature = part.thoughtSignature;
        if (part.functionCall) out.tools.push({ name: part.functionCall.name, arguments: JSON.stringify(part.functionCall.args) });
        else out[part.thought ? 'reasoning' : 'text'] += part.text ?? '';
      }
    }
    if (out.tools.length) out.finish = 'tool_calls';
    return out;
  },
};

export const recordings = readdirSync(folder).filter((name) => name.endsWith('.chunks.txt')).map((file) => {
  const name = file.replace('.chunks.txt', '');
  const lines = readFileSync(new URL(file, folder), 'utf8').split('\n').filter((line) => line.trim());
  const kind = kinds.find(([pattern]) => pattern.test(name))[1];
  return { name, kind, lines, expected: readers[kind](lines.map((line) => JSON.parse(line))) };
});

// The events of these payloads, as a provider of the kind writes them.
export function framed({ kind, lines }) {
  if (kind === 'openai') return `${lines.map((line) => `data: ${line}\n\n`).join('')}data: [DONE]\n\n`;
  if (kind === 'gemini') return lines.map((line) => `data: ${line}\r\n\r\n`).join('');
  return lines.map((line) => `event: ${JSON.parse(line).type}\ndata: ${line}\n\n`).join('');
}

export class Player extends ModelServer {
  answer(response, body, { url }) {
    const model = /models\/([^:]+):/.exec(url)?.[1] ?? body.model;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end(framed(recordings.find(({ name }) => name === model)));
  }

  config() {
    return [...new Set(recordings.map(({ kind }) => kind))].map((kind) => upstream(
      kind, kind, recordings.filter((one) => one.kind === kind).map(({ name }) => name), `${this.url}${kind.startsWith('openai') ? '/v1' : ''}`)).join('');
  }
}
