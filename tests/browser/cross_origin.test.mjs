// Pages of another origin in Chromium: its EventSource, and fetch-event-source, whose reconnect needs a preflight for Last-Event-ID.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ChaosProxy } from './lib/chaos_proxy.mjs';
import { launch } from './lib/chromium.mjs';
import { Relay } from './lib/relay.mjs';

const library = fileURLToPath(new URL('node_modules/@microsoft/fetch-event-source/lib/esm/', import.meta.url));
let browser;
let site;
let origin;
let relay;

// A foreign site: an empty page, and the library's modules (they import each other without the ending).
before(async () => {
  site = createServer((request, response) => {
    const name = /^\/lib\/([a-z]+)(\.js)?$/.exec(request.url)?.[1];
    response.setHeader('Content-Type', name ? 'text/javascript' : 'text/html');
    response.end(name ? readFileSync(`${library}${name}.js`) : '<!doctype html><title>elsewhere</title>');
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${site.address().port}`;
  relay = await new Relay({ config: `cors_origins = ["${origin}"]\n` }).start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await relay?.stop();
  site?.closeAllConnections();
  site?.close();
});

async function read_elsewhere(client, prompt, plan) {
  const { id, events_url } = await relay.create(prompt);
  const proxy = await new ChaosProxy(relay.port).start();
  const page = await browser.newPage();
  try {
    proxy.plan = plan;
    await page.goto(origin);
    const result = await page.evaluate(client, proxy.url + events_url);
    const state = await relay.ended_state(id);
    assert.equal(result.text, state.text);
    assert.equal(result.end, state.last_event_id);
    return { ...result, cuts: proxy.cuts };
  } finally {
    await page.close();
    await proxy.close();
  }
}

test('EventSource of another origin resumes after a cut, and a 204 closes it', { timeout: 90000 }, async () => {
  const result = await read_elsewhere((url) => new Promise((resolve, reject) => {
    const held = { text: '', verdicts: [], end: '' };
    const source = new EventSource(url);
    source.addEventListener('resumed', ({ data }) => held.verdicts.push(JSON.parse(data).verdict));
    source.onmessage = ({ data }) => { held.text += JSON.parse(data).delta; };
    source.addEventListener('done', ({ lastEventId }) => { held.end = lastEventId; });
    source.onerror = () => source.readyState === EventSource.CLOSED && resolve(held);  // left open after done on purpose
    setTimeout(() => reject(new Error('no end within 60 s')), 60000);
  }), 'From another origin. #long=170', [{ after_blocks: 9 }]);
  assert.deepEqual(result.verdicts, ['start', 'exact']);
  assert.equal(result.cuts, 1);
});

test('fetch-event-source of another origin resumes after a cut, with a preflight', { timeout: 90000 }, async () => {
  const result = await read_elsewhere(async (url) => {
    const { fetchEventSource } = await import('/lib/index.js');
    const held = { text: '', verdicts: [], end: '', request_ids: [] };
    await fetchEventSource(url, {
      headers: { Authorization: 'Bearer none' },
      openWhenHidden: true,
      signal: AbortSignal.timeout(60000),
      onopen: async (response) => { held.request_ids.push(response.headers.get('Request-Id')); },
      onmessage({ event, data, id }) {
        const value = JSON.parse(data);
        if (event === 'resumed') held.verdicts.push(value.verdict);
        if (event === '') held.text += value.delta;
        if (event === 'done') held.end = id;
      },
    });
    return held;
  }, 'From another origin, by fetch. #long=170', [{ after_blocks: 9 }]);
  assert.deepEqual(result.verdicts, ['start', 'exact']);
  assert.equal(result.cuts, 1);
  assert.ok(result.request_ids.every(Boolean), 'Request-Id is exposed');
});

test('an origin that is not listed gets no answer it can read', { timeout: 90000 }, async () => {
  const { events_url } = await relay.create('Not for you. #long=3');
  const page = await browser.newPage();
  await page.goto(origin.replace('127.0.0.1', 'localhost'));
  const outcome = await page.evaluate((url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = () => resolve('open');
    source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? 'closed' : 'retrying');
  }), relay.url + events_url);
  await page.close();
  assert.equal(outcome, 'closed');
});
