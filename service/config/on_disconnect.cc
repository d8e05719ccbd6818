#include "service/config/on_disconnect.h"

#include <charconv>

namespace tokenrelay {

std::optional<OnDisconnectConfig> parse_on_disconnect(std::string_view text) {
  using Action = OnDisconnectConfig::Action;
  if (text == "continue") return OnDisconnectConfig{Action::keep_going, 0};
  if (text == "cancel") return OnDisconnectConfig{Action::cancel, 0};
  constexpr std::string_view after = "cancel_after_ms=";
  if (!text.starts_with(after)) return std::nullopt;
  text.remove_prefix(after.size());
  int64_t ms = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms > 24 * 3600 * 1000) return std::nullopt;
  return OnDisconnectConfig{Action::cancel_after, ms};
}

}  // namespace tokenrelay
