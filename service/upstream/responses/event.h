// One payload of the Responses dialect, taken apart without a DOM: a stream's event, or a whole response (DIALECTS.md,
// Responses).
//
// "raw" means the JSON text of a value, "" if it is absent. All views are into the payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/error.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

struct ResponsesEvent {
  bool is_json = false;           // the whole payload is one JSON object
  std::string_view type, object;  // "response.created"; "response" for a whole response instead of an event
  std::string_view item_id;
  std::optional<int64_t> sequence, output_index;
  std::string_view raw_sequence;
  int64_t part_index = 0;                                                       // content_index, or summary_index
  std::string_view delta, text, arguments, input, name, item, response, error;  // raw
};
ResponsesEvent read_responses_event(std::string_view payload, std::string& scratch);

struct ResponsesItem {
  std::string_view type;
  std::string_view id, call_id, name, arguments, input, content, summary, encrypted;  // raw
};
ResponsesItem read_responses_item(std::string_view raw, std::string& scratch);

struct ResponsesState {
  std::string_view id, status, output, error;  // output and error are raw
  std::string incomplete_reason;
  Usage usage;
};
ResponsesState read_responses_state(std::string_view raw, std::string& scratch);

// The text of a raw string, or of an object that holds one (some versions of vLLM); it may end inside a character.
std::string_view responses_text(std::string_view raw, std::string& scratch);

}  // namespace tokenrelay::upstream
