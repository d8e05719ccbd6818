// The drop-in surfaces, by the protocol that each speaks (PROTOCOL.md, Drop-in surfaces).
#pragma once

#include <optional>
#include <string_view>

namespace tokenrelay::surface {

enum class Dialect { chat, responses, anthropic, gemini, ui };

// Whose protocol a path belongs to; nullopt: the relay's own.
std::optional<Dialect> dialect_of(std::string_view path);

}  // namespace tokenrelay::surface
