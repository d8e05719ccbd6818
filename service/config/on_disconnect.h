// What happens to an answer when its client leaves, as the configuration writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tokenrelay {

struct OnDisconnectConfig {
  enum class Action { keep_going, cancel, cancel_after } action = Action::keep_going;
  int64_t after_ms = 0;
};

// "continue", "cancel", "cancel_after_ms=N" with N of at most a day; nullopt for anything else.
std::optional<OnDisconnectConfig> parse_on_disconnect(std::string_view text);

}  // namespace tokenrelay
