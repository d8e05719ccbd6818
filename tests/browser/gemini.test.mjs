// The Gemini surface, driven by the unmodified @google/genai and by `ai` with @ai-sdk/google.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { both_cities, breaks_with, closes_within_a_second, collect, held, plain, said, with_tools, words } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for } from './lib/relay.mjs';

const model = new ChatModel();
let client;
let provider;
const relay = relay_for([model], ({ url }) => {
  client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url } });
  provider = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: 'none' });
});

const weather = {
  name: 'weather', description: 'of a city',
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING, nullable: true } }, required: ['city'] },
};
const refusal = { message: 'slow down', type: 'rate_limit_error', code: 'rate_limit_exceeded' };
const failing = breaks_with({ message: 'the model fell over', type: 'server_error', code: null }, words[0]);

const parts_of = (chunks) => chunks.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []);
const text_of = (chunks) => parts_of(chunks).filter(({ thought }) => !thought).map(({ text }) => text ?? '').join('');
const asked_by = (contents) => model.requests.findLast(({ messages }) => messages.some(({ content }) => content === contents));

const post = (path, body) => fetch(relay.url + path, {
  method: 'POST', headers: { 'Content-Type': 'application/json', 'x-goog-api-key': 'none' }, body: JSON.stringify(body),
});
const user = (text) => ({ contents: [{ role: 'user', parts: [{ text }] }] });

