// The watchdog that PROTOCOL.md gives to pages with an EventSource: it leaves a connection that has fallen silent without an end, and
// loses and repeats nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { EventSource } from 'eventsource';
import { Relay, until } from './lib/relay.mjs';

const page = readFileSync(new URL('../../service/PROTOCOL.md', import.meta.url), 'utf8');
const code = /^```js\n(let source, timer.*?)^```$/ms.exec(page)[1];

// The first connection passes `bytes` of the answer on and then nothing, either way: a network that vanished.
async function vanishing_network(port, bytes) {
  const seen = { connections: 0 };
  const server = createServer((client) => {
    let left = seen.connections++ ? Infinity : bytes;
    const relay = connect(port, '127.0.0.1');
    client.on('data', (part) => relay.write(part));
    relay.on('data', (part) => {
      if (left > 0) client.write(part.subarray(0, left));
      left -= part.length;
    });
    for (const socket of [client, relay]) socket.on('error', () => {}).on('close', () => [client, relay].forEach((one) => one.destroy()));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test('the watchdog of a page leaves a connection that has died in silence', async () => {
  const relay = await new Relay().start();
  const { id } = await relay.create('Hello #long=120');
  const network = await vanishing_network(relay.port, 700);
  class Source extends EventSource {
    constructor(path) {
      super(network.url + path);
    }
  }
  try {
    assert.match(code, /40_000/);
    const text = new Function('EventSource', 'id', `${code.replace('40_000', '500')}\nreturn () => source.readyState === 2 && text;`)(Source, id);
    const said = await until('the end', text);
    const state = await relay.ended_state(id);
    assert.equal(said, state.text);
    assert.ok(network.seen.connections >= 2);
  } finally {
    network.close();
    await relay.stop();
  }
});
