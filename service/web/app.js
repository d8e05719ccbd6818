// The page: which conversation is shown, what is sent, and the wiring of the parts to the elements of index.html.

import { Answer, keep_record, restore_record } from './answer.js';
import { Gauges } from './gauges.js';
import { copy, random_id } from './plain_http.js';
import { Refusal, create_stream, delete_stream, events_url, read_events, read_state } from './relay.js';
import { all_conversations, conversation_of, conversation_row, forget_conversation, keep_conversation, new_conversation } from './recent.js';
import { Session } from './session.js';
import { Tape } from './tape.js';
import { TurnView } from './turn.js';

const find = (id) => document.getElementById(id);
const gauges = new Gauges(find);
const tape = new Tape(find('tape'));
const pending_key = 'tokenrelay.pending';

let conversation = null;
let turns = [];        // TurnView, one a turn
let session = null;    // the Session of the last turn, while it is read
let sending = null;    // the request that has no stream yet
let can_cancel = true;
let transport = noted_transport();
let opening = 0;       // counts conversations opened, so that late answers of an earlier one are dropped

// --- painting: at most once a frame, however fast events come ---

let painting = false;
function changed() {
  if (painting) return;
  painting = true;
  const paint_soon = document.hidden ? (paint) => setTimeout(paint, 500) : requestAnimationFrame;
  paint_soon(() => {
    painting = false;
    paint();
  });
}

function paint() {
  const last = turns.at(-1);
  const scroll = find('scroll');
  const following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  last?.update();
  tape.flush();
  find('no-events').hidden = find('tape').childElementCount > 0;
  if (last && (session || sending)) {
    const state = sending ? 'sending' : session.state;
    gauges.show(last.answer, state, session?.rate.per_second(performance.now()) ?? null);
  } else {
    gauges.strip.hidden = true;
  }
  paint_facts(last?.answer);
  paint_controls();
  if (following) scroll.scrollTop = scroll.scrollHeight;
}

function paint_facts(answer) {
  const known = Boolean(answer?.stream);
  find('facts').hidden = find('curl').hidden = !known;
  find('replay').hidden = !known || !answer.ended;
  if (!known) return;
  find('fact-stream').textContent = answer.stream;
  find('fact-model').textContent = [answer.model, answer.provider].filter(Boolean).join(' · ') || '–';
  find('fact-cursor').textContent = answer.cursor || 'none yet';
  find('curl-line').textContent = curl_line(answer);
}

function curl_line(answer) {
  const from = answer.ended || !answer.cursor ? '' : ` -H 'Last-Event-ID: ${answer.cursor}'`;
  return `curl -N${from} ${location.origin}${events_url(answer.stream)}`;
}

function paint_controls() {
  const busy = is_busy();
  find('welcome').hidden = turns.length > 0;
  find('send').hidden = Boolean(sending);
  find('send').textContent = busy ? 'Steer' : 'Send';
  find('send').classList.toggle('steering', busy);
  find('prompt').placeholder = busy ? 'Steer the answer while it runs' : 'Ask something';
  find('stop').hidden = !busy || !session || !can_cancel;
  document.body.dataset.connection = session?.state ?? 'idle';
}

const is_busy = () => Boolean(sending) || Boolean(session && session.state !== 'ended');

const told = (text) => { find('announce').textContent = text; };

// --- sending ---

function request_body(prompt, model) {
  const before = turns.filter(({ answer }) => answer.prompt !== null && answer.text !== '');
  const messages = before.flatMap(({ answer }) => answer.parts().flatMap((text, part) => [
    { role: 'user', content: part === 0 ? answer.prompt : answer.steers[part - 1].content },
    ...(text ? [{ role: 'assistant', content: text }] : []),
  ]));
  const input = messages.length ? { messages: [...messages, { role: 'user', content: prompt }] } : { prompt };
  return JSON.stringify({ ...(model ? { model } : {}), ...input });
}

function submit(prompt) {
  if (is_busy() || prompt.trim() === '') return;
  const model = find('model').value.trim();
  conversation ??= new_conversation(prompt, model);
  conversation.model = model;
  send({ key: random_id(), body: request_body(prompt, model), prompt, conversation });
}

