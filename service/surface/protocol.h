// The drop-in surfaces, by protocol (PROTOCOL.md, Drop-in surfaces).
#pragma once

#include <optional>
#include <string_view>

namespace tokenrelay::surface {

enum class Protocol { chat, responses, anthropic, gemini, ui };

// The protocol that a path belongs to; nullopt for the relay's own.
std::optional<Protocol> protocol_of(std::string_view path);

}  // namespace tokenrelay::surface
