// The `ws` client from npm, unmodified, and Node's own WebSocket, on the control socket.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { HeldModel } from './lib/held_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const model = new HeldModel();
const relay = relay_for([model]);

// Opens a socket of this class on the stream; keeps every message, and how it closed.
async function open(Client, id, protocols) {
  const url = `${relay.url.replace('http', 'ws')}/v1/streams/${id}/ws`;
  const socket = protocols ? new Client(url, protocols) : new Client(url);
  const seen = { socket, messages: [], closed: undefined };
  socket.addEventListener('message', ({ data }) => seen.messages.push(JSON.parse(data)));
  socket.addEventListener('close', ({ code, reason }) => { seen.closed = { code, reason }; });
  socket.addEventListener('error', ({ message }) => { seen.error = message; });
  seen.say = (message) => socket.send(JSON.stringify(message));
  seen.find = (type, ref) => seen.messages.find((message) => message.type === type && (ref === undefined || message.ref === ref));
  seen.text = () => seen.messages.filter(({ event }) => event === 'message').map(({ data }) => data.delta).join('');
  await until('hello', () => seen.error || seen.find('hello'));
  assert.equal(seen.error, undefined);
  assert.equal(seen.messages[0].type, 'hello');
  return seen;
}

const clients = { ws: WebSocket, ...(globalThis.WebSocket && { 'Node’s WebSocket': globalThis.WebSocket }) };
for (const [name, Client] of Object.entries(clients)) {
  test(`${name}: subscribe, steer, cancel, and 1000 after done`, async () => {
    const prompt = `steer by ${name}`;
    const { id } = await relay.create(prompt, { model: 'held' });
    const seen = await open(Client, id, ['tokenrelay.v1']);
    assert.equal(seen.socket.protocol, 'tokenrelay.v1');
    seen.say({ type: 'subscribe', ref: 's' });
    await until('some text', () => seen.text().length > 20);
    seen.say({ type: 'steer', ref: 'a', content: 'shorter, please – 短く' });
    const ack = await until('the ack', () => seen.find('ack', 'a'));
    const steer = await until('the steer event', () => seen.messages.find(({ event }) => event === 'steer'));
    assert.equal(steer.id, ack.event_id);
    assert.deepEqual(steer.data, { content: 'shorter, please – 短く' });
    const before = seen.text().length;
    await until('more text', () => seen.text().length > before);
    seen.say({ type: 'cancel', ref: 'b' });
    await until('the close', () => seen.closed);
    assert.equal(seen.closed.code, 1000);
    assert.equal(seen.find('ack', 'b').status, 'cancelled');
    const done = seen.messages.find(({ event }) => event === 'done');
    assert.equal(done.data.status, 'cancelled');
    assert.equal(seen.find('ack', 'b').event_id, done.id);
    assert.equal((await relay.state(id)).text, seen.text());
  });

  test(`${name}: a cursor, and a close of its own`, async () => {
    const { id } = await relay.create(`resume by ${name}`, { model: 'held' });
    const first = await open(Client, id);
    first.say({ type: 'subscribe', ref: 's' });
    await until('some text', () => first.text().length > 20);
    first.socket.close(4001, 'see you');
    await until('the close', () => first.closed);
    assert.deepEqual(first.closed, { code: 4001, reason: 'see you' });
    const last = first.messages.findLast((message) => message.id);
    const second = await open(Client, id);
    second.say({ type: 'subscribe', ref: 's', last_event_id: last.id });
    await until('more text', () => second.text().length > 20);
    assert.equal(second.messages.find(({ event }) => event === 'resumed').data.verdict, 'exact');
    model.finish(`resume by ${name}`);
    await until('the end', () => second.closed);
    assert.equal(second.closed.code, 1000);
    assert.equal((await relay.state(id)).text, first.text() + second.text());
  });
}

test('ws: pings, fragments and compression offered, violations closed by their code', async () => {
  const { id } = await relay.create('x', { model: 'held' });
  const seen = await open(WebSocket, id);
  assert.equal(seen.socket.extensions, '');
  const pong = new Promise((resolve) => seen.socket.once('pong', (data) => resolve(String(data))));
  seen.socket.ping('are you there');
  assert.equal(await pong, 'are you there');
  seen.socket.send('{"type":"steer","ref":"frag', { fin: false });
  seen.socket.send('ments","content":"é"}', { fin: true });
  assert.ok(await until('the ack', () => seen.find('ack', 'fragments')));
  seen.say('not a command');
  assert.equal((await until('the error', () => seen.find('error'))).code, 'invalid_request');
  seen.socket.send(Buffer.from('binary'));
  await until('the close', () => seen.closed);
  assert.equal(seen.closed.code, 1003);
  const big = await open(WebSocket, id);
  big.socket.send('x'.repeat(1 << 20));
  await until('the close', () => big.closed);
  assert.equal(big.closed.code, 1009);
});