describe('@google/genai', { concurrency: true, timeout: 60000 }, () => {
  test('stream: text, thoughts, one finish reason, usage', async () => {
    const chunks = await collect(await client.models.generateContentStream({
      model: 'm', contents: model.on('g plain', plain),
      config: { systemInstruction: 'Be brief.', temperature: 0.5, maxOutputTokens: 50, stopSequences: ['END'] },
    }));
    assert.equal(text_of(chunks), said);
    assert.equal(chunks.map(({ text }) => text ?? '').join(''), said);
    assert.equal(parts_of(chunks).filter(({ thought }) => thought).map(({ text }) => text).join(''), 'Let me think.');
    assert.deepEqual(chunks.map(({ candidates }) => candidates[0].finishReason).filter(Boolean), ['STOP']);
    assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
    assert.deepEqual(chunks.at(-1).usageMetadata, { promptTokenCount: 7, candidatesTokenCount: 5, totalTokenCount: 12 });
    assert.equal(chunks[0].modelVersion, 'm');
    const state = await relay.state(`strm_${chunks[0].responseId}`);
    assert.equal(state.text, said);
    const { messages, temperature, max_completion_tokens, stop } = asked_by('g plain');
    assert.deepEqual(messages, [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'g plain' }]);
    assert.deepEqual([temperature, max_completion_tokens, stop], [0.5, 50, ['END']]);
  });

  test('whole', async () => {
    const response = await client.models.generateContent({ model: 'm', contents: model.on('g whole', plain) });
    assert.equal(response.text, said);
    assert.equal(response.candidates[0].content.parts[0].thought, true);
    assert.equal(response.candidates[0].finishReason, 'STOP');
    assert.equal(response.usageMetadata.totalTokenCount, 12);
    assert.equal((await relay.state(`strm_${response.responseId}`)).text, said);
  });

  test('tools: their calls whole, and their results given back', async () => {
    const contents = [{ role: 'user', parts: [{ text: model.on('g tools', with_tools) }] }];
    const config = {
      tools: [{ functionDeclarations: [weather] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
    };
    const chunks = await collect(await client.models.generateContentStream({ model: 'm', contents, config }));
    const calls = chunks.flatMap(({ functionCalls }) => functionCalls ?? []);
    assert.deepEqual(calls.map(({ name, args }) => [name, args]), both_cities.map((city) => ['weather', city]));
    assert.deepEqual(calls.map(({ id }) => id), ['call_a', 'call_b']);
    assert.equal(text_of(chunks), 'I look. ');
    assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
    const { tools, tool_choice } = asked_by('g tools');
    assert.equal(tool_choice, 'auto');
    assert.deepEqual(tools[0].function.parameters, { type: 'object', properties: { city: { type: ['string', 'null'] } }, required: ['city'] });
    const results = calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { sky: 'clear' } } }));
    const again = [...contents, { role: 'model', parts: parts_of(chunks) }, { role: 'user', parts: results }];
    const { text } = await client.models.generateContent({ model: 'm', contents: again, config });
    assert.equal(text, 'Sunny in both.');
    const [, assistant, ...told] = asked_by('g tools').messages;
    assert.equal(assistant.content, 'I look. ');
    assert.deepEqual(assistant.tool_calls.map(({ function: { arguments: args } }) => JSON.parse(args)), both_cities);
    assert.deepEqual(told.map(({ role, tool_call_id, content }) => [role, tool_call_id, content]),
      ['call_a', 'call_b'].map((id) => ['tool', id, '{"sky":"clear"}']));
  });

  test('tools whole, and the chat helper', async () => {
    const chat = client.chats.create({ model: 'm', config: { tools: [{ functionDeclarations: [weather] }] } });
    const first = await chat.sendMessage({ message: model.on('g chat', with_tools) });
    assert.deepEqual(first.functionCalls.map(({ args }) => args), both_cities);
    const message = first.functionCalls.map(({ name }) => ({ functionResponse: { name, response: { sky: 'clear' } } }));
    assert.equal((await chat.sendMessage({ message })).text, 'Sunny in both.');
  });

  test('a streamed chat, whose history is one turn a chunk, is two messages', async () => {
    const chat = client.chats.create({ model: 'm', config: { tools: [{ functionDeclarations: [weather] }] } });
    const chunks = await collect(await chat.sendMessageStream({ message: model.on('g chat stream', with_tools) }));
    const message = chunks.flatMap(({ functionCalls }) => functionCalls ?? [])
      .map(({ id, name }) => ({ functionResponse: { id, name, response: { sky: 'clear' } } }));
    assert.equal(text_of(await collect(await chat.sendMessageStream({ message }))), 'Sunny in both.');
    const { messages } = asked_by('g chat stream');
    assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool']);
    assert.equal(messages[1].content, 'I look. ');
  });

  test('a call whose arguments are no JSON', async () => {
    const contents = model.on('g malformed', (answer) => answer.call(0, '{"city":', 'call_a', 'weather').end('tool_calls'));
    const chunks = await collect(await client.models.generateContentStream({ model: 'm', contents }));
    assert.deepEqual(chunks.flatMap(({ functionCalls }) => functionCalls ?? []), []);
    assert.equal(chunks.at(-1).candidates[0].finishReason, 'MALFORMED_FUNCTION_CALL');
  });

  for (const method of ['generateContentStream', 'generateContent']) {
    test(`an upstream error before the stream, ${method}`, async () => {
      const contents = model.on(`g refused ${method}`, (answer) => answer.refuse(429, refusal, { 'Retry-After': '30' }));
      await assert.rejects(client.models[method]({ model: 'm', contents }), (error) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.status, 429);
        const { error: inner } = JSON.parse(error.message);
        assert.deepEqual([inner.code, inner.status, inner.message], [429, 'RESOURCE_EXHAUSTED', 'slow down']);
        assert.equal(inner.details[0].retryDelay, '30s');
        return true;
      });
    });
  }

  test('an upstream error inside the stream', async () => {
    const stream = await client.models.generateContentStream({ model: 'm', contents: model.on('g fails', failing) });
    const seen = [];
    await assert.rejects(async () => {
      for await (const chunk of stream) seen.push(chunk);
    }, (error) => {
      assert.ok(error instanceof ApiError, String(error));
      assert.match(error.message, /the model fell over/);
      return true;
    });
    assert.equal(text_of(seen), words[0]);
  });

  test('an abort cancels the upstream', async () => {
    const { prompt, upstream } = held(model, 'g abort');
    const controller = new AbortController();
    const stream = await client.models.generateContentStream({ model: 'm', contents: prompt, config: { abortSignal: controller.signal } });
    const { value } = await stream.next();
    assert.equal(text_of([value]), words[0]);
    const since = Date.now();
    controller.abort();
    await assert.rejects(stream.next());
    await closes_within_a_second(upstream, since);
    assert.equal((await relay.ended_state(`strm_${value.responseId}`)).status, 'cancelled');
  });

  test('what cannot be carried over is named as the client names it', async () => {
    const refused = async (config, named) => {
      const contents = model.on('g never', () => assert.fail('the upstream was asked'));
      await assert.rejects(client.models.generateContent({ model: 'm', contents, config }), (error) => {
        assert.equal(error.status, 400);
        assert.ok(error.message.includes(named), error.message);
        return true;
      });
    };
    await refused({ safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'OFF' }] }, 'safetySettings');
    await refused({ cachedContent: 'cachedContents/1' }, 'cachedContent');
    await refused({ tools: [{ googleSearch: {} }] }, 'tools[0].googleSearch');
    await refused({ candidateCount: 2 }, 'generationConfig.candidateCount');
    await refused({ responseModalities: ['IMAGE'] }, 'generationConfig.responseModalities');
  });

  test('an unknown model', async () => {
    await assert.rejects(client.models.generateContent({ model: 'nobody/knows', contents: 'x' }), (error) => {
      assert.equal(error.status, 404);
      assert.equal(JSON.parse(error.message).error.status, 'NOT_FOUND');
      return true;
    });
  });
});

