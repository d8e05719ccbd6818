// What an event's payload looks like in the log, and as JSON on the wire. Both are fixed: the log outlives the program,
// and the wire is a pure function of the log.
//
//   kind        payload in the log                                      `data` on the wire
//   text        raw UTF-8                                               {"delta":"…"}
//   reasoning   raw UTF-8                                               {"delta":"…"}
//   tool_call   varint index, varint + id, varint + name, arguments     {"index":0,"id":"…","name":"…",
//                                                                        "arguments_delta":"…"}
//   opaque      a JSON object with at least one member                  a `reasoning` event: {"delta":"",…its members}
//   own         what the provider sent (upstream/own_event.h)           not shown: of native readers nobody needs it
//   the others  the JSON object itself, on one line                     the same
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/event.h"

namespace tokenrelay::relay {

using storage::EventKind;

struct ToolCallPiece {
  uint64_t index = 0;
  std::string_view id, name, arguments;
};

std::string encode_tool_call(const ToolCallPiece& piece);
std::optional<ToolCallPiece> decode_tool_call(std::string_view payload);  // views into payload; nullopt: corrupt

// Whether native readers are shown events of this kind.
inline bool is_shown(EventKind kind) {
  return kind != EventKind::own;
}

// The SSE event name; "" for text, which is unnamed so that onmessage shows it.
std::string_view event_name(EventKind kind);

// Appends the JSON of `data`.
void append_data(std::string& out, EventKind kind, std::string_view payload);

// Neighbouring deltas of one kind (and one tool call) may be merged for a reader that is behind.
bool mergeable(EventKind kind, std::string_view first, std::string_view second);
// The part of `payload` that is appended when merging: the text itself, or the arguments.
std::string_view merge_part(EventKind kind, std::string_view payload);

}  // namespace tokenrelay::relay
