// Follows one stream over a WebSocket (subprotocol tokenrelay.v1), with the same handlers as Reader, and carries commands.
// It does not come back by itself: on_lost() is called, and whoever opens it again names the cursor.

import { Refusal, socket_url } from './relay.js';

export class SocketReader {
  #socket = null;
  #handlers;
  #waiting = new Map();  // ref → {resolve, reject}
  #last_ref = 0;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  open(id, cursor) {
    this.close();
    const socket = new WebSocket(socket_url(id), 'tokenrelay.v1');
    let opened = false;
    this.#socket = socket;
    this.#handlers.on_state('connecting');
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify({ type: 'subscribe', ref: 'events', ...(cursor ? { last_event_id: cursor } : {}) }));
      this.#handlers.on_state('live');
    };
    socket.onmessage = (message) => this.#socket === socket && this.#take(JSON.parse(message.data));
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.close();
      if (!opened || code === 1000) return this.#handlers.on_refused();
      this.#handlers.on_state('reconnecting');
      this.#handlers.on_lost();
    };
  }

  #take({ type, ref, event, id, data, code, message }) {
    if (type === 'event') return this.#handlers.on_event({ type: event, id: id ?? '', data: JSON.stringify(data) });
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    if (type === 'ack') waiting?.resolve();
    if (type === 'error') waiting?.reject(new Refusal(409, { code, detail: message }));
  }

  get can_command() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  // Resolved when the command is durable. A socket that ends first leaves that open, and the events will tell.
  command(message) {
    return new Promise((resolve, reject) => {
      const ref = `c${++this.#last_ref}`;
      this.#waiting.set(ref, { resolve, reject });
      this.#socket.send(JSON.stringify({ ...message, ref }));
    });
  }

  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}
