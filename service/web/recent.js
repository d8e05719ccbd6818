// The conversations of this browser: their prompts and stream ids, in localStorage. The answers stay with the relay.

import { random_id } from './plain_http.js';

const key = 'tokenrelay.conversations';
const most = 30;

function load() {
  try {
    const list = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function save(list) {
  try {
    localStorage.setItem(key, JSON.stringify(list.slice(0, most)));
  } catch {
    // storage is full or switched off: the conversation lives as long as the page
  }
}

export const all_conversations = () => load();

export const conversation_of = (stream) => load().find(({ turns }) => turns.some((turn) => turn.stream === stream));

// Read, change, write in one step, since other tabs do the same.
export function keep_conversation(conversation) {
  save([conversation, ...load().filter(({ id }) => id !== conversation.id)]);
}

export function forget_conversation(id) {
  save(load().filter((kept) => kept.id !== id));
}

export function new_conversation(prompt, model) {
  const title = prompt.trim().split('\n')[0].slice(0, 80);
  return { id: random_id(), title, model, at: new Date().toISOString(), turns: [] };
}

function show_age(iso) {
  const minutes = Math.max(0, (Date.now() - Date.parse(iso)) / 60000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${Math.floor(minutes)} min ago`;
  if (minutes < 60 * 24) return `${Math.floor(minutes / 60)} h ago`;
  return new Date(iso).toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}

function row_button(className, text, action) {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = className;
  node.textContent = text;
  node.addEventListener('click', action);
  return node;
}

export function conversation_row(conversation, is_current, { open, remove }) {
  const row = document.createElement('li');
  const title = document.createElement('span');
  const age = document.createElement('small');
  const count = conversation.turns.length;
  title.textContent = conversation.title || 'Untitled';
  age.textContent = `${show_age(conversation.at)} · ${count} ${count === 1 ? 'stream' : 'streams'}`;
  const opener = row_button('open', '', () => open(conversation));
  opener.append(title, age);
  if (is_current) opener.setAttribute('aria-current', 'true');
  const remover = row_button('remove', '×', () => remove(conversation));
  remover.setAttribute('aria-label', `Delete ${title.textContent}`);
  row.append(opener, remover);
  return row;
}
