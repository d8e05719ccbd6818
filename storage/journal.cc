#include "storage/journal.h"

#include "storage/bytes.h"
#include "storage/crc32c.h"

namespace tokenrelay::storage {
namespace {

// The id is part of the checksum, so that a row stored under another row's id is detected.
uint32_t row_checksum(std::string_view records, uint64_t id) {
  return crc32c(records, crc32c({reinterpret_cast<const char*>(&id), sizeof id}));
}

}  // namespace

void append_entry(std::string& out, const EventView& event) {
  put(out, static_cast<uint8_t>(event.kind));
  put(out, static_cast<uint32_t>(event.payload.size()));
  out.append(event.payload);
}

void append_record(std::string& out, StreamKey key, Seq first, std::span<const EventView> events) {
  size_t bytes = 0;
  for (const auto& e : events) bytes += entry_head + e.payload.size();
  put(out, key);
  put(out, first);
  put(out, static_cast<uint32_t>(events.size()));
  put(out, static_cast<uint32_t>(bytes));
  for (const auto& e : events) append_entry(out, e);
}

Record after(const Record& record, Seq last) {
  Record rest = record;
  EntryReader walk(record.entries);
  for (EventView e; rest.first <= last && walk.next(e);) {
    rest.entries.remove_prefix(entry_head + e.payload.size());
    ++rest.first;
    --rest.count;
  }
  return rest;
}

bool EntryReader::next(EventView& event) {
  if (left_.empty()) return false;
  if (left_.size() < entry_head || left_.size() - entry_head < get<uint32_t>(left_.data() + 1)) {
    malformed_ = true;
    return false;
  }
  uint32_t size = get<uint32_t>(left_.data() + 1);
  event.kind = static_cast<EventKind>(left_[0]);
  event.payload = left_.substr(entry_head, size);
  left_.remove_prefix(entry_head + size);
  return true;
}

bool RecordReader::next(Record& record) {
  if (left_.empty()) return false;
  if (left_.size() < record_head || left_.size() - record_head < get<uint32_t>(left_.data() + 20)) {
    malformed_ = true;
    return false;
  }
  const char* p = left_.data();
  record.key = get<uint64_t>(p);
  record.first = get<uint64_t>(p + 8);
  record.count = get<uint32_t>(p + 16);
  uint32_t bytes = get<uint32_t>(p + 20);
  record.entries = left_.substr(record_head, bytes);
  left_.remove_prefix(record_head + bytes);
  return true;
}

void seal_row(std::string& row, uint64_t id) {
  put_at(row, 0, row_checksum(std::string_view(row).substr(journal_head), id));
}

std::optional<std::string_view> open_row(std::string_view row, uint64_t id) {
  if (row.size() < journal_head) return std::nullopt;
  std::string_view records = row.substr(journal_head);
  if (get<uint32_t>(row.data()) != row_checksum(records, id)) return std::nullopt;
  // A row with a right checksum was written by this code; walking it to the end is a cheap extra check.
  RecordReader walk(records);
  for (Record r; walk.next(r);) {
    EntryReader entries(r.entries);
    uint32_t count = 0;
    for (EventView e; entries.next(e);) ++count;
    if (entries.malformed() || count != r.count) return std::nullopt;
  }
  if (walk.malformed()) return std::nullopt;
  return records;
}

}  // namespace tokenrelay::storage
