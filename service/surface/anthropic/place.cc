#include <charconv>
#include <optional>
#include <utility>

#include "service/surface/anthropic/turns.h"

namespace tokenrelay::surface {
namespace {

// "[12]" at the start of `text`, taken off.
std::optional<size_t> take_number(std::string_view& text) {
  size_t number = 0;
  if (!text.starts_with('[')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ']') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return number;
}

}  // namespace

std::string AnthropicTurns::client_place(const std::string& neutral) const {
  std::string_view rest = neutral;
  rest.remove_prefix(std::string_view("messages").size());
  const auto number = take_number(rest);
  if (!number || *number >= places.size()) return neutral;
  const AnthropicPlace& place = places[*number];
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {{".content", &place.parts},
                                                                                {".tool_calls", &place.calls}};
  for (const auto& [name, list] : lists) {
    if (!rest.starts_with(name)) continue;
    std::string_view after = rest.substr(name.size());
    const auto item = take_number(after);
    if (item && *item < list->size()) return (*list)[*item];
  }
  return place.own;
}

}  // namespace tokenrelay::surface
