// The page at "/" in headless Chromium, against the real binary and its demo model.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChatPage, launch } from './lib/chromium.mjs';
import { HeldModel } from './lib/held_model.mjs';
import { Relay, relay_for, until } from './lib/relay.mjs';

const model = new HeldModel();
const relay = relay_for([model]);
let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

async function with_page(use, options = {}) {
  const chat = await ChatPage.open(browser, options.url ?? relay.url, options);
  await use(chat);
  await chat.close();
}

// The page's text is the relay's, to the character; the tape shows each id once, in order.
async function check_whole(chat, from = relay) {
  const stream = await chat.stream();
  const state = await from.ended_state(stream);
  await chat.wait_state('ended');
  assert.equal(await chat.answer(), state.text);
  const ids = await chat.tape_ids();
  assert.equal(new Set(ids).size, ids.length, 'no event twice');
  return state;
}

const loss = /ERR_|Failed to load resource|status of (404|410)/;

describe('the page', { timeout: 400000, concurrency: 3 }, () => {
  test('shows tokens as they arrive, ids, figures and the end', () => with_page(async (chat) => {
    await chat.send('Say something about the tide.', 'held');
    await chat.wait_events(6);
    assert.equal(await chat.text_of('state'), 'live');
    assert.equal(await chat.verdict(), 'start');
    assert.ok((await chat.page.locator('.answer').textContent()).length > 0, 'text before the end');
    model.finish('Say something about the tide.');
    const state = await check_whole(chat);
    assert.equal(state.status, 'completed');
    assert.equal(await chat.ending(), 'Complete');
    assert.match(await chat.text_of('first-token'), /^\d+ ms$|^\d+\.\d s$/);
    assert.match(await chat.text_of('curl-line'), new RegExp(`^curl -N ${relay.url}/v1/streams/${state.id}/events$`));
    assert.match((await chat.tape_ids())[0], /^[a-z2-7]{10}-\d+$/);
    assert.equal((await chat.tape_ids()).at(-1), state.last_event_id);
  }));

  test('is served with its policy, its types and entity tags', async () => {
    const page = await fetch(relay.url);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    const again = await fetch(relay.url, { headers: { 'If-None-Match': page.headers.get('etag') } });
    assert.equal(again.status, 304);
    const script = await fetch(`${relay.url}/app.js`);
    assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
  });

  test('drops its connection and resumes exactly', () => with_page(async (chat) => {
    await chat.send('A long walk along the shore.', 'held');
    const stream = await chat.stream();
    await chat.wait_events(8);
    await chat.page.click('#drop');
    await chat.wait_state('offline');
    const { cursor } = await chat.record(stream);
    const held = Number(cursor.split('-')[1]);
    await until('the relay to go on without the page', async () => (
      Number((await relay.state(stream)).last_event_id.split('-')[1]) > held + 15));
    assert.equal((await chat.record(stream)).cursor, cursor, 'nothing arrives while offline');
    await chat.page.click('#drop');
    await chat.wait_state('live');
    await until('the verdict', async () => (await chat.verdict()) === 'exact');
    model.finish('A long walk along the shore.');
    await check_whole(chat);
  }));

  test('picks a running stream up again after a reload', () => with_page(async (chat) => {
    await chat.send('Keep talking while I reload.', 'held');
    const stream = await chat.stream();
    await chat.wait_events(10);
    const { text } = await until('a record', () => chat.record(stream));
    assert.ok(text.length > 0);
    await chat.page.reload();
    await until('the verdict', async () => (await chat.verdict()) === 'exact');
    assert.ok((await chat.record(stream)).text.startsWith(text), 'the text is kept, not read again');
    assert.match((await chat.tape_ids())[0], /-\d+$/);
    assert.ok(Number((await chat.tape_ids())[0].split('-')[1]) > 5, 'the tape begins after the cursor');
    assert.equal(await chat.page.locator('.prompt').textContent(), 'Keep talking while I reload.');
    model.finish('Keep talking while I reload.');
    await check_whole(chat);
  }));

  test('discards its text when the verdict is reset', () => with_page(async (chat) => {
    const other = await relay.create('Another stream. #long=3');
    const foreign = (await relay.ended_state(other.id)).last_event_id;
    await chat.send('This text will be thrown away once.', 'held');
    const stream = await chat.stream();
    await chat.wait_events(8);
    await chat.page.click('#drop');
    await chat.page.addInitScript(([key, cursor]) => {
      const record = JSON.parse(sessionStorage.getItem(key) ?? 'null');
      if (record) sessionStorage.setItem(key, JSON.stringify({ ...record, cursor, text: `WRONG ${record.text}` }));
    }, [`tokenrelay.reading.${stream}`, foreign]);
    await chat.page.reload();
    await until('the verdict', async () => (await chat.verdict()) === 'reset');
    model.finish('This text will be thrown away once.');
    await check_whole(chat);
  }));

  test('follows in a second tab by address, from the first event', () => with_page(async (chat) => {
    const { id } = await relay.create('Two readers of one stream.', { model: 'held' });
    await chat.page.evaluate((hash) => { location.hash = hash; }, id);
    await until('the verdict', async () => (await chat.verdict()) === 'start');
    await chat.wait_events(4);
    model.finish('Two readers of one stream.');
    await check_whole(chat);
  }));

  test('takes a finished stream from its state, and replays it', () => with_page(async (chat) => {
    const { id } = await relay.create('Finished before anyone looked. #long=9');
    const state = await relay.ended_state(id);
    await chat.page.goto(`${relay.url}/#${id}`);
    await chat.page.reload();
    await until('the ending', async () => (await chat.page.locator('.ending').textContent()) === 'Complete');
    assert.equal(await chat.answer(), state.text);
    await chat.page.click('#replay');
    await check_whole(chat);
    assert.match((await chat.tape_ids())[0], /-1$/, 'the replay is on the tape');
  }));

  test('understands 204: the stream ended while it was away', () => with_page(async (chat) => {
    await chat.send('Away for the last word.', 'held');
    const stream = await chat.stream();
    await chat.wait_events(4);
    await chat.page.click('#drop');
    await chat.wait_state('offline');
    model.finish('Away for the last word.');
    const state = await relay.ended_state(stream);
    await chat.page.addInitScript(([key, cursor]) => {
      const record = JSON.parse(sessionStorage.getItem(key) ?? 'null');
      if (record) sessionStorage.setItem(key, JSON.stringify({ ...record, cursor }));
    }, [`tokenrelay.reading.${stream}`, state.last_event_id]);
    await chat.page.reload();
    await chat.wait_state('ended');
    assert.equal(await chat.answer(), state.text);
    assert.equal(await chat.ending(), 'Complete');
  }));

  test('says so when a stream was deleted or is unknown', () => with_page(async (chat) => {
    const { id } = await relay.create('Soon gone. #long=3');
    await relay.ended_state(id);
    const gone = await fetch(`${relay.url}/v1/streams/${id}`, { method: 'DELETE' });
    assert.equal(gone.status, 204);
    for (const stream of [id, `strm_${'A'.repeat(22)}`]) {
      await chat.page.goto(`${relay.url}/#${stream}`);
      await chat.page.reload();
      await until('the explanation', async () => /no longer keeps/.test(await chat.page.locator('.ending').textContent()));
    }
  }, { expected: loss }));

  test('shows reasoning folded, tool calls, and failures with their code', () => with_page(async (chat) => {
    await chat.send('Think, then call. #reason #tool #long=5');
    let state = await check_whole(chat);
    assert.equal(state.finish_reason, 'tool_calls');
    assert.equal(await chat.page.locator('details.reasoning').getAttribute('open'), null);
    assert.equal(await chat.page.locator('details.reasoning .text').textContent(), state.reasoning);
    assert.equal(await chat.page.locator('.tool-name').textContent(), 'get_weather');
    assert.equal(JSON.parse(await chat.page.locator('.tool-arguments').textContent()).city, 'Zürich');
    await chat.send('Now break. #fail');
    await until('the second turn', async () => (await chat.page.locator('.turn').count()) === 2);
    await until('the second stream', async () => (await chat.stream()) !== state.id);
    state = await check_whole(chat);
    assert.equal(state.status, 'failed');
    assert.equal(await chat.ending(), `Failed (${state.error.code})`);
  }));

  test('sends the conversation so far with the next prompt', () => with_page(async (chat) => {
    await chat.send('First question. #long=4');
    const first = await check_whole(chat);
    const next = chat.page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/v1/streams'));
    await chat.send('Second question. #long=4');
    assert.deepEqual(JSON.parse((await next).postData()), {
      messages: [
        { role: 'user', content: 'First question. #long=4' }, { role: 'assistant', content: first.text },
        { role: 'user', content: 'Second question. #long=4' },
      ],
    });
    await until('the second stream', async () => (await chat.stream()) !== first.id);
    assert.equal((await check_whole(chat)).status, 'completed');
    await chat.page.reload();
    await until('both turns again', async () => (await chat.page.locator('.ending:text-is("Complete")').count()) === 2);
    assert.ok((await chat.page.locator('.answer').first().textContent()).length > 0);
  }));

  test('sends a prompt again under its key when the answer is lost, and starts one generation', () => with_page(async (chat) => {
    const keys = [];
    const created = [];
    await chat.page.route('**/v1/streams', async (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      const response = await route.fetch();
      created.push((await response.json()).id);
      if (keys.length === 1) await route.abort('connectionreset');
      else await route.fulfill({ response });
    });
    await chat.send('Only once, please. #long=6');
    await check_whole(chat);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal(created[0], created[1]);
  }, { expected: loss }));
});

test('the relay is killed and started again: the page reconnects by itself and keeps all it showed', { timeout: 120000 }, async () => {
  const mortal = await new Relay({ config: model.config() }).start();
  try {
    await with_page(async (chat) => {
      await chat.send('An answer that will be cut short by force.', 'held');
      const stream = await chat.stream();
      await chat.wait_events(20);
      await mortal.kill('SIGKILL');
      await chat.wait_state('reconnecting');
      const shown = await chat.record(stream);
      assert.ok(shown.text.length > 0);
      await mortal.start();
      await chat.wait_state('ended', 60000);
      const state = await check_whole(chat, mortal);
      assert.equal(state.status, 'interrupted');
      assert.ok(state.text.startsWith(shown.text), 'nothing that was shown is lost');
      assert.equal(await chat.verdict(), 'exact');
      assert.match(await chat.ending(), /^Interrupted/);
    }, { url: mortal.url, expected: loss });
  } finally {
    await mortal.stop();
  }
});
