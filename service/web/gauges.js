// The strip over the composer: state of the connection, verdict of the last resume, and three figures.

const window_ms = 3000;

export const verdict_words = {
  start: 'from the first event',
  exact: 'nothing lost, nothing twice',
  reset: 'text discarded and read again',
};

// Deltas a second over the last three seconds of what came live; a replay's burst would only boast, so it is not counted.
export class Rate {
  #arrivals = [];
  #last = null;

  add(now) {
    this.#arrivals.push(now);
  }

  clear() {
    this.#arrivals = [];
  }

  // From here on the figure stands still.
  freeze(now) {
    this.#last = this.per_second(now);
  }

  per_second(now) {
    if (this.#last !== null) return this.#last;
    const first = this.#arrivals.findIndex((at) => now - at < window_ms);
    this.#arrivals = first < 0 ? [] : this.#arrivals.slice(first);
    if (this.#arrivals.length < 2) return null;
    const span = Math.max(now - this.#arrivals[0], 250);
    return (this.#arrivals.length - 1) * 1000 / span;
  }
}

export function show_ms(ms) {
  if (ms === null) return '–';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export class Gauges {
  constructor(find) {
    this.strip = find('strip');
    this.state = find('state');
    this.verdict = find('verdict');
    this.rate = find('rate');
    this.first_token = find('first-token');
    this.events = find('events');
    this.drop = find('drop');
  }

  show(answer, state, rate) {
    this.strip.hidden = false;
    this.state.dataset.state = state;
    this.state.textContent = state;
    this.verdict.hidden = answer.verdict === '';
    this.verdict.dataset.verdict = answer.verdict;
    this.verdict.textContent = answer.verdict;
    this.verdict.title = verdict_words[answer.verdict] ?? '';
    this.rate.textContent = rate === null ? '–' : rate.toFixed(rate < 10 ? 1 : 0);
    this.first_token.textContent = show_ms(answer.first_token_ms);
    this.events.textContent = answer.events.toLocaleString('en');
    this.drop.hidden = state === 'ended' || state === 'sending';
    this.drop.textContent = state === 'offline' ? 'Reconnect' : 'Drop connection';
    this.drop.dataset.mode = state === 'offline' ? 'reconnect' : 'drop';
  }
}
