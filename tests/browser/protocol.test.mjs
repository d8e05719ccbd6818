// The examples of service/PROTOCOL.md, run in their order against the binary. What is drawn or measured (ids, times, counts) may
// differ; everything else must be as written. `…` in an event stream stands for blocks that were left out; at the end, for the rest.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Relay, until } from './lib/relay.mjs';

const page = readFileSync(new URL('../../service/PROTOCOL.md', import.meta.url), 'utf8');

// [{kind, text, line}] of the fenced blocks that are examples.
function examples() {
  const found = [];
  for (const block of page.matchAll(/^```(http request|http response|ws)\n(.*?)^```$/gms)) {
    found.push({ kind: block[1], text: block[2].replace(/\n$/, ''), line: page.slice(0, block.index).split('\n').length });
  }
  return found;
}

const drawn = /strm_[a-z2-7]+|req_[a-z2-7]+|\b[a-z2-7]{10}-\d+\b|\d{4}-\d\d-\d\dT[\d:.]+Z/g;
const shape_of_text = (text) => text.replace(drawn, (one) => (/^(strm_|req_)/.exec(one)?.[0] ?? (one.includes('T') ? '<time>' : '<event>')));

// JSON as it must be: member names, types, and every string that is not drawn; numbers only as numbers. Text of the model is any text.
function shape(value, name = '') {
  if (Array.isArray(value)) return value.map((one) => shape(one));
  if (name === 'usage' && value && value.source !== 'provider') return '<not said>';  // by how much the model had answered when it was cut
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one, key)]));
  if (typeof value === 'number' && name !== 'status') return '<number>';
  if (name === 'delta' || name === 'text' || name === 'next_cursor') return '<text>';
  return typeof value === 'string' ? shape_of_text(value) : value;
}

const json_shape = (text) => shape(JSON.parse(text));

// Blocks of an event stream: [{retry?, event?, data, id?}], comments left out.
function events_of(text) {
  return text.split('\n\n').map((block) => block.split('\n').filter((line) => line && !line.startsWith(':'))).filter((lines) => lines.length)
    .map((lines) => (lines[0] === '…' ? '…' : lines.map((line) => {
      const [, field, value] = /^(\w+): (.*)$/.exec(line);
      return [field, field === 'data' ? json_shape(value) : shape_of_text(value)];
    })));
}

