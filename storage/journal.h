// The bytes of a journal row: every event of one group commit, of all streams, under one checksum.
//
//   row    = crc32c:u32 record*          the checksum covers the row's id (u64) and the records
//   record = key:u64 first_seq:u64 count:u32 bytes:u32 entry{count}
//   entry  = kind:u8 size:u32 payload    the same form in memory (tails.h) and in segments (segment.h)
//
// Little-endian. Pure functions; nothing here touches the disk.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/event.h"

namespace tokenrelay::storage {

inline constexpr size_t entry_head = 5;
inline constexpr size_t record_head = 24;
inline constexpr size_t journal_head = 4;

struct Record {
  StreamKey key = 0;
  Seq first = 0;
  uint32_t count = 0;
  std::string_view entries;

  Seq last() const { return first + count - 1; }
};

void append_entry(std::string& out, const EventView& event);
void append_record(std::string& out, StreamKey key, Seq first, std::span<const EventView> events);

// The part of `record` after seq `last` (which lies within it, or before it).
Record after(const Record& record, Seq last);

// Walks entries; at malformed bytes it stops, with malformed() true.
class EntryReader {
 public:
  explicit EntryReader(std::string_view entries) : left_(entries) {}
  bool next(EventView& event);
  bool malformed() const { return malformed_; }

 private:
  std::string_view left_;
  bool malformed_ = false;
};

// Walks the records of a row; at malformed bytes it stops, with malformed() true.
class RecordReader {
 public:
  explicit RecordReader(std::string_view records) : left_(records) {}
  bool next(Record& record);
  bool malformed() const { return malformed_; }

 private:
  std::string_view left_;
  bool malformed_ = false;
};

// Writes the checksum into `row`: journal_head bytes of room, then records.
void seal_row(std::string& row, uint64_t id);

// The records of a stored row; nullopt if its checksum is wrong.
std::optional<std::string_view> open_row(std::string_view row, uint64_t id);

}  // namespace tokenrelay::storage
