// Responses of OpenAI's own: requests that go up as they are (surface/own.h), and what the provider sent in answer.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// Whether its input holds what the relay made of another provider's answer. Then it must be translated.
bool has_foreign_items(const json::Value& body);

// An event with what the relay serves itself: the response's id, its own sequence number, and `background` where the
// relay is what keeps the answer going. `raw` is an event without a number (own_recorder.h).
struct OwnResponse {
  std::string id;
  bool background = false;
};
std::string own_response_event(std::string_view raw, const OwnResponse& served, uint64_t number);
std::string own_response(std::string_view raw_response, const OwnResponse& served);

// Whether it is the last event of a response, whose object is whole.
bool ends_response(std::string_view type);
// The event's type; "" without one.
std::string own_type(std::string_view raw);
bool is_last_own(std::string_view raw);

}  // namespace tokenrelay::surface
