// Headless Chromium, one page a test, which fails its test on any console error, exception or violation of the page's policy.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { until } from './relay.mjs';

export const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: flags, timeout: 60000 });

export class ChatPage {
  complaints = [];

  // `expected` names console messages that a test provokes: the network errors of a killed relay, for one.
  static async open(browser, url, { expected = null, context = null, viewport = { width: 1280, height: 800 }, ...options } = {}) {
    const chat = new ChatPage();
    chat.expected = expected;
    chat.context = context ?? await browser.newContext({ viewport, ...options });
    chat.page = await chat.context.newPage();
    chat.page.setDefaultTimeout(60000);
    chat.page.on('pageerror', (error) => chat.complaints.push(String(error.stack)));
    chat.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) chat.complaints.push(message.text());
    });
    await chat.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        console.error(`policy: ${violatedDirective} ${blockedURI}`);
      });
    });
    await chat.page.goto(url);
    return chat;
  }

  async close() {
    await this.context.close();
    const unexpected = this.complaints.filter((text) => !this.expected?.test(text));
    assert.deepEqual(unexpected, []);
  }

  async send(prompt, model) {
    if (model !== undefined) await this.page.fill('#model', model);
    await this.page.fill('#prompt', prompt);
    await this.page.press('#prompt', 'Enter');
  }

  text_of(id) {
    return this.page.locator(`#${id}`).textContent();
  }

  events() {
    return this.text_of('events').then((text) => Number(text.replace(/\D/g, '')));
  }

  wait_events(count) {
    return until(`${count} events on the page`, async () => (await this.events()) >= count);
  }

  wait_state(state, deadline_ms) {
    return until(`state ${state}`, async () => (await this.text_of('state')) === state, deadline_ms);
  }

  verdict() {
    return this.text_of('verdict');
  }

  stream() {
    return until('a stream in the address', () => {
      const id = new URL(this.page.url()).hash.slice(1);
      return id.startsWith('strm_') && id;
    });
  }

  // The last answer to the character, in its plain form.
  async answer() {
    const last = this.page.locator('.turn').last();
    const plain = last.getByRole('button', { name: 'Plain text' });
    if (await plain.count()) await plain.click();
    const raw = last.locator('.answer pre.raw');
    return (await raw.count()) ? raw.textContent() : '';
  }

  ending() {
    return this.page.locator('.turn').last().locator('.ending').textContent();
  }

  // Ids in the order of the tape, seams left out.
  tape_ids() {
    return this.page.locator('#tape .event .id').allTextContents();
  }

  // What this tab has noted of the stream it is reading.
  record(stream) {
    return this.page.evaluate((key) => JSON.parse(sessionStorage.getItem(key)), `tokenrelay.reading.${stream}`);
  }
}
