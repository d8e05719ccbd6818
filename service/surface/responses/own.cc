#include "service/surface/responses/own.h"

#include <algorithm>
#include <array>

#include "service/json/sax.h"
#include "service/surface/responses/output.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// The relay's encrypted_content is an object of the log; its ids hold a stream's.
bool is_foreign(const Value& item) {
  if (!item.is_object()) return false;
  return parse_item_id(json::word(item, "id")) || json::word(item, "encrypted_content").starts_with('{');
}

}  // namespace

bool has_foreign_items(const Value& body) {
  const auto input = body.find("input");
  return input != body.end() && input->is_array() && std::any_of(input->begin(), input->end(), is_foreign);
}

std::string own_response(std::string_view raw_response, const OwnResponse& served) {
  const std::string id = json::dump(Value(served.id));
  if (!served.background) return upstream::with_members(raw_response, {{"id", id}});
  return upstream::with_members(raw_response, {{"id", id}, {"background", "true"}});
}

std::string own_response_event(std::string_view raw, const OwnResponse& served, uint64_t number) {
  const std::string_view response = upstream::member_of(raw, "response");
  std::string event(raw);
  if (response.starts_with('{')) event = upstream::with_members(raw, {{"response", own_response(response, served)}});
  const size_t inside = event.find('{') + 1;
  const bool empty = event.find_first_not_of(" \t", inside) == event.rfind('}');
  return event.insert(inside, "\"sequence_number\":" + std::to_string(number) + (empty ? "" : ","));
}

bool ends_response(std::string_view type) {
  static constexpr std::array<std::string_view, 5> ends = {"response.completed", "response.incomplete",
                                                           "response.failed", "response.cancelled", "response.done"};
  return std::find(ends.begin(), ends.end(), type) != ends.end();
}

std::string own_type(std::string_view raw) {
  std::string type, scratch;
  json::Reader in(raw, scratch, json::deepest);
  in.object([&](std::string_view key) {
    if (key == "type") type = in.string();
  });
  return type;
}

bool is_last_own(std::string_view raw) {
  return ends_response(own_type(raw));
}

}  // namespace tokenrelay::surface
