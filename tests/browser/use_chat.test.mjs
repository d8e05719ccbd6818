// The UI message surface, driven by useChat's own class and transport, in two majors of `ai`: a run, tools, errors, stop, resume.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Chat } from '@ai-sdk/react';
import * as ai6 from 'ai';
import * as ai7 from 'ai7';
import { both_cities, plain, said, two_calls, words } from './lib/answers.mjs';
import { ChatModel } from './lib/chat_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const model = new ChatModel();
const relay = relay_for([model]);

// What a framework's binding keeps for an AbstractChat.
class State {
  status = 'ready';
  error = undefined;
  constructor(messages = []) { this.messages = messages; }
  pushMessage = (message) => { this.messages = this.messages.concat(message); };
  popMessage = () => { this.messages = this.messages.slice(0, -1); };
  replaceMessage = (index, message) => { this.messages = this.messages.with(index, this.snapshot(message)); };
  snapshot = (value) => structuredClone(value);
}
class Chat7 extends ai7.AbstractChat {
  constructor({ messages, ...init }) { super({ ...init, state: new State(messages) }); }
}

const text_of = (message) => message.parts.filter(({ type }) => type === 'text').map(({ text }) => text).join('');
const parts_of = (chat, type) => chat.messages.at(-1).parts.filter((part) => part.type === type);
const failed = (chat) => (chat.error ? `${chat.error}` : `no error: ${chat.status}`);

let number = 0;
const next_id = () => `chat/${process.pid}.${number++} é?`;  // the path must carry it whole
const stop = async (id) => {
  const response = await fetch(`${relay.url}/api/chat/${encodeURIComponent(id)}/stop`, { method: 'POST' });
  return { status: response.status, body: await response.json() };
};
const resume = (id) => fetch(`${relay.url}/api/chat/${encodeURIComponent(id)}/stream`);

