// The page against the mock relay: what the demo model has no cause to do, and how the page looks at every width.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChatPage, launch } from './lib/chromium.mjs';
import { start_mock } from './lib/mock_relay.mjs';
import { until } from './lib/relay.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

async function with_page(use, { mock: mock_options = {}, ...options } = {}) {
  const mock = await start_mock({ step_ms: 15, ...mock_options });
  try {
    const chat = await ChatPage.open(browser, mock.url, options);
    await use(chat, mock);
    await chat.close();
  } finally {
    await mock.close();
  }
}

describe('the page, with a mock relay', { timeout: 400000, concurrency: 3 }, () => {
  test('never makes markup of what a model says', () => with_page(async (chat) => {
    await chat.send('Attack.', 'hostile');
    await chat.wait_state('ended');
    assert.equal(await chat.page.evaluate(() => window.hurt), undefined);
    assert.equal(await chat.page.locator('.turn').locator('img, script, b, i, u').count(), 0);
    assert.match(await chat.page.locator('.answer').textContent(), /<img src=x onerror="window\.hurt=1">/);
  }));

  test('is cut by the network, reconnects by itself and resumes exactly', () => with_page(async (chat, mock) => {
    await chat.send('Hold the line. #long=4000');
    const stream = await chat.stream();
    for (const [round, at] of [[1, 10], [2, 30]]) {
      await chat.wait_events(at);
      mock.cut_readers();
      await until('the next connection', async () => (await chat.record(stream))?.connections === round + 1);
      assert.equal(await chat.verdict(), 'exact');
    }
    await chat.page.click('#stop');
    await chat.wait_state('ended');
    assert.equal(await chat.answer(), mock.streams.get(stream).state().text);
    assert.match(await chat.page.locator('.detail').textContent(), /read over 3 connections/);
  }, { expected: /ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED/ }));

  test('stops a stream where the relay can', () => with_page(async (chat) => {
    await chat.send('Stop me. #long=4000');
    await chat.wait_events(5);
    await chat.page.click('#stop');
    await chat.wait_state('ended');
    assert.equal(await chat.ending(), 'Stopped');
    await until('the send button', () => chat.page.locator('#send').isVisible());
  }));

  test('hides the stop button where the relay cannot', () => with_page(async (chat) => {
    await chat.send('Stop me. #long=4000');
    await chat.wait_events(5);
    await chat.page.click('#stop');
    await until('the button to go', () => chat.page.locator('#stop').isHidden());
    assert.match(await chat.text_of('announce'), /cannot stop/);
    assert.equal(await chat.text_of('state'), 'live');
  }, { mock: { can_cancel: false }, expected: /status of 405/ }));

  test('explains a refused prompt and offers it again', () => with_page(async (chat) => {
    await chat.send('Anyone?', 'nobody');
    await until('the explanation', async () => /no model/.test(await chat.ending()));
    await chat.page.fill('#model', '');
    await chat.page.getByRole('button', { name: 'Try again' }).click();
    await until('the explanation again', async () => /no model/.test(await chat.ending()));
    await chat.send('Then the default. #long=5', '');
    await until('a stream', () => chat.stream());
    await chat.wait_state('ended');
  }, { expected: /status of 404/ }));

  test('keyboard: Enter sends, Shift+Enter starts a line, every control can be reached', () => with_page(async (chat) => {
    await chat.page.focus('#prompt');
    await chat.page.keyboard.type('one');
    await chat.page.keyboard.press('Shift+Enter');
    await chat.page.keyboard.type('two #long=4000');
    await chat.page.keyboard.press('Enter');
    assert.equal(await chat.page.locator('.prompt').textContent(), 'one\ntwo #long=4000');
    await chat.wait_events(3);
    const unnamed = await chat.page.locator('button:visible, input:visible, textarea:visible').evaluateAll((nodes) => nodes
      .filter((node) => !node.textContent.trim() && !node.labels?.length && !node.ariaLabel).map((node) => node.outerHTML));
    assert.deepEqual(unnamed, []);
    await chat.page.focus('#drop');
    await chat.page.keyboard.press('Enter');
    await chat.wait_state('offline');
  }));

  test('a reload before the relay has answered sends the prompt again under its key', () => with_page(async (chat, mock) => {
    let asked = 0;
    await chat.page.route('**/v1/streams', (route) => {
      asked += 1;
      if (asked > 1) return route.continue();
      return route.fetch().then(() => chat.page.reload());  // the relay has it, the page never hears so
    });
    await chat.send('Once, whatever happens. #long=8');
    await chat.stream();
    await chat.wait_state('ended');
    assert.equal(asked, 2);
    assert.equal(mock.streams.size, 1);
    assert.equal(await chat.page.locator('.prompt').textContent(), 'Once, whatever happens. #long=8');
    assert.equal(await chat.page.locator('#conversations li').count(), 1);
  }));

  test('works where storage is switched off', () => with_page(async (chat) => {
    await chat.page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
      }
    });
    await chat.page.reload();
    await chat.send('Nothing is kept here. #long=20');
    await chat.wait_state('ended');
    assert.equal(await chat.ending(), 'Complete');
  }));

  test('speaks of changes, not of tokens', () => with_page(async (chat) => {
    await chat.page.evaluate(() => {
      window.spoken = [];
      new MutationObserver(() => window.spoken.push(document.getElementById('announce').textContent))
        .observe(document.getElementById('announce'), { childList: true });
    });
    await chat.send('Quietly. #long=30');
    await chat.wait_state('ended');
    assert.deepEqual(await chat.page.evaluate(() => window.spoken), ['Answer completed.']);
  }));

  test('forgets a conversation here and on the relay', () => with_page(async (chat, mock) => {
    await chat.send('Forget this. #long=3');
    const stream = await chat.stream();
    await chat.wait_state('ended');
    chat.page.on('dialog', (dialog) => dialog.accept());
    await chat.page.locator('#conversations li').hover();
    await chat.page.locator('#conversations .remove').click();
    await until('the deletion', () => !mock.streams.has(stream));
    assert.equal(await chat.page.locator('#conversations li').count(), 0);
    assert.equal(await chat.page.evaluate(() => localStorage.getItem('tokenrelay.conversations')), '[]');
  }));

  for (const [width, height] of [[1280, 800], [900, 700], [700, 900], [390, 844], [320, 568]]) {
    test(`fits ${width} x ${height}, light and dark`, () => with_page(async (chat) => {
      await chat.send(`A${'very'.repeat(60)}long word and https://example.org/${'x'.repeat(200)} #long=4000`);
      await chat.wait_events(12);
      for (const colorScheme of ['light', 'dark']) {
        await chat.page.emulateMedia({ colorScheme });
        const spill = await chat.page.evaluate(() => [...document.querySelectorAll('body, .scroll, .strip, .composer, .bar')]
          .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.className || box.tagName));
        assert.deepEqual(spill, []);
        const right = await chat.page.locator('#drop').evaluate((node) => node.getBoundingClientRect().right);
        const edge = await chat.page.locator('.chat').evaluate((node) => node.getBoundingClientRect().right);
        assert.ok(right <= edge, 'the drop button lies inside its column');
      }
    }, { viewport: { width, height } }));
  }
});
