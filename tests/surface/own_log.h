// A log as a provider's own events make it, by hand.
#pragma once

#include <string>

#include "service/upstream/own_event.h"
#include "tests/surface/wire_events.h"

namespace tokenrelay::surface {

inline Logged own_started(const std::string& kind) {
  return event(storage::EventKind::start, R"({"model":"m","provider":")" + kind + R"(","own":true})");
}
inline Logged own_event(const std::string& json) {
  return event(storage::EventKind::own, upstream::encode_own({upstream::OwnEvent::Op::event, json, {}, 0, {}, {}}));
}
inline Logged own_piece(const std::string& json) {
  return event(storage::EventKind::own, upstream::encode_own({upstream::OwnEvent::Op::piece, json, {}, 0, {}, {}}));
}
inline Logged own_shape(const std::string& before, const std::string& after,
                        upstream::OwnEvent::Voice voice = upstream::OwnEvent::Voice::text, uint64_t call = 0) {
  return event(storage::EventKind::own,
               upstream::encode_own({upstream::OwnEvent::Op::shape, {}, voice, call, before, after}));
}
inline Logged steered(const std::string& content = "shorter") {
  return event(storage::EventKind::steer, R"({"content":")" + content + "\"}");
}

}  // namespace tokenrelay::surface
