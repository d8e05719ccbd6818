// Cancel and steer from the page, over EventSource and over WebSocket; what was said is still there after a reload.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChatPage, launch } from './lib/chromium.mjs';
import { HeldModel } from './lib/held_model.mjs';
import { relay_for, until } from './lib/relay.mjs';

const model = new HeldModel();
const relay = relay_for([model]);
let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

async function with_page(transport, use, options = {}) {
  const chat = await ChatPage.open(browser, relay.url, options);
  await chat.page.selectOption('#transport', transport);
  await use(chat);
  await chat.close();
}

// What a person reads: prompts, steers and answers of the conversation, in order, in their plain form.
function transcript({ page }) {
  return page.evaluate(() => {
    for (const button of document.querySelectorAll('.turn .actions button')) if (button.textContent === 'Plain text') button.click();
    return [...document.querySelectorAll('.turn .prompt, .turn .answer')].map((node) => [
      node.classList.contains('steer') ? 'steer' : node.classList.contains('prompt') ? 'prompt' : 'answer', node.textContent,
    ]);
  });
}

const steer = async (chat, content) => {
  await chat.page.fill('#prompt', content);
  await chat.page.click('#send');
};
const steered = (chat, content) => until('the steer in the transcript', () => (
  chat.page.locator('.turn .steer', { hasText: content }).count().then((count) => count === 1)));

async function reload(chat) {
  await chat.page.reload();
  await until('the answer again', () => chat.page.locator('.turn .ending').last().textContent().catch(() => ''));
  await until('the end', async () => (await chat.ending()) !== '');
}

for (const transport of ['sse', 'websocket']) {
  describe(`over ${transport}`, { timeout: 300000 }, () => {
    test('steers and cancels from the page; a reload shows the same transcript', () => with_page(transport, async (chat) => {
      const words = `A long one, over ${transport}.`;
      await chat.send(words, 'held');
      const stream = await chat.stream();
      await chat.wait_events(6);
      await steer(chat, 'shorter, please');
      await steered(chat, 'shorter, please');
      const seen = await chat.events();
      await chat.wait_events(seen + 6);
      await chat.page.click('#stop');
      await chat.wait_state('ended');
      assert.equal(await chat.ending(), 'Stopped');
      const state = await relay.ended_state(stream);
      assert.equal(state.status, 'cancelled');
      const before = await transcript(chat);
      assert.deepEqual(before.map(([kind]) => kind), ['prompt', 'answer', 'steer', 'answer']);
      assert.equal(before[0][1], words);
      assert.equal(before[2][1], 'shorter, please');
      assert.equal(before[1][1] + before[3][1], state.text, "the relay's text, to the character");
      await reload(chat);
      assert.deepEqual(await transcript(chat), before);
      assert.equal(await chat.ending(), 'Stopped');
    }));

    test('a reload in the middle of a steered answer goes on exactly', () => with_page(transport, async (chat) => {
      await chat.send(`Reloaded, over ${transport}.`, 'held');
      const stream = await chat.stream();
      await chat.wait_events(6);
      await steer(chat, `go on, over ${transport}`);
      await steered(chat, 'go on');
      await until('text after the steer', async () => (await chat.page.locator('.answer').last().textContent()).length > 20);
      await chat.page.reload();
      await chat.wait_state('live');
      await until('the verdict', async () => (await chat.verdict()) === 'exact');
      assert.equal(await chat.page.locator('#transport').inputValue(), transport, 'the choice is kept');
      model.finish(`go on, over ${transport}`);
      await chat.wait_state('ended');
      const all = await transcript(chat);
      const state = await relay.ended_state(stream);
      assert.equal(all.filter(([kind]) => kind === 'answer').map(([, text]) => text).join(''), state.text);
      assert.equal(all[2][1], `go on, over ${transport}`);
      assert.equal(state.status, 'completed');
    }));
  });
}

describe('both transports', { timeout: 300000 }, () => {
  test('changes in the middle of an answer, nothing lost and nothing twice', () => with_page('sse', async (chat) => {
    await chat.send('Change horses.', 'held');
    const stream = await chat.stream();
    for (const [transport, connections] of [['websocket', 2], ['sse', 3], ['websocket', 4]]) {
      await chat.wait_events((await chat.events()) + 5);
      await chat.page.selectOption('#transport', transport);
      await until('the other connection', async () => (await chat.record(stream))?.connections === connections);
      assert.equal(await chat.verdict(), 'exact');
    }
    model.finish('Change horses.');
    await chat.wait_state('ended');
    const state = await relay.ended_state(stream);
    assert.equal(await chat.answer(), state.text);
    const ids = await chat.tape_ids();
    assert.equal(new Set(ids).size, ids.length, 'no event twice');
  }));

  test('a WebSocket comes back to a relay that was killed', () => with_page('websocket', async (chat) => {
    await chat.send('Killed under a socket.', 'held');
    const stream = await chat.stream();
    await chat.wait_events(6);
    await relay.kill();
    await chat.wait_state('reconnecting');
    await relay.start();
    await chat.wait_state('ended');
    const state = await relay.ended_state(stream);
    assert.equal(state.status, 'interrupted');
    assert.equal(await chat.answer(), state.text);
    assert.equal(await chat.verdict(), 'exact');
  }, { expected: /ERR_|WebSocket|Failed to load/ }));

  test('a steer that is refused stays in the field, and says why', () => with_page('sse', async (chat) => {
    await chat.send('Too much.', 'held');
    await chat.wait_events(6);
    await steer(chat, 'x'.repeat(40000));
    await until('the notice', () => chat.page.locator('#notice').isVisible());
    assert.match(await chat.text_of('notice'), /too long/);
    assert.equal((await chat.page.inputValue('#prompt')).length, 40000);
    await chat.page.fill('#prompt', '');
    await chat.page.click('#stop');
    await chat.wait_state('ended');
    assert.ok(await chat.page.locator('#notice').isHidden());
  }, { expected: /status of 413/ }));
});
