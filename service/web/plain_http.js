// What browsers keep from pages over plain HTTP on a name (no secure context): random ids and the clipboard.

// 128 random bits in hex.
export function random_id() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// Resolves to whether it worked.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
