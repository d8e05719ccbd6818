// OwnEvent: how the log keeps what a provider sent, so that a client of the provider's own protocol gets it as it was.
//
// An entry (storage: kind `own`) is one of three:
//   event  one event's data, JSON on one line
//   piece  the beginning of one that is longer than the log's events; the next entries go on, the last is an `event`
//   shape  the JSON around a delta: the neutral events of its voice that follow, up to the next entry, were sent with
//          this JSON around their text. A token costs nothing here: only the neutral event is stored.
// Neutral events that follow an `event` say again what it has said; a client of the same protocol is not told them.
//
// The bytes in the log: op:u8, then for event and piece the JSON; for a shape voice:u8 call:varint before:varint and
// the two texts. They are on disk: never renumber. Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

struct OwnEvent {
  enum class Op : uint8_t { event = 0, piece = 1, shape = 2 };
  enum class Voice : uint8_t { text = 0, reasoning = 1, tool_call = 2 };

  Op op = Op::event;
  std::string_view json;           // event, piece
  Voice voice = Voice::text;       // shape
  uint64_t call = 0;               // shape of a tool call: its index
  std::string_view before, after;  // shape: the quotes of the delta's string belong to them
};

std::string encode_own(const OwnEvent& event);
std::optional<OwnEvent> decode_own(std::string_view entry);  // views into `entry`; nullopt: corrupt

}  // namespace tokenrelay::upstream
