// A segment: a range of one stream's events in one blob, with an index from seq to offset.
//
//   body  = crc32c:u32 count:u32 marks:u32 (seq_delta:u32 offset:u32){marks} entry{count}
//
// The checksum covers the segment's id and everything after itself. The index holds one mark per 4 KiB, so a reader
// that starts in the middle scans at most that much. The id orders segments by stream and first seq: one lookup finds
// any event.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/event.h"

namespace tokenrelay::storage {

inline constexpr size_t segment_bytes = 64 << 10;  // of entries; a larger event is a segment by itself

// 36 bits of stream, 27 bits of seq, so that the id stays a positive SQLite integer.
inline constexpr int seq_bits = 27;
inline constexpr StreamKey max_key = (StreamKey{1} << 36) - 1;
inline constexpr Seq max_seq = (Seq{1} << seq_bits) - 1;
inline int64_t segment_id(StreamKey key, Seq first) {
  return static_cast<int64_t>(key << seq_bits | first);
}
inline StreamKey key_of_segment(int64_t id) {
  return static_cast<StreamKey>(id) >> seq_bits;
}
inline Seq first_of_segment(int64_t id) {
  return static_cast<StreamKey>(id) & max_seq;
}

std::string encode_segment(int64_t id, uint32_t count, std::string_view entries);

// The events from seq `from` on: about max_bytes, at least one. Nullopt if the checksum is wrong.
std::optional<Block> read_segment(int64_t id, std::string_view body, Seq from, size_t max_bytes);

// Copies the entries from seq `from` on into a block; the first entry has seq `at`. False if they are malformed.
bool fill_block(Block& block, std::string_view entries, Seq at, Seq from, size_t max_bytes);

}  // namespace tokenrelay::storage
