// A TCP proxy that cuts connections with a reset, where a test says: after so many event blocks or bytes of the answer, or after
// a text in it. One entry of `plan` is used up by each connection; when the plan is empty, connections live.
import { createServer, connect } from 'node:net';

// How many bytes of `seen` may pass before the cut; Infinity if the place has not come yet.
function place_of(cut, seen) {
  if (cut.after_bytes !== undefined) {
    if (seen.length < cut.after_bytes) return Infinity;
    return cut.spare_ids ? past_id(seen, cut.after_bytes) : cut.after_bytes;
  }
  let at = cut.after_text ? seen.indexOf(cut.after_text) : 0;
  if (at < 0) return Infinity;
  for (let blocks = cut.after_blocks ?? 1; blocks > 0; blocks--) {
    const end = seen.indexOf('\n\n', at);
    if (end < 0) return Infinity;
    at = end + 2;
  }
  return at;
}

// Moves a cut that would fall between a block's id line and the block's end to that end (see clients.test.mjs).
function past_id(seen, at) {
  const block = seen.lastIndexOf('\n\n', at - 2) + 2;
  if (!/id: [^\n]*\n/.test(seen.slice(block, at))) return at;
  const end = seen.indexOf('\n\n', at - 1);
  return end < 0 ? Infinity : end + 2;
}

export class ChaosProxy {
  constructor(target_port) {
    this.target_port = target_port;
    this.plan = [];
    this.connections = 0;
    this.cuts = 0;
    this.sockets = new Set();
  }

  start() {
    this.server = createServer((client) => this.#serve(client));
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => {
      this.url = `http://127.0.0.1:${this.server.address().port}`;
      resolve(this);
    }));
  }

  #serve(client) {
    this.connections += 1;
    const cut = this.plan.shift();
    const upstream = connect(this.target_port, '127.0.0.1');
    const both = [client, upstream];
    const end_both = () => both.forEach((socket) => socket.resetAndDestroy());
    for (const socket of both) {
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.on('error', end_both);
      socket.on('close', () => {
        this.sockets.delete(socket);
        end_both();
      });
    }
    client.pipe(upstream);
    if (cut) this.#forward_until(cut, upstream, client, end_both);
    else upstream.pipe(client);
  }

  #forward_until(cut, upstream, client, end_both) {
    let seen = '';
    let passed = 0;
    upstream.on('data', (bytes) => {
      if (passed === Infinity) return;
      seen += bytes.toString('latin1');
      const stop = place_of(cut, seen);
      const last = stop <= seen.length;
      const from = passed;
      passed = last ? Infinity : seen.length;
      client.write(Buffer.from(seen.slice(from, last ? stop : seen.length), 'latin1'), () => {
        if (!last) return;
        this.cuts += 1;
        end_both();
      });
    });
    upstream.on('end', () => client.end());
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
