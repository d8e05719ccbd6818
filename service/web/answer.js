// One answer: what the events of a stream add up to. Nothing here knows of the screen or of the network.

const terminal = new Set(['completed', 'cancelled', 'failed', 'interrupted']);

export class Answer {
  constructor(stream, prompt = null) {
    this.stream = stream;
    this.prompt = prompt;
    this.model = '';
    this.provider = '';
    this.verdict = '';
    this.connections = 0;
    this.first_token_ms = null;
    this.#discard();
  }

  #discard() {
    this.cursor = '';
    this.status = 'queued';
    this.text = '';
    this.reasoning = '';
    this.tool_calls = [];
    this.events = 0;
    this.notes = [];
    this.steers = [];  // {at, content}: where in the text somebody steered
    this.finish_reason = null;
    this.usage = null;
    this.error = null;
  }

  get ended() {
    return terminal.has(this.status);
  }

  // The answers between the steers: one more than there are steers.
  parts() {
    const cuts = [0, ...this.steers.map(({ at }) => at), this.text.length];
    return cuts.slice(1).map((end, part) => this.text.slice(cuts[part], end));
  }

  // Text and cursor move together, in one step: a record taken at any moment is a valid place to resume from.
  apply({ type, id, data }) {
    const value = JSON.parse(data);
    if (type === 'resumed') {
      this.connections += 1;
      this.verdict = value.verdict;
      if (value.verdict !== 'exact') this.#discard();
      this.status = value.status ?? this.status;
      return value;
    }
    if (id) this.cursor = id;
    this.events += 1;
    if (!this.ended) this.status = 'streaming';
    this.#take(type, value);
    return value;
  }

  #take(type, value) {
    switch (type) {
      case 'message': this.text += value.delta; break;
      case 'reasoning': this.reasoning += value.delta; break;
      case 'tool_call': this.#tool_call(value); break;
      case 'start': this.model = value.model ?? ''; this.provider = value.provider ?? ''; break;
      case 'steer': this.steers.push({ at: this.text.length, content: value.content }); break;
      case 'upstream': this.notes.push(`The upstream was asked again (attempt ${value.attempt}: ${value.reason})`); break;
      case 'done': this.#end(value); break;
    }
  }

  #tool_call({ index, id, name, arguments_delta }) {
    let call = this.tool_calls.find((known) => known.index === index);
    if (!call) {
      call = { index, id: '', name: '', arguments: '' };
      this.tool_calls.push(call);
    }
    call.id = id || call.id;
    call.name = name || call.name;
    call.arguments += arguments_delta ?? '';
  }

  #end({ status, finish_reason = null, finish_reason_raw, usage = null, error = null }) {
    Object.assign(this, { status, finish_reason: finish_reason_raw ?? finish_reason, usage, error });
  }

  // Takes all events of a stream that has ended in place of what was read.
  replace(events) {
    for (const event of events) this.apply(event);
  }
}

// The answer that is being read survives a reload of this tab in sessionStorage; the relay keeps everything else.
const record_key = (stream) => `tokenrelay.reading.${stream}`;

export function keep_record(answer) {
  try {
    sessionStorage.setItem(record_key(answer.stream), JSON.stringify(answer));
  } catch {
    drop_record(answer.stream);  // too long to keep: a reload then replays it from the first event
  }
}

export function drop_record(stream) {
  try {
    sessionStorage.removeItem(record_key(stream));
  } catch {
    // storage is switched off: nothing was kept
  }
}

export function restore_record(stream, prompt) {
  const answer = new Answer(stream, prompt);
  try {
    Object.assign(answer, JSON.parse(sessionStorage.getItem(record_key(stream)) ?? '{}'), { stream, prompt });
  } catch {
    return new Answer(stream, prompt);
  }
  return answer;
}
