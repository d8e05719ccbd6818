// The basic types of the log: events and their names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tokenrelay::storage {

// An event's number in its stream: 1, 2, 3 … without gaps over the stream's whole life, across runs. 0: before the
// first.
using Seq = uint64_t;

// The log's number for a stream: dense, never reused, never shown to a client.
using StreamKey = uint64_t;

// These numbers are on disk: never renumber. The relay defines the payloads (service/relay/event_codec.h); the log only
// stores them.
enum class EventKind : uint8_t {
  start = 1,      // JSON object
  text = 2,       // raw UTF-8
  reasoning = 3,  // raw UTF-8
  tool_call = 4,  // service/relay/event_codec.h
  steer = 5,      // JSON object
  upstream = 6,   // JSON object
  done = 7,       // JSON object; the terminal event: nothing follows it
  opaque = 8,     // JSON object: what the provider expects back unchanged in a later turn
  own = 9,        // what the provider sent, for clients of its own protocol (service/upstream/own_event.h)
};

struct EventView {
  EventKind kind;
  std::string_view payload;
};

// Consecutive events of one stream, as read from the log: one buffer, and where each event is in it.
struct Block {
  struct Entry {
    Seq seq;
    EventKind kind;
    uint32_t offset, size;  // into bytes
  };
  std::string bytes;
  std::vector<Entry> entries;  // ascending, without gaps; empty: nothing durable after the position asked for

  std::string_view payload(const Entry& e) const { return std::string_view(bytes).substr(e.offset, e.size); }
};

}  // namespace tokenrelay::storage