// The request is noted before it leaves: a reload in the middle sends it again under its key, and gets the same stream.
async function send(pending) {
  const opened = opening;
  session?.close();
  session = null;
  sending = pending;
  note_pending(pending);
  tape.clear();
  const answer = new Answer('', pending.prompt);
  const turn = add_turn(answer);
  const sent_at = performance.now();
  find('scroll').scrollTop = find('scroll').scrollHeight;
  changed();
  try {
    const created = await create_stream(pending, (refusal) => told(`${refusal.message} Trying again.`));
    note_pending(null);
    pending.conversation.turns.push({ prompt: pending.prompt, stream: created.id });
    keep_conversation(pending.conversation);
    paint_recent();
    if (opened !== opening) return;
    sending = null;
    answer.stream = created.id;
    answer.model = created.model ?? '';
    history.replaceState(null, '', `#${created.id}`);
    read(turn, sent_at);
  } catch (refusal) {
    note_pending(null);
    if (!(refusal instanceof Refusal)) throw refusal;
    if (opened !== opening) return;
    sending = null;
    turn.explain(refusal.message, () => {
      turn.root.remove();
      turns = turns.filter((kept) => kept !== turn);
      send(pending);
    });
    told(refusal.message);
    changed();
  }
}

function note_pending(pending) {
  try {
    if (pending) sessionStorage.setItem(pending_key, JSON.stringify(pending));
    else sessionStorage.removeItem(pending_key);
  } catch {
    // too long to note: then a reload in this moment loses the prompt, and nothing else
  }
}

function noted_pending() {
  try {
    return JSON.parse(sessionStorage.getItem(pending_key));
  } catch {
    return null;
  }
}

function noted_transport() {
  try {
    return localStorage.getItem('tokenrelay.transport') === 'websocket' ? 'websocket' : 'sse';
  } catch {
    return 'sse';
  }
}

function note_transport(chosen) {
  try {
    localStorage.setItem('tokenrelay.transport', chosen);
  } catch {
    // storage is switched off: the choice lives as long as the page
  }
}

function read(turn, sent_at = null) {
  notice('');
  session?.close();
  session = new Session(turn.answer, tape, {
    changed,
    told,
    ended: changed,
    lost: (text) => {
      turn.explain(text);
      told(text);
      changed();
    },
  }, transport, sent_at);
  session.connect();
  changed();
}

function notice(text) {
  find('notice').textContent = text;
  find('notice').hidden = text === '';
  if (text) told(text);
}

async function steer(content) {
  notice('');
  try {
    await session.steer(content);
  } catch (refusal) {
    notice(refusal.message);
    if (find('prompt').value === '') find('prompt').value = content;  // nothing that was typed is lost
    fit_prompt();
  }
}

async function stop() {
  notice('');
  try {
    await session.cancel();
  } catch (refusal) {
    if (refusal.status === 404 || refusal.status === 405) can_cancel = false;
    notice(can_cancel ? refusal.message : 'This relay cannot stop a stream.');
    changed();
  }
}

// --- conversations ---

function add_turn(answer) {
  const turn = new TurnView(find('turns'), answer);
  turns.push(turn);
  return turn;
}

function close_conversation() {
  opening += 1;
  session?.close();
  session = sending = conversation = null;
  turns = [];
  tape.clear();
  find('turns').replaceChildren();
}

function new_chat() {
  close_conversation();
  history.replaceState(null, '', location.pathname);
  paint();
  paint_recent();
  show_pane('chat');
  find('prompt').focus();
}

async function open_conversation(chosen) {
  close_conversation();
  const opened = opening;
  conversation = chosen;
  find('model').value = chosen.model ?? '';
  const views = chosen.turns.map(({ stream, prompt }) => add_turn(restore_record(stream, prompt)));
  const last = views.pop();
  if (!last) return;
  history.replaceState(null, '', `#${last.answer.stream}`);
  for (const turn of views) fill(turn);
  // A record means this tab was reading it: go on at its cursor at once. Without one the state tells whether it still runs.
  if (last.answer.cursor) tape.seam('start', `kept from before: ${last.answer.events} events, up to ${last.answer.cursor}`);
  const ended = !last.answer.cursor && await fill(last);
  if (opened !== opening) return;
  if (!ended) read(last);
  changed();
  paint_recent();
  show_pane('chat');
}

