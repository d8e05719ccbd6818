// The real binary as a child process: port 0, a data directory of its own, the demo model; killed at the end of the tests.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const binary = process.env.TOKENRELAY_BINARY || fileURLToPath(new URL('../../../build/release/tokenrelay', import.meta.url));
const living = new Set();
const folders = new Set();
const remove = (folder) => rmSync(folder, { recursive: true, force: true });
process.on('exit', () => {
  living.forEach((child) => child.kill('SIGKILL'));
  folders.forEach(remove);
});

// Waits for `condition` to hold (a value that is not false or undefined) and returns it; it is asked again every 20 ms.
export async function until(what, condition, deadline_ms = 60000) {
  const end = Date.now() + deadline_ms;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined && value !== null) return value;
    if (Date.now() > end) throw new Error(`not within ${deadline_ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Relay {
  constructor({ config = '' } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'tokenrelay-browser-'));
    folders.add(this.folder);
    this.config = join(this.folder, 'tokenrelay.toml');
    this.port = 0;
    this.configure(config);
  }

  // For the next start.
  configure(text) {
    writeFileSync(this.config, text);
  }

  // Starts it, the second time on the same port and data.
  async start() {
    const args = ['serve', '--config', this.config, '--listen', `127.0.0.1:${this.port}`, '--data', join(this.folder, 'data')];
    // Retries are spread over their time, by default half a minute: no test waits for that.
    const env = { TOKENRELAY_LIMITS_UPSTREAM_RETRY_MS: '2500', ...process.env };
    this.child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    living.add(this.child);
    this.log = '';
    this.child.stderr.on('data', (part) => { this.log = (this.log + part).slice(-20000); });
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => {
      living.delete(this.child);
      resolve(signal ?? code);
    }));
    const line = await this.#first_line();
    this.url = /^tokenrelay listening on (http:\/\/\S+)$/.exec(line)?.[1];
    if (!this.url) throw new Error(`the first line on standard output is: ${line}\n${this.log}`);
    this.port = Number(new URL(this.url).port);
    return this;
  }

  async #first_line() {
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no first line within 30 s\n${this.log}`)), 30000);
        createInterface({ input: this.child.stdout }).once('line', resolve);
        this.child.once('error', reject);
        this.ended.then((status) => reject(new Error(`${binary} ended with ${status}\n${this.log}`)));
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.ended;
  }

  async stop() {
    if (this.child && living.has(this.child)) await this.kill();
    folders.delete(this.folder);
    remove(this.folder);
  }

  async create(prompt, more = {}) {
    const response = await fetch(`${this.url}/v1/streams`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ prompt, ...more }),
    });
    if (response.status !== 201) throw new Error(`create: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async state(id) {
    const response = await fetch(`${this.url}/v1/streams/${id}`);
    if (response.status !== 200) throw new Error(`state: ${response.status} ${await response.text()}`);
    return response.json();
  }

  ended_state(id) {
    return until(`the end of ${id}`, async () => {
      const state = await this.state(id);
      return !['queued', 'streaming'].includes(state.status) && state;
    });
  }
}

// The relay of a test file, in front of these models: all are up before its tests, and gone after them. `ready(relay)` makes what needs
// its address: the hooks of a file begin together, so that another one could be too early.
export function relay_for(models, ready = () => {}) {
  const relay = new Relay();
  before(async () => {
    await Promise.all(models.map((model) => model.start()));
    relay.configure(models.map((model) => model.config()).join(''));
    ready(await relay.start());
  });
  after(async () => {
    await relay.stop();
    await Promise.all(models.map((model) => model.close()));
  });
  return relay;
}