for (const { name, make, sdk } of [
  { name: 'ai 6 with @ai-sdk/react', make: (init) => new Chat(init), sdk: ai6 },
  { name: 'ai 7', make: (init) => new Chat7(init), sdk: ai7 },
]) {
  const open = (more = {}) => {
    const { transport = {}, ...init } = more;
    const api = `${relay.url}/api/chat`;
    return make({ id: next_id(), transport: new sdk.DefaultChatTransport({ api, ...transport }), ...init });
  };
  // An answer that says half of it and then waits for the test; `upstream` is where it is said.
  const held = (prompt) => {
    const asked = `${prompt} (${name})`;
    const upstream = new Promise((resolve) => {
      model.on(asked, (answer) => { answer.text(words[0], words[1]); resolve(answer); });
    });
    return { asked, upstream };
  };
  const half = words[0] + words[1];
  const said_half = (chat) => until('half the answer', () => chat.messages.length > 1 && text_of(chat.messages.at(-1)) === half);
  const finish = (answer) => answer.text(words[2], words[3]).end();
  const check_whole = (chat) => {
    assert.equal(chat.status, 'ready', failed(chat));
    assert.deepEqual(chat.messages.map(({ role }) => role), ['user', 'assistant']);
    assert.equal(text_of(chat.messages[1]), said);
    assert.equal(parts_of(chat, 'text').length, 1);
    assert.equal(parts_of(chat, 'text')[0].state, 'done');
  };

  describe(name, { concurrency: true, timeout: 60000 }, () => {
    test('a plain run, with reasoning', async () => {
      const finished = [];
      const chat = open({ onFinish: (what) => finished.push(what) });
      await chat.sendMessage({ text: model.on(`plain ${name}`, plain) });
      check_whole(chat);
      assert.match(chat.messages[1].id, /^msg_/);
      assert.deepEqual(chat.messages[1].parts.map(({ type }) => type), ['step-start', 'reasoning', 'text']);
      assert.equal(parts_of(chat, 'reasoning')[0].text, 'Let me think.');
      assert.equal(finished.length, 1);
      assert.equal(finished[0].isError, false);
      assert.equal(finished[0].finishReason, 'stop');
    });

    test('the next turn carries what was said, and the page adds system, parameters and what it likes', async () => {
      const chat = open({ transport: { body: { model: 'm', system: 'Be brief.', parameters: { temperature: 0.5 }, userId: 7 } } });
      await chat.sendMessage({ text: model.on(`first ${name}`, (answer) => answer.reason('hm').text('One.').end()) });
      await chat.sendMessage({ text: model.on(`second ${name}`, (answer) => answer.text('Two.').end()) });
      assert.equal(text_of(chat.messages[3]), 'Two.', failed(chat));
      const body = model.requests.findLast(({ messages }) => messages.at(-1).content === `second ${name}`);
      assert.equal(body.temperature, 0.5);
      assert.equal(body.userId, undefined);
      assert.deepEqual(body.messages, [
        { role: 'system', content: 'Be brief.' }, { role: 'user', content: `first ${name}` },
        { role: 'assistant', content: 'One.' }, { role: 'user', content: `second ${name}` },
      ]);
    });

    test('tools: the page answers them and the same message goes on', async () => {
      const chat = open({ sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls });
      const called = [];
      chat.onToolCall = ({ toolCall }) => {
        called.push(toolCall.input);
        void chat.addToolOutput({ tool: 'weather', toolCallId: toolCall.toolCallId, output: { sun: toolCall.input.city } });
      };
      let followed;
      await chat.sendMessage({ text: model.on(`tools ${name}`, (answer, body) => {
        if (body.messages.at(-1).role === 'tool') { followed = body.messages; answer.text('Sunny.').end(); return; }
        two_calls(answer);
      }) });
      await until(`the second step; ${failed(chat)}`, () => chat.status === 'ready' && text_of(chat.messages.at(-1)).endsWith('Sunny.'));
      assert.deepEqual(called, both_cities);
      assert.deepEqual(chat.messages.map(({ role }) => role), ['user', 'assistant']);
      assert.deepEqual(chat.messages[1].parts.map(({ type }) => type),
        ['step-start', 'text', 'tool-weather', 'tool-weather', 'step-start', 'text']);
      assert.deepEqual(followed.slice(1), [
        { role: 'assistant', content: 'I look. ', tool_calls: [
          { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } },
          { id: 'call_b', type: 'function', function: { name: 'weather', arguments: '{"city":"東京"}' } }] },
        { role: 'tool', tool_call_id: 'call_a', content: '{"sun":"Bern"}' },
        { role: 'tool', tool_call_id: 'call_b', content: '{"sun":"東京"}' },
      ]);
    });

    test('a tool\'s input that is no JSON is that call\'s error', async () => {
      const chat = open();
      await chat.sendMessage({ text: model.on(`broken tool ${name}`,
        (answer) => answer.call(0, '{"city":', 'call_a', 'weather').end('tool_calls')) });
      assert.equal(chat.status, 'ready', failed(chat));
      const [call] = parts_of(chat, 'tool-weather');
      assert.equal(call.state, 'output-error');
      assert.match(call.errorText, /JSON/);
    });

    test('regenerate makes a new message in place of the old', async () => {
      const chat = open();
      let answers = 0;
      await chat.sendMessage({ text: model.on(`again ${name}`, (answer) => answer.text(`Answer ${++answers}.`).end()) });
      await chat.regenerate();
      assert.deepEqual(chat.messages.map(({ role }) => role), ['user', 'assistant']);
      assert.equal(text_of(chat.messages[1]), 'Answer 2.');
    });

    test('an upstream that refuses is the error, in its words', async () => {
      const chat = open();
      await chat.sendMessage({ text: model.on(`refused ${name}`, (answer) => answer.refuse(400, { message: 'no such voice' })) });
      assert.equal(chat.status, 'error');
      assert.match(chat.error.message, /no such voice/);
      assert.equal(chat.messages.length, 1);
    });

    test('an upstream that breaks off is the error; what was said stays', async () => {
      const { asked, upstream } = held('breaks off');
      const chat = open();
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      (await upstream).cut();
      await sending;
      assert.equal(chat.status, 'error');
      assert.match(chat.error.message, /upstream|ended/i);
      assert.equal(text_of(chat.messages.at(-1)), half);
      assert.equal((await resume(chat.id)).status, 204);
    });

    test('a wrong request is an error that names the field', async () => {
      const chat = open({ transport: { body: { parameters: { n: 2 } } } });
      await chat.sendMessage({ text: 'wrong' });
      assert.equal(chat.status, 'error');
      assert.match(chat.error.message, /parameters\.n/);
    });

    test('stop() is only a disconnect; the stop route ends the answer', async () => {
      const { asked, upstream } = held('stop');
      const chat = open();
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      const answer = await upstream;
      await chat.stop();
      await sending;
      assert.equal(chat.status, 'ready');
      assert.equal((await relay.state((await running(chat.id)))).status, 'streaming');
      const stopped = await stop(chat.id);
      assert.equal(stopped.status, 200);
      assert.equal(stopped.body.status, 'cancelled');
      await answer.closed;
      const state = await relay.state(stopped.body.id);
      assert.equal(state.status, 'cancelled');
      assert.equal(state.text, half);
      assert.deepEqual(await stop(chat.id), { status: 200, body: { status: 'idle' } });
      assert.equal((await resume(chat.id)).status, 204);
    });

    test('the stop route tells whoever reads', async () => {
      const { asked, upstream } = held('stop while reading');
      const finished = [];
      const chat = open({ onFinish: (what) => finished.push(what) });
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      assert.equal((await stop(chat.id)).body.status, 'cancelled');
      await (await upstream).closed;
      await sending;
      assert.equal(chat.status, 'ready', failed(chat));
      assert.equal(text_of(chat.messages[1]), half);
      assert.equal(finished[0].isError, false);
    });

    test('resume in mid-answer gives the whole message once', async () => {
      const { asked, upstream } = held('resume');
      const chat = open();
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      await chat.stop();
      await sending;
      // The page was loaded again: it knows what the user said, and the chat's id.
      const again = open({ id: chat.id, messages: chat.messages.slice(0, 1) });
      const resumed = again.resumeStream();
      await said_half(again);
      assert.equal(again.messages[1].id, chat.messages[1].id);
      finish(await upstream);
      await resumed;
      check_whole(again);
      assert.equal((await resume(chat.id)).status, 204);
    });

    test('resume on the page that holds half of it replaces the half', async () => {
      const { asked, upstream } = held('resume here');
      const chat = open();
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      await chat.stop();
      await sending;
      const resumed = chat.resumeStream();
      await until('the replay', () => chat.status === 'streaming');
      finish(await upstream);
      await resumed;
      check_whole(chat);
    });

    test('stop and resume together', async () => {
      const { asked, upstream } = held('both');
      const chat = open();
      const sending = chat.sendMessage({ text: asked });
      await said_half(chat);
      const again = open({ id: chat.id, messages: chat.messages.slice(0, 1) });
      const resumed = again.resumeStream();
      await said_half(again);
      await chat.stop();
      await sending;
      assert.equal(again.status, 'streaming');  // one reader left; the answer and the other one go on
      assert.equal((await stop(chat.id)).body.status, 'cancelled');
      await (await upstream).closed;
      await resumed;
      assert.equal(again.status, 'ready', failed(again));
      assert.equal(text_of(again.messages[1]), half);
      // And the chat goes on.
      await again.sendMessage({ text: model.on(`after both ${name}`, (answer) => answer.text('Yes.').end()) });
      assert.equal(text_of(again.messages.at(-1)), 'Yes.', failed(again));
    });

    test('nothing runs: resume leaves the page as it is', async () => {
      const chat = open({ messages: [{ id: 'u', role: 'user', parts: [{ type: 'text', text: 'hi' }] }] });
      await chat.resumeStream();
      assert.equal(chat.status, 'ready');
      assert.equal(chat.messages.length, 1);
    });
  });
}

// The stream that runs for a chat, as the native API names it.
async function running(id) {
  const leaving = new AbortController();
  const response = await fetch(`${relay.url}/api/chat/${encodeURIComponent(id)}/stream`, { signal: leaving.signal });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  leaving.abort();
  return response.headers.get('stream-id');
}