// Takes a finished answer from the relay. False: it is not finished, or cannot be had now.
async function fill(turn) {
  try {
    const state = await read_state(turn.answer.stream);
    if (state.status === 'queued' || state.status === 'streaming') return false;
    const events = await read_events(turn.answer.stream);  // the state does not say where somebody steered
    turn.answer.replace(events);
    turn.answer.connections = 0;
    turn.update();
  } catch (refusal) {
    if (refusal.status !== 404 && refusal.status !== 410) return false;
    turn.explain('The relay no longer keeps this answer.');
  }
  changed();
  return true;
}

async function remove_conversation(chosen) {
  if (!confirm(`Delete “${chosen.title}” here and on the relay?`)) return;
  forget_conversation(chosen.id);
  if (conversation?.id === chosen.id) new_chat();
  paint_recent();
  for (const { stream } of chosen.turns) {
    await delete_stream(stream).catch((refusal) => told(refusal.message));
  }
}

function paint_recent() {
  const kept = all_conversations();
  find('no-conversations').hidden = kept.length > 0;
  find('conversations').replaceChildren(...kept.map((one) => (
    conversation_row(one, one.id === conversation?.id, { open: open_conversation, remove: remove_conversation }))));
}

// --- elements ---

function show_pane(pane) {
  document.body.dataset.pane = pane;
  if (pane === 'wire') tape.follow();
  for (const tab of document.querySelectorAll('.panes button')) tab.setAttribute('aria-pressed', String(tab.dataset.pane === pane));
}

function fit_prompt() {
  const box = find('prompt');
  box.style.height = 'auto';
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}

function wire_elements() {
  find('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = find('prompt').value;
    if (sending || text.trim() === '') return;
    find('prompt').value = '';
    if (is_busy()) steer(text);
    else submit(text);
    fit_prompt();
  });
  find('prompt').addEventListener('input', fit_prompt);
  find('prompt').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    find('composer').requestSubmit();
  });
  find('stop').addEventListener('click', stop);
  find('transport').value = transport;
  find('transport').addEventListener('change', () => {
    transport = find('transport').value;
    note_transport(transport);
    if (session && is_busy()) session.over(transport);
  });
  find('drop').addEventListener('click', () => (session.state === 'offline' ? session.connect() : session.drop()));
  find('replay').addEventListener('click', () => {
    const turn = turns.at(-1);
    tape.clear();
    turn.answer = Object.assign(new Answer(turn.answer.stream, turn.answer.prompt), { model: turn.answer.model });
    turn.update();
    read(turn);
  });
  find('new-chat').addEventListener('click', new_chat);
  find('copy-curl').addEventListener('click', () => {
    copy(find('curl-line').textContent).then((worked) => {
      worked ? told('Copied.') : getSelection().selectAllChildren(find('curl-line'));
    });
  });
  for (const tab of document.querySelectorAll('.panes button')) tab.addEventListener('click', () => show_pane(tab.dataset.pane));
  for (const example of document.querySelectorAll('.examples button')) {
    example.addEventListener('click', () => submit(example.textContent));
  }
  addEventListener('pagehide', () => session?.keep());
  addEventListener('pageshow', (event) => event.persisted && session?.refresh());
  addEventListener('online', () => session?.refresh());
  addEventListener('hashchange', open_from_address);
  addEventListener('storage', paint_recent);
  setInterval(() => is_busy() && changed(), 500);
}

function open_from_address() {
  const stream = location.hash.slice(1);
  if (!/^strm_[\w-]+$/.test(stream)) return;
  open_conversation(conversation_of(stream) ?? { id: stream, title: '', model: '', turns: [{ prompt: null, stream }] });
}

function start() {
  wire_elements();
  paint_recent();
  paint_controls();
  const pending = noted_pending();
  if (pending) {
    const before = pending.conversation.turns;
    conversation = pending.conversation;
    Promise.all(before.map(({ stream, prompt }) => fill(add_turn(new Answer(stream, prompt))))).then(() => send(pending));
  } else {
    open_from_address();
  }
}

start();
