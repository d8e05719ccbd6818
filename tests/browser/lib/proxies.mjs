// The proxies that the samples in deploy/ are for, as child processes with these samples as they stand, but for the addresses.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './relay.mjs';

const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));

const unused_port = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const answers = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

class Proxy {
  constructor(sample) {
    this.sample = readFileSync(fileURLToPath(new URL(`../../../deploy/${sample}`, import.meta.url)), 'utf8');
    this.folder = mkdtempSync(join(tmpdir(), 'tokenrelay-proxy-'));
  }

  // What the sample's first lines want in tokenrelay.toml.
  relay_config() {
    const head = this.sample.slice(0, this.sample.search(/^[^#]/m));
    return head.split('\n').filter((line) => line.startsWith('#   ')).map((line) => `${line.slice(4)}\n`).join('');
  }

  async start(relay_port) {
    this.port = await unused_port();
    const file = join(this.folder, 'proxy.conf');
    writeFileSync(file, this.config(this.sample.replaceAll('127.0.0.1:8080', `127.0.0.1:${relay_port}`)));
    const [program, ...args] = this.command(file);
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    living.add(this.child);
    let said = '';
    for (const out of [this.child.stdout, this.child.stderr]) out.on('data', (part) => { said = (said + part).slice(-4000); });
    this.ended = new Promise((resolve) => this.child.once('close', resolve)).then(() => { living.delete(this.child); });
    await until('the proxy', () => {
      if (!living.has(this.child)) throw new Error(`${program} ended: ${said}`);
      return answers(this.port);
    }, 10000);
  }

  async stop() {
    if (this.child) {
      this.child.kill('SIGKILL');
      await this.ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Nginx extends Proxy {
  constructor() {
    super('nginx/tokenrelay.conf');
  }

  config(http) {
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${this.folder}/${what};`).join(' ');
    return `daemon off; master_process off; pid ${this.folder}/pid; error_log ${this.folder}/error.log; events {}
http { access_log off; ${folders}\n${http.replaceAll('listen 80', `listen 127.0.0.1:${this.port}`)} }`;
  }

  command(file) {
    return ['nginx', '-e', join(this.folder, 'error.log'), '-p', this.folder, '-c', file];
  }
}

export class Haproxy extends Proxy {
  constructor() {
    super('haproxy/haproxy.cfg');
  }

  config(text) {
    return text.replace('bind :80\n', `bind 127.0.0.1:${this.port}\n`);
  }

  command(file) {
    return ['haproxy', '-db', '-f', file];
  }
}