// The document's ids stand for those that this run drew.
class Names {
  #real = new Map();
  learn(written, real) {
    const [ours, theirs] = [written.match(drawn) ?? [], real.match(drawn) ?? []];
    ours.forEach((one, at) => theirs[at] && !this.#real.has(one) && this.#real.set(one, theirs[at]));
  }
  put(text) { return text.replace(drawn, (one) => this.#real.get(one) ?? one); }
}

function parse_request(text) {
  const [head, body] = text.split(/\n\n(.*)/s);
  const [first, ...lines] = head.split('\n');
  const [method, path] = first.split(' ');
  return { method, path, headers: Object.fromEntries(lines.map((line) => line.split(/: (.*)/s))), body };
}

function parse_response(text) {
  const [head, body = ''] = text.split(/\n\n(.*)/s);
  const [first, ...lines] = head.split('\n');
  return { status: first.replace('HTTP/1.1 ', ''), headers: lines.map((line) => line.split(/: (.*)/s)), body };
}

// `enough(body)` ends the reading of an answer that goes on.
function send(relay, { method, path, headers, body }, enough) {
  return new Promise((resolve, reject) => {
    const request = http.request(relay.url + path, { method, headers, agent: false, timeout: 60000 }, (response) => {
      const { statusCode, statusMessage } = response;
      let text = '';
      const done = () => resolve({ status: `${statusCode} ${statusMessage}`, headers: response.headers, body: text });
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
        if (enough(text)) { done(); request.destroy(); }
      });
      response.on('end', done);
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 60 s')));
    request.on('error', reject);
    if (body !== undefined) request.setHeader('Content-Length', Buffer.byteLength(body)).write(body);
    request.end();
  });
}

function check_events(written, real, where) {
  const [ours, theirs] = [events_of(written), events_of(real)];
  const gap = ours.indexOf('…');
  const before_gap = gap < 0 ? ours : ours.slice(0, gap);
  const after_gap = gap < 0 ? [] : ours.slice(gap + 1);
  assert.deepEqual(theirs.slice(0, before_gap.length), before_gap, where);
  if (after_gap.length) assert.deepEqual(theirs.slice(-after_gap.length), after_gap, where);
  if (gap < 0) assert.equal(theirs.length, ours.length, where);
}

// Between a steer and the answer to it nothing runs for a moment, and a cancel there has no connection to close.
async function until_it_goes_on(relay, path) {
  const id = path.match(/strm_[a-z2-7]+/)[0];
  const last = (await relay.state(id)).last_event_id;
  await until('the answer goes on', async () => (await relay.state(id)).last_event_id !== last, 10000);
}

async function check_exchange(relay, names, request, response) {
  const where = `PROTOCOL.md:${request.line}`;
  const expected = parse_response(response.text);
  const goes_on = expected.body.endsWith('…');
  const wanted = events_or_none(expected);
  const enough = (body) => goes_on && body.split('\n\n').length > wanted;
  const asked = parse_request(names.put(request.text));
  if (/^POST .*\/cancel /.test(request.text)) await until_it_goes_on(relay, asked.path);
  const real = await send(relay, asked, enough);
  assert.equal(real.status, expected.status, `${where}: ${real.body.slice(0, 300)}`);
  for (const [name, value] of expected.headers) {
    assert.equal(shape_of_text(real.headers[name.toLowerCase()] ?? ''), shape_of_text(value), `${where}: ${name}`);
    names.learn(value, real.headers[name.toLowerCase()]);
  }
  const type = real.headers['content-type'] ?? '';
  if (type.startsWith('text/event-stream')) check_events(expected.body, real.body, where);
  else if (type.includes('json')) assert.deepEqual(json_shape(real.body), json_shape(expected.body), where);
  else assert.equal(real.body.trim(), expected.body.trim(), where);
  learn_body(names, expected.body, real.body, type);
}

const events_or_none = ({ body }) => body.split('\n\n').filter((block) => block.trim() && block.trim() !== '…').length;

// Block by block, since a stream's merged deltas may be more or fewer than written; the last written id is the last real one.
function learn_body(names, written, real, type) {
  if (!type.startsWith('text/event-stream')) return names.learn(written, real);
  const [ours, theirs] = [written.trim().split('\n\n'), real.trim().split('\n\n')];
  const gap = ours.indexOf('…');
  ours.slice(0, gap < 0 ? ours.length : gap).forEach((block, at) => names.learn(block, theirs[at]));
  if (gap >= 0) ours.slice(gap + 1).reverse().forEach((block, at) => names.learn(block, theirs.at(-1 - at)));
}

async function check_socket(relay, example) {
  const body = JSON.stringify({ prompt: 'A conversation over a socket. #long=3000' });
  const made = JSON.parse((await send(relay, {
    method: 'POST', path: '/v1/streams', headers: { 'Content-Type': 'application/json' }, body,
  }, () => false)).body);
  const socket = new WebSocket(relay.url.replace('http', 'ws') + made.control_url, 'tokenrelay.v1');
  const got = [];
  let wake = () => {};
  let closed = null;
  socket.on('message', (data) => { got.push(JSON.parse(data)); wake(); });
  socket.on('close', (code) => { closed = code; wake(); });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  assert.equal(socket.protocol, 'tokenrelay.v1');
  const next = async (where) => {
    const end = Date.now() + 60000;
    while (got.length === 0 && closed === null) {
      assert.ok(Date.now() < end, `${where}: nothing came`);
      await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 1000); });
    }
    return got.shift();
  };
  const is_text = (message) => message?.event === 'message';
  try {
    for (const [at, line] of example.text.split('\n').entries()) {
      const where = `PROTOCOL.md:${example.line + 1 + at}`;
      const said = line.slice(2);
      if (line.startsWith('> ')) { socket.send(said); continue; }
      if (said.startsWith('close ')) {
        assert.equal(await next(where), undefined, where);
        assert.equal(closed, Number(said.slice(6)), where);
        continue;
      }
      const expected = JSON.parse(said);
      let message = await next(where);
      while (is_text(message) && !is_text(expected)) message = await next(where);
      assert.deepEqual(shape(message), shape(expected), where);
    }
  } finally {
    socket.terminate();
  }
}

let relay;
before(async () => { relay = await new Relay().start(); });
after(() => relay?.stop());

test('every example of PROTOCOL.md is what the binary says', { timeout: 300000 }, async () => {
  const names = new Names();
  const all = examples();
  assert.ok(all.length > 30, 'the examples are found');
  for (let at = 0; at < all.length; at++) {
    if (all[at].kind === 'ws') { await check_socket(relay, all[at]); continue; }
    assert.equal(all[at].kind, 'http request', `PROTOCOL.md:${all[at].line}`);
    assert.equal(all[at + 1]?.kind, 'http response', `PROTOCOL.md:${all[at].line} has no answer`);
    await check_exchange(relay, names, all[at], all[++at]);
  }
});
