// One stream being read: connects an Answer to a Reader, and decides what to do when the connection or the stream ends.

import { keep_record, drop_record } from './answer.js';
import { Reader, Refusal, cancel_stream, read_events, read_state, steer_stream } from './relay.js';
import { SocketReader } from './socket.js';
import { Rate, verdict_words } from './gauges.js';

const first_wait_ms = 500;
const longest_wait_ms = 8000;

export class Session {
  #reader;
  #wait_ms = first_wait_ms;
  #timer = 0;
  #record_timer = 0;
  #caught_up_at = 0;
  #closed = false;

  // `view` is told of everything: changed(), told(text) for the announcer, lost(text) when the stream is gone for good.
  // `transport` is 'sse' or 'websocket'.
  constructor(answer, tape, view, transport, sent_at = null) {
    this.answer = answer;
    this.tape = tape;
    this.view = view;
    this.sent_at = sent_at;
    this.state = 'connecting';
    this.rate = new Rate();
    this.over(transport);
  }

  // Changes the transport; an open connection goes over at its cursor.
  over(transport) {
    const was_open = Boolean(this.#reader) && this.state !== 'offline';
    this.#reader?.close();
    this.#reader = new (transport === 'websocket' ? SocketReader : Reader)({
      on_event: (event) => this.#take(event),
      on_state: (state) => this.#moved(state),
      on_refused: () => this.#ask_why(),
      on_lost: () => this.#try_again(),
    });
    if (was_open) this.connect();
  }

  connect() {
    if (this.#closed || this.answer.ended) return;
    clearTimeout(this.#timer);
    this.#reader.open(this.answer.stream, this.answer.cursor);
  }

  // Commands go where the events come from; without an open socket over HTTP.
  cancel() {
    return this.#reader.can_command ? this.#reader.command({ type: 'cancel' }) : cancel_stream(this.answer.stream);
  }

  steer(content) {
    return this.#reader.can_command ? this.#reader.command({ type: 'steer', content }) : steer_stream(this.answer.stream, content);
  }

  drop() {
    clearTimeout(this.#timer);
    this.#reader.close();
    this.keep();
    this.state = 'offline';
    this.tape.seam('cut', 'dropped by you; the relay goes on');
    this.view.told('Connection dropped.');
    this.view.changed();
  }

  // Ends the session without a trace in the relay: the stream goes on, and can be read again from its record.
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#reader.close();
    this.keep();
  }

  // The network came back, or the page was taken out of the browser's cache: what looks open may be dead.
  refresh() {
    if (this.state !== 'offline') this.connect();
  }

  keep() {
    clearTimeout(this.#record_timer);
    this.#record_timer = 0;
    if (this.answer.ended) drop_record(this.answer.stream);
    else keep_record(this.answer);
  }

  #take(event) {
    const value = this.answer.apply(event);
    this.#wait_ms = first_wait_ms;
    if (event.type === 'resumed') {
      this.#caught_up_at = performance.now() + 300;
      this.tape.seam(value.verdict, `${value.verdict} – ${verdict_words[value.verdict]}`);
      if (value.verdict !== 'start') this.view.told(`Connected again, ${value.verdict}.`);
    } else {
      this.tape.event(event, value);
    }
    if (event.type === 'message') this.#time_token();
    if (event.type === 'done') this.#finish();
    else this.#record_timer ||= setTimeout(() => this.keep(), 250);
    this.view.changed();
  }

  #time_token() {
    const now = performance.now();
    if (this.answer.first_token_ms === null && this.sent_at !== null) this.answer.first_token_ms = now - this.sent_at;
    if (now > this.#caught_up_at) this.rate.add(now);
  }

  #finish() {
    this.#reader.close();
    clearTimeout(this.#timer);
    this.state = 'ended';
    this.rate.freeze(performance.now());
    this.keep();
    this.view.told(`Answer ${this.answer.status}.`);
    this.view.ended();
  }

  #moved(state) {
    if (state === 'reconnecting' && this.state !== 'reconnecting') {
      this.tape.seam('cut', 'connection lost; trying again');
      this.view.told('Connection lost, trying again.');
    }
    if (state !== 'live') this.rate.clear();
    // The browser's own next attempt is no news: it stays "reconnecting" until a head has arrived.
    if (!(state === 'connecting' && this.state === 'reconnecting')) this.state = state;
    this.view.changed();
  }

  // EventSource only says "refused". The state of the stream says the rest: ended (204), gone, unknown, or try again.
  async #ask_why() {
    this.state = 'reconnecting';
    this.view.changed();
    try {
      const state = await read_state(this.answer.stream);
      if (this.#closed) return;
      if (state.status === 'queued' || state.status === 'streaming') return this.#try_again();
      // A connection that failed for another reason: the events are still to be had.
      if (state.last_event_id !== this.answer.cursor) return this.#try_again();
      const events = await read_events(this.answer.stream);
      if (this.#closed) return;
      this.answer.replace(events);
      this.tape.seam('exact', `already ${state.status}: read again as a whole`);
      this.#finish();
    } catch (refusal) {
      if (this.#closed) return;
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.status !== 404 && refusal.status !== 410) return this.#try_again();
      drop_record(this.answer.stream);
      this.state = 'ended';
      this.tape.seam('cut', `${refusal.status}: ${refusal.message}`);
      this.view.lost(refusal.status === 410 ? 'This stream was deleted or has expired.' : 'The relay does not know this stream.');
    }
  }

  #try_again() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), this.#wait_ms);
    this.#wait_ms = Math.min(this.#wait_ms * 2, longest_wait_ms);
  }
}
