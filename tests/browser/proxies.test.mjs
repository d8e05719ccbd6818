// The page in Chromium through the samples in deploy/nginx and deploy/haproxy, by the public name and by localhost; and a page of another
// site that tries the same.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { ChatPage, flags } from './lib/chromium.mjs';
import { HeldModel } from './lib/held_model.mjs';
import { Haproxy, Nginx } from './lib/proxies.mjs';
import { Relay, until } from './lib/relay.mjs';

const loss = /ERR_|Failed to load resource|status of (403|421)|Access to fetch|WebSocket connection/;
let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', timeout: 60000,
    args: [...flags, '--host-resolver-rules=MAP relay.example 127.0.0.1, MAP evil.example 127.0.0.1'],
  });
});
after(() => browser?.close());

for (const Proxy of [Nginx, Haproxy]) {
  describe(Proxy.name, { timeout: 200000 }, () => {
    const model = new HeldModel();
    const relay = new Relay();
    const proxy = new Proxy();
    let site;

    before(async () => {
      await model.start();
      relay.configure(proxy.relay_config() + model.config());
      await relay.start();
      await proxy.start(relay.port);
      site = createServer((request, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>elsewhere</title>'));
      await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
    });
    after(async () => {
      site?.closeAllConnections();
      site?.close();
      await proxy.stop();
      await relay.stop();
      await model.close();
    });

    for (const host of ['relay.example', 'localhost']) {
      for (const transport of ['sse', 'websocket']) {
        test(`as ${host}, over ${transport}: tokens as they come, and a stop`, async () => {
          const chat = await ChatPage.open(browser, `http://${host}:${proxy.port}`);
          await chat.page.selectOption('#transport', transport);
          await chat.send(`The tide as ${host} over ${transport}.`, 'held');
          await chat.wait_events(8);
          assert.equal(await chat.text_of('state'), 'live');
          const id = await chat.stream();
          await chat.page.click('#stop');
          const state = await relay.ended_state(id);
          assert.equal(state.status, 'cancelled');
          await chat.wait_state('ended');
          assert.equal(await chat.answer(), state.text);
          await chat.close();
        });
      }
    }

    test('another name is refused, whatever its page would do', async () => {
      const chat = await ChatPage.open(browser, `http://evil.example:${proxy.port}`, { expected: loss }).catch((error) => error);
      if (chat instanceof Error) {
        assert.match(chat.message, /ERR_EMPTY_RESPONSE/);
      } else {
        assert.match(await chat.page.content(), /421/);
        await chat.close();
      }
    });

    test('a page of another site starts, stops and opens nothing', async () => {
      const { id } = await relay.create('not yours', { model: 'held' });
      const page = await browser.newPage();
      await page.goto(`http://evil.example:${site.address().port}`);
      const outcome = await page.evaluate(async ([base, stream]) => {
        const said = {};
        const send = (path, init) => fetch(base + path, { method: 'POST', ...init }).then((response) => response.type, () => 'failed');
        said.cancel = await send(`/v1/streams/${stream}/cancel`, { mode: 'no-cors' });
        said.plain = await send(`/v1/streams/${stream}/cancel`, { mode: 'no-cors', body: 'x', headers: { 'Content-Type': 'text/plain' } });
        said.stop = await send('/api/chat/guess-1/stop', { mode: 'no-cors' });
        said.create = await send('/v1/streams', { body: '{"prompt":"x"}', headers: { 'Content-Type': 'application/json' } });
        said.beacon = navigator.sendBeacon(`${base}/v1/streams/${stream}/cancel`, 'x');
        said.socket = await new Promise((resolve) => {
          const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/streams/${stream}/ws`);
          socket.onopen = () => resolve('open');
          socket.onerror = () => resolve('refused');
        });
        const form = Object.assign(document.createElement('form'), { method: 'POST', action: `${base}/v1/streams/${stream}/cancel`, target: 'frame' });
        const frame = Object.assign(document.createElement('iframe'), { name: 'frame' });
        document.body.append(frame, form);
        const answered = new Promise((resolve) => frame.addEventListener('load', resolve));
        form.submit();
        await answered;
        return said;
      }, [`http://relay.example:${proxy.port}`, id]);
      await page.close();
      assert.equal(outcome.socket, 'refused');
      assert.equal(outcome.create, 'failed');
      assert.equal((await relay.state(id)).status, 'streaming');
      const { streams } = await (await fetch(`${relay.url}/v1/streams`)).json();
      assert.ok(!streams.some(({ status, id: other }) => status === 'streaming' && other !== id), 'nothing was started');
    });
  });
}
