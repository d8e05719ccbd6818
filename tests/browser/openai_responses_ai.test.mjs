// The OpenAI Responses surface, driven by `ai` with @ai-sdk/openai.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { breaks_with, collect, plain, said, two_calls } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for } from './lib/relay.mjs';
import { weather } from './lib/responses.mjs';

const model = new ChatModel();
let provider;
const relay = relay_for([model], ({ url }) => { provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' }); });

describe('@ai-sdk/openai', { timeout: 120000 }, () => {
  const tools = {
    weather: tool({
      description: 'The weather.',
      inputSchema: jsonSchema(weather.parameters),
      execute: async ({ city }) => `rain in ${city}`,
    }),
  };
  const ask_then_tell = (answer, body) => (body.messages.at(-1).role === 'tool' ? plain(answer) : two_calls(answer));

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
    const broken = model.on('ai broken', breaks_with({ message: 'lost it' }));
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
