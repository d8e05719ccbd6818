#include "storage/segment.h"

#include "storage/bytes.h"
#include "storage/crc32c.h"
#include "storage/journal.h"

namespace tokenrelay::storage {
namespace {

constexpr size_t head = 12;
constexpr size_t mark_every = 4 << 10;

uint32_t checksum(int64_t id, std::string_view rest) {
  return crc32c(rest, crc32c({reinterpret_cast<const char*>(&id), sizeof id}));
}

}  // namespace

std::string encode_segment(int64_t id, uint32_t count, std::string_view entries) {
  std::string marks;
  uint32_t delta = 0;
  size_t last_mark = 0;
  EntryReader walk(entries);
  for (EventView e; walk.next(e); ++delta) {
    size_t offset = static_cast<size_t>(e.payload.data() - entries.data()) - entry_head;
    if (offset - last_mark < mark_every) continue;
    put(marks, delta);
    put(marks, static_cast<uint32_t>(offset));
    last_mark = offset;
  }
  std::string body;
  body.reserve(head + marks.size() + entries.size());
  put(body, uint32_t{0});
  put(body, count);
  put(body, static_cast<uint32_t>(marks.size() / 8));
  body += marks;
  body += entries;
  put_at(body, 0, checksum(id, std::string_view(body).substr(4)));
  return body;
}

std::optional<Block> read_segment(int64_t id, std::string_view body, Seq from, size_t max_bytes) {
  if (body.size() < head || get<uint32_t>(body.data()) != checksum(id, body.substr(4))) return std::nullopt;
  size_t marks = get<uint32_t>(body.data() + 8);
  if ((body.size() - head) / 8 < marks) return std::nullopt;
  const char* mark = body.data() + head;
  std::string_view entries = body.substr(head + marks * 8);
  const Seq first = first_of_segment(id);
  Seq at = first;
  size_t skip = 0;
  for (size_t i = 0; i < marks && first + get<uint32_t>(mark + i * 8) <= from; ++i) {
    at = first + get<uint32_t>(mark + i * 8);
    skip = get<uint32_t>(mark + i * 8 + 4);
  }
  if (skip > entries.size()) return std::nullopt;
  entries.remove_prefix(skip);
  Block block;
  if (!fill_block(block, entries, at, from, max_bytes)) return std::nullopt;
  return block;
}

bool fill_block(Block& block, std::string_view entries, Seq at, Seq from, size_t max_bytes) {
  constexpr size_t none = std::string_view::npos;
  const size_t base = block.bytes.size();
  size_t begin = none;  // of the first payload to copy: everything from there on is copied in one piece
  size_t end = 0;
  EntryReader walk(entries);
  for (EventView e; walk.next(e); ++at) {
    if (at < from) continue;
    size_t start = static_cast<size_t>(e.payload.data() - entries.data());
    size_t taken = begin == none ? 0 : start - begin;
    if (!block.entries.empty() && base + taken + e.payload.size() > max_bytes) break;
    if (begin == none) begin = start;
    end = start + e.payload.size();
    block.entries.push_back({at, e.kind, static_cast<uint32_t>(base + taken), static_cast<uint32_t>(e.payload.size())});
  }
  if (walk.malformed()) return false;
  if (begin != none) block.bytes.append(entries.substr(begin, end - begin));
  return true;
}

}  // namespace tokenrelay::storage
