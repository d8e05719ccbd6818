// The drop-in surfaces, by protocol (PROTOCOL.md, Drop-in surfaces).
#pragma once

#include <optional>

#include "service/http/request.h"

namespace tokenrelay::surface {

enum class Protocol { chat, responses, anthropic, gemini, ui };

// The protocol that a path belongs to, one that this relay does not serve included: an error there has the protocol's
// shape. nullopt for the relay's own paths. Two protocols share some paths; their clients differ by a header.
std::optional<Protocol> protocol_of(const http::Request& request);

// The kind of provider that speaks it (upstream/upstream.h); "" if none does.
std::string_view own_kind(Protocol protocol);

}  // namespace tokenrelay::surface