describe('the wire', { concurrency: true, timeout: 60000 }, () => {
  test('events: data lines alone, no mark at the end; and the stream is the native one', async () => {
    const response = await post('/v1beta/models/m:streamGenerateContent?alt=sse', user(model.on('w sse', plain)));
    const text = await response.text();
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    const blocks = text.split('\n\n').filter(Boolean);
    assert.ok(blocks.every((block) => /^data: \{.*\}$/.test(block)), text);
    const native = await fetch(`${relay.url}/v1/streams/${response.headers.get('stream-id')}`).then((r) => r.json());
    assert.equal(native.text, said);
  });

  for (const [root, query] of [['/v1beta', ''], ['/v1', '?alt=json']]) {
    test(`without alt=sse an array, told piece by piece, under ${root}`, async () => {
      const { prompt, upstream } = held(model, `w array ${root}`);
      const response = await post(`${root}/models/m:streamGenerateContent${query}`, user(prompt));
      assert.equal(response.headers.get('content-type'), 'application/json');
      let text = '';
      let finished = false;
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        text += part;
        if (!finished && text.includes(words[0])) {
          finished = true;
          (await upstream).text(...words.slice(1)).end();
        }
      }
      const chunks = JSON.parse(text);
      assert.equal(text_of(chunks), said);
      assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
    });
  }

  test('an array ends with the error, and is JSON', async () => {
    const response = await post('/v1beta/models/m:streamGenerateContent', user(model.on('w array fails', failing)));
    const chunks = await response.json();
    assert.equal(text_of(chunks), words[0]);
    assert.equal(chunks.at(-1).error.status, 'INTERNAL');
  });

  test('snake case, and problems in Google\'s shape', async () => {
    const body = { ...user(model.on('w snake', plain)), system_instruction: { parts: [{ text: 'Be brief.' }] }, generation_config: { top_k: 3 } };
    assert.equal((await post('/v1/models/m:generateContent', body)).status, 200);
    assert.equal(asked_by('w snake').top_k, 3);
    assert.equal(asked_by('w snake').messages[0].content, 'Be brief.');
    const cases = [['/v1beta/models/m:generateContent', { contents: [] }, 400, 'contents'], ['/v1beta/models/m:countTokens', {}, 404, '']];
    for (const [path, wrong, status, named] of cases) {
      const response = await post(path, wrong);
      const { error } = await response.json();
      assert.deepEqual([response.status, error.code], [status, status]);
      assert.ok(error.message.includes(named));
    }
  });
});

describe('ai with @ai-sdk/google', { concurrency: true, timeout: 60000 }, () => {
  const ask = (prompt, more = {}) => ({ model: provider('m'), prompt, maxRetries: 0, ...more });
  const tools = {
    weather: tool({
      inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }),
      execute: async ({ city }) => `clear over ${city}`,
    }),
  };

  test('streamText', async () => {
    const result = streamText(ask(model.on('a plain', plain), { system: 'Be brief.' }));
    let text = '', reasoning = '';
    for await (const part of result.fullStream) {
      assert.notEqual(part.type, 'error', String(part.error));
      if (part.type === 'text-delta') text += part.text;
      if (part.type === 'reasoning-delta') reasoning += part.text;
    }
    assert.equal(text, said);
    assert.equal(reasoning, 'Let me think.');
    assert.equal(await result.finishReason, 'stop');
    const { inputTokens, outputTokens } = await result.usage;
    assert.deepEqual([inputTokens, outputTokens], [7, 5]);
  });

  test('generateText', async () => {
    const { text, finishReason, usage } = await generateText(ask(model.on('a whole', plain)));
    assert.deepEqual([text, finishReason, usage.totalTokens], [said, 'stop', 12]);
  });

  test('tools in several steps', async () => {
    const streamed = streamText(ask(model.on('a tools', with_tools), { tools, stopWhen: stepCountIs(3) }));
    assert.equal(await streamed.text, 'Sunny in both.');
    const [first] = await streamed.steps;
    assert.deepEqual(first.toolCalls.map(({ input }) => input), both_cities);
    assert.equal(first.finishReason, 'tool-calls');
    const told = asked_by('a tools').messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
    assert.ok(told[0].includes('clear over Bern') && told[1].includes('clear over 東京'), told.join());
    const whole = await generateText(ask(model.on('a tools whole', with_tools), { tools, stopWhen: stepCountIs(3) }));
    assert.equal(whole.text, 'Sunny in both.');
  });

  test('an upstream error before the stream, and inside', async () => {
    const before_it = ask(model.on('a refused', (answer) => answer.refuse(429, refusal)));
    await assert.rejects(generateText(before_it), (error) => {
      assert.deepEqual([error.statusCode, error.message], [429, 'slow down']);
      return true;
    });
    let failed;
    const result = streamText(ask(model.on('a fails', failing), { onError: ({ error }) => { failed = error; } }));
    let text = '';
    for await (const part of result.fullStream) if (part.type === 'text-delta') text += part.text;
    assert.equal(text, words[0]);
    assert.ok(failed, 'the error is told');
  });

  test('an abort cancels the upstream', async () => {
    const { prompt, upstream } = held(model, 'a abort');
    const controller = new AbortController();
    const result = streamText(ask(prompt, { abortSignal: controller.signal }));
    let since;
    for await (const part of result.fullStream) {
      if (part.type !== 'text-delta') continue;
      since = Date.now();
      controller.abort();
    }
    await closes_within_a_second(upstream, since);
  });
});
